// What the Inspect page holds: the list, the image that is open, and how a person looks at it.
// Knows no element and no server.

import { recall, remember } from "../shared/memory.js";
import { WHOLE } from "./geometry.js";
import { ALL, arranged } from "./lists.js";

/**
 * @typedef {import("./words.js").Row} Row
 * @typedef {import("./words.js").Side} Side
 * @typedef {[x: number, y: number][][]} Lines closed lines through the centres of pixels
 *
 * An image as it is shown. reduced: pixels of the image per pixel of its picture.
 * @typedef {object} Picture
 * @property {string} image address of the picture
 * @property {number} width
 * @property {number} height
 * @property {number} reduced
 * @property {{ lines: Lines }} truth
 * @property {string[]} notes what was not looked at
 * @property {Outline} outline
 *
 * Whether the data set wants a mask of the image, and who gave it the one it has. last: it can be taken back.
 * @typedef {{ wanted: boolean, by: { who: string, created: string, last: boolean } | null }} Outline
 *
 * What an image was marked as.
 * @typedef {object} Mark
 * @property {string} decision
 * @property {string} action "missed" or "false_alarm"
 * @property {string} who
 * @property {string} created ISO time
 * @property {string} type of the defect
 * @property {Lines} lines
 *
 * @typedef {object} Maps
 * @property {number | null} promised the share of normal images that may lie above the threshold
 * @property {number} doubt calibrated score above which the verdict is "not sure"
 * @property {string} fusion
 * @property {string} map address of a picture
 * @property {string} raw_map
 * @property {import("./ticks.js").RawMarks} raw_marks
 *
 * What both methods say of an image.
 * @typedef {Bank & Said} Result
 * @typedef {object} Said
 * @property {Side & Maps} patchcore
 * @property {Side & Maps} exdd
 * @property {string} difference address of a picture
 * @property {import("./regions.js").Region[]} regions of ExDD's map, the highest peak first
 * @property {boolean} positive whether the bank knows defects
 * @property {[x: number, y: number]} peak pixel of the highest score
 * @property {Record<string, Row>} rows
 * @property {Mark[]} marks
 * @property {string} why_not why the image cannot be marked, or ""
 * @property {boolean} test an image of a test split
 * @property {string} surface the normal image that is nearest at the peak, or ""
 *
 * The bank version that is looked with. stamp: another one where scores may differ; active: the active
 * version.
 * @typedef {object} Bank
 * @property {string | null} bank
 * @property {string} stamp
 * @property {string | null} active
 * @property {boolean} coming whether there is none yet and a job makes the first one
 * @property {Threshold | null} threshold
 *
 * Where the threshold of the version lies on its own scale, 1 being the one it was built with, and who chose it how.
 * @typedef {{ value: number, chosen: { said: string, who: string, created: string } | null }} Threshold
 *
 * @typedef {{ address: string, name: string }} Download
 * @typedef {object} Job
 * @property {string} id
 * @property {boolean} running
 * @property {number} fraction 0 to 1
 * @property {string} text
 * @property {string} [error]
 * @property {string} [note]
 * @property {Download} [download]
 *
 * @typedef {{ key: string, title: string, count: number, left: string }} List
 * @typedef {{ title: string, text: string, link: string, button: string }} Need
 *
 * Pictures of the scales, and the calibrated values at their ends.
 * @typedef {object} Scales
 * @property {string} score
 * @property {string} difference
 * @property {[low: number, high: number]} range
 * @property {[low: number, high: number]} difference_range
 *
 * What the server tells.
 * @typedef {object} Told
 * @property {Need | null} need what is missing for this page to be of use
 * @property {string[]} types of defects that are known
 * @property {{ banks: string }} links
 * @property {List[]} lists
 * @property {string} list the key of the one that is open
 * @property {import("./words.js").Entry[]} images
 * @property {Map<string, import("./words.js").Entry>} byId
 * @property {Map<string, Row>} rows
 * @property {number} seen how many rows were sent
 * @property {Set<string>} marked
 * @property {Scales | null} scales
 * @property {Job | null} job
 *
 * A pixel, and whether it is that of the highest score.
 * @typedef {{ x: number, y: number, isPeak: boolean }} Pixel
 *
 * What stands over the panes instead of maps. first: the first pane that it stands over, 0 or 1.
 * @typedef {{ kind: "failed", words: string, first: 0 | 1 }} Failed
 * @typedef {{ kind: "loading" } | { kind: "waiting" } | { kind: "no bank" } | Failed} Cover
 *
 * What is drawn on the image. proposed: from what the heatmap shows.
 * @typedef {object} Marking
 * @property {"missed" | "false_alarm" | "outline"} action
 * @property {string} words "" for what the action is always introduced by
 * @property {string} warning
 * @property {HTMLImageElement | null} layer what is marked at first
 * @property {boolean} proposed
 * @property {boolean} [isTrue] whether it began with the outline of the truth
 *
 * What ExDD said of it before a mark of it changed the bank.
 * @typedef {Pick<Side, "score" | "calibrated" | "verdict">} Before
 *
 * The image that is open. While its picture is on its way, `pictured` is still the id of the one before.
 * @typedef {object} Open
 * @property {string | null} id
 * @property {string} pictured the image that `picture` is of
 * @property {Picture | null} picture
 * @property {Result | null} result
 * @property {Before | null} was
 * @property {Pixel | null} point
 * @property {[x0: number, y0: number, x1: number, y1: number] | null} box of the patch at `point`
 * @property {import("./match.js").Match | null} match what was found at `point`
 * @property {Cover | null} cover
 * @property {Marking | null} marking
 * @property {Undoable[]} undoable marks that were made here, the last one last
 * @property {Compared | null} compared the list before a mark, while it is scored again
 * @typedef {Pick<Told, "images" | "rows"> & { said: string, undo?: () => unknown }} Compared with what was said of it
 * @typedef {{ id: string, decision: string }} Undoable
 *
 * How a person looks at it.
 * @typedef {object} View
 * @property {string | null} wantedBank the version to look with; null: the active one, whichever that is
 * @property {string} filter
 * @property {import("./lists.js").Sort | null} sort
 * @property {string[]} order ids of the images that are shown
 * @property {number} solo the pane that is shown alone, or 0
 * @property {import("./geometry.js").Zoom} zoom
 * @property {import("./geometry.js").Fit | null} fit null until the panes are laid out
 * @property {boolean} mapsOn
 *
 * What the browser remembers. opacity: of the maps, percent.
 * @typedef {object} Remembered
 * @property {number} opacity
 * @property {import("./words.js").Values} values
 * @property {boolean} truth whether its outline is drawn
 * @property {"strip" | "table"} view
 *
 * @typedef {Bank & Told & Open & View & Remembered} State
 * @typedef {import("../shared/store.js").Store<State>} InspectStore
 *
 * What every part of the page is given. `call` tells the server which version is looked with.
 * @typedef {object} Inspect
 * @property {HTMLElement} viewer
 * @property {InspectStore} store
 * @property {(name: string, argument?: object) => Promise<any>} call
 * @property {(file: File) => Promise<{ path: string }>} upload
 * @property {import("./cache.js").Cache<Picture>} pictures
 * @property {import("./cache.js").Cache<Result>} results
 * @property {Terms} terms
 * @property {ReturnType<typeof import("../shared/voice.js").voice>["say"]} say
 * @property {ReturnType<typeof import("../shared/voice.js").voice>["attempt"]} attempt
 * @property {(words: string, undo?: () => unknown) => void} toast
 *
 * What the page is told once. opacity: of the maps where nobody chose one, percent.
 * @typedef {{ opacity: number }} Terms
 */

