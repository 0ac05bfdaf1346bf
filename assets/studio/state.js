// What the Studio holds: what a person typed and painted (the form), how they look at it (the view),
// and what the server told. Knows no element and no server.

/**
 * How a mask is made, one part of the form for each kind; the values of sliders are by their names.
 * @typedef {"drawn" | "real" | "generated" | "uploaded"} Kind
 * @typedef {{ layer: string, base: string }} Drawn layer: a PNG's address; base: the server's file below it
 * @typedef {{ image: string | null, x: number, y: number, angle: number, scale: number, flip: boolean }} Real
 *   image: the defect that lends its mask, "" for any, null while none is chosen
 * @typedef {{ shape: string, x: number, y: number, seed: number }} Shape
 * @typedef {Shape & Record<string, number | string>} Generated
 * @typedef {{ file: string, name: string }} Uploaded
 *
 * @typedef {object} Form
 * @property {string} source the normal image
 * @property {Kind} kind
 * @property {boolean} vary another mask for each painting
 * @property {boolean} prior these lie about where known defects do
 * @property {boolean} fromTest masks of the test split may be borrowed
 * @property {Drawn} drawn
 * @property {Real} real
 * @property {Generated} generated
 * @property {Uploaded} uploaded
 * @property {string} prompt
 * @property {string} negative
 * @property {string} promptId of the library, or ""
 * @property {string} engine
 * @property {Record<string, Record<string, unknown>>} settings by engine, where they are not the default
 * @property {string} donor the defect to transplant, "" for any
 * @property {number | string} seed as typed
 * @property {boolean} newSeed for each preview
 * @property {number | string} count as typed
 * @property {string} where "random" or "this"
 * @property {string} masks of a batch: "different" or "this"
 * @property {string} parent the candidate that this is edited from, or ""
 * @property {string} type of the defect
 *
 * @typedef {"brush" | "eraser" | "polygon"} Tool
 *
 * @typedef {object} View
 * @property {Tool} tool
 * @property {number} brush diameter in pixels of the image
 * @property {number} share of the result pane that shows the original
 * @property {boolean} outlined
 * @property {string} against "original" or "previous"
 * @property {boolean} heated whether the heatmap of the active bank version lies over the result
 * @property {boolean} moreSettings whether they are unfolded
 * @property {string} shownId the candidate that is shown
 * @property {string} closed the comparison that was closed
 * @property {string} compared the comparison that was asked for last
 * @property {Filter} filter
 * @typedef {{ status: string, engine: string, prompt: string, job: string }} Filter
 *
 * What the server tells, and what goes on.
 * @typedef {object} Told
 * @property {string} dataset
 * @property {number} sourceCount images that may be painted on
 * @property {import("./settings.js").Engine[]} engines
 * @property {import("./prompts.js").Prompt[]} prompts
 * @property {import("./masks.js").Donor[] | null} donors null until they are asked for
 * @property {Record<string, import("./settings.js").Control[]>} shapes sliders by shape
 * @property {import("./settings.js").Control[]} borrowed sliders of a borrowed mask
 * @property {number} cells the most of a comparison
 * @property {number} pageSize results that are shown at first
 * @property {import("./masks.js").Canvas | null} picture of the source
 * @property {import("./masks.js").Measured} measured
 * @property {import("./prompts.js").Expanded} expanded
 * @property {import("./candidate.js").Item[]} results
 * @property {number} total
 * @property {Record<string, number>} counts
 * @property {{ id: string, title: string, state: string, text: string, fraction: number }[]} jobs
 * @property {string} stamp
 * @property {import("./candidate.js").Candidate | null} shown
 * @property {import("./candidate.js").Candidate | null} previous
 * @property {import("./candidate.js").Candidate | null} pinned the one that others are compared with
 * @property {import("./candidate.js").Seen | null} seen what the bank says of the one that is shown
 * @property {string} unseen why it says nothing
 * @property {import("./painting.js").Run | null} run the preview that is painted
 * @property {import("./results.js").Comparison | null} comparison
 * @property {import("./geometry.js").Zoom} zoom of both panes
 * @property {import("./geometry.js").Size} room that a pane has, in pixels of the screen
 * @property {boolean} space whether the space bar is held
 * @property {{ undoable: boolean, redoable: boolean }} strokes
 *
 * @typedef {Form & View & Told} State
 * @typedef {import("../shared/store.js").Store<State>} StudioStore
 *
 * What every part of the page is given.
 * @typedef {object} Studio
 * @property {HTMLElement} root
 * @property {StudioStore} store
 * @property {(name: string, argument?: object) => Promise<any>} call
 * @property {(file: File) => Promise<{ path: string }>} upload
 * @property {ReturnType<typeof import("../shared/voice.js").voice>["say"]} say
 * @property {ReturnType<typeof import("../shared/voice.js").voice>["attempt"]} attempt
 * @property {ReturnType<typeof import("../shared/voice.js").voice>["toast"]} toast
 */

/** @type {Form} */
export const FORM = {
  source: "",
  kind: "drawn",
  vary: false,
  prior: true,
  fromTest: false,
  drawn: { layer: "", base: "" },
  real: { image: null, x: 0.5, y: 0.5, angle: 0, scale: 1, flip: false },
  generated: { shape: "scratch", x: 0.5, y: 0.5, seed: 1 },
  uploaded: { file: "", name: "" },
  prompt: "",
  negative: "",
  promptId: "",
  engine: "",
  settings: {},
  donor: "",
  seed: 1,
  newSeed: false,
  count: 50,
  where: "random",
  masks: "different",
  parent: "",
  type: "",
};

/** @type {Filter} */
export const ALL_RESULTS = { status: "all", engine: "", prompt: "", job: "" };

/** @type {View} */
export const VIEW = {
  tool: "brush",
  brush: 24,
  share: 0.08,
  outlined: false,
  against: "original",
  heated: false,
  moreSettings: false,
  shownId: "",
  closed: "",
  compared: "",
  filter: ALL_RESULTS,
};

/** @type {State} */
export const FRESH = {
  ...FORM,
  ...VIEW,
  dataset: "",
  sourceCount: 0,
  engines: [],
  prompts: [],
  donors: null,
  shapes: {},
  borrowed: [],
  cells: 0,
  pageSize: 0,
  picture: null,
  measured: { problem: "", note: "", box: null, share: 0 },
  expanded: { prompts: [], each: true, total: 0, error: "" },
  results: [],
  total: 0,
  counts: {},
  jobs: [],
  stamp: "",
  shown: null,
  previous: null,
  pinned: null,
  seen: null,
  unseen: "",
  run: null,
  comparison: null,
  zoom: { k: 1, x: 0, y: 0 },
  room: [0, 0],
  space: false,
  strokes: { undoable: false, redoable: false },
};

/** @typedef {readonly (keyof State)[]} Fields */
export const FORM_FIELDS = /** @type {(keyof Form)[]} */ (Object.keys(FORM));
export const VIEW_FIELDS = /** @type {(keyof View)[]} */ (Object.keys(VIEW));

/**
 * The form as it is, to be put back with `store.patch`.
 * @param {Readonly<State>} state
 * @returns {Form}
 */
export const formOf = (state) =>
  /** @type {Form} */ (Object.fromEntries(FORM_FIELDS.map((name) => [name, state[name]])));