const STORED = "exdd.inspect";

/** What is forgotten with the list that was open. */
export const CLOSED = {
  filter: ALL,
  sort: null,
  id: null,
  pictured: "",
  picture: null,
  result: null,
  undoable: [],
  compared: null,
};

/**
 * @param {Terms} terms
 * @param {string | null} wantedBank
 * @returns {State}
 */
export const initial = ({ opacity }, wantedBank) => ({
  ...{
    bank: null,
    active: null,
    stamp: "",
    coming: false,
    threshold: null,
    need: null,
    types: [],
    links: { banks: "" },
  },
  ...{ lists: [], list: "", images: [], byId: new Map(), rows: new Map(), seen: 0, marked: new Set() },
  ...{ scales: null, job: null, was: null, point: null, box: null, match: null, cover: null, marking: null },
  ...CLOSED,
  ...{ wantedBank, order: [], solo: 0, zoom: WHOLE, fit: null, mapsOn: true },
  ...{ opacity, values: "calibrated", truth: true, view: "strip", ...remembered() },
});

/** @returns {Partial<Remembered>} */
function remembered() {
  try {
    return JSON.parse(recall(STORED) || "{}");
  } catch {
    return {};
  }
}

/** Keep what a person chose in the browser. @param {InspectStore} store */
export const keep = (store) =>
  store.subscribe(["opacity", "values", "truth", "view"], ({ opacity, values, truth, view }) =>
    remember(STORED, JSON.stringify({ opacity, values, truth, view })),
  );

/**
 * Change what decides on the images that are shown, and arrange them anew.
 * @param {InspectStore} store
 * @param {Partial<State>} [changes]
 */
export const rearrange = (store, changes = {}) =>
  store.patch({ ...changes, order: arranged({ ...store.get(), ...changes }) });

/**
 * Whether the picture of the image that is open is still on its way: the panes then show the image before.
 * @param {State} state
 */
export const isLoading = ({ id, pictured }) => id === null || pictured !== id;

/** There is nothing to look at: only what is needed is shown. @param {State} state */
export const isBare = ({ need, lists }) => Boolean(need) && !lists.length;
