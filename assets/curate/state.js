// What the panes of the Curate page share, and what this browser remembers of it: who decides, filters and
// view.

import { recall } from "../shared/memory.js";
import { knownName } from "../shared/who.js";

export const STORED = "exdd.curate";
/** Candidates that the queue shows at first, and more at a time. */
export const PAGE = 120;
/** Lines of the history, likewise. */
export const LINES = 60;

/**
 * What Python says once: what filters there are, and what a light of a measure means.
 * @typedef {object} Terms
 * @property {string[]} traits
 * @property {string[]} measures
 * @property {Record<import("./words.js").Light, string>} lights
 *
 * How the picture is shown.
 * @typedef {object} View
 * @property {boolean} close whether the defect is zoomed to
 * @property {boolean} outlined
 * @property {boolean} hatched whether what is left out of the bank is
 * @property {number} share of the pane that shows the original
 * @property {number} brush in pixels of the image
 *
 * @typedef {Record<string, string | null>} Chosen what each filter is set to
 *
 * @typedef {object} State
 * @property {string} dataset
 * @property {import("./words.js").Item[]} items
 * @property {number} total
 * @property {import("./words.js").Queue["counts"]} counts
 * @property {import("./words.js").Queue["filters"]} filters
 * @property {string[]} reasons
 * @property {string[]} own those of them that people added
 * @property {string[]} types
 * @property {string} stamp
 * @property {number} behind images that joined or left the bank since effects are measured
 * @property {string[]} order of the queue, ids, until somebody asks for another one
 * @property {boolean} steered whether somebody has chosen a candidate: the order then stays as they see it
 * @property {boolean} reordered whether the measures would order it otherwise by now
 * @property {ReadonlySet<string>} unfolded near-duplicates whose cards are all shown
 * @property {number} hidden candidates that are folded into the cards of others
 * @property {string} at id of the candidate that is shown or about to be
 * @property {import("./words.js").Candidate | null} shown
 * @property {import("./words.js").Measured} measured of the one that is shown
 * @property {string} held id of the candidate that is open in one's own name
 * @property {import("./words.js").Line[]} past
 * @property {number} pastTotal
 * @property {number} lines of the history to show
 * @property {number[]} times of own decisions
 * @property {number} deciding how many decisions are on their way
 * @property {string} doing in words, for what takes longer than a moment
 * @property {number} left candidates to measure
 * @property {number} fitting decisions that the banks do not follow yet
 * @property {ReadonlySet<string>} sending ids of decisions that are on their way
 * @property {string[]} together what was decided on at once and last: Undo takes all of it back
 * @property {boolean} asking whether the reasons of a rejection are open
 * @property {import("./view.js").Tool} tool that trims the mask
 * @property {number} strokes changes of the mask so far
 * @property {string} who
 * @property {View} view
 * @property {import("./words.js").Status | "all"} status
 * @property {string} sort
 * @property {boolean} sifting whether the filters by measure are open
 * @property {Chosen} chosen
 *
 * What a pane is given.
 * @typedef {object} Pane
 * @property {HTMLElement} page
 * @property {import("../shared/store.js").Store<State>} store
 * @property {(name: string, argument?: object) => Promise<any>} call
 * @property {ReturnType<typeof import("../shared/voice.js").voice>} voice
 * @property {Terms} terms
 * @property {import("./view.js").CurateView} viewer
 * @property {import("./desk.js").Desk} desk
 */

/** @param {Terms} terms @returns {State} */
export function initial({ traits, measures }) {
  /** @type {any} */
  let stored = {};
  try {
    stored = JSON.parse(recall(STORED) || "{}");
  } catch {
    // the stored value is damaged: use the default
  }
  const { status = "pending", sort = "effect", sifting = false } = stored;
  const { close = true, outlined = true, hatched = false, share = 0.5, brush = 16 } = stored;
  const names = [...traits, ...measures];
  return {
    ...{
      dataset: "",
      items: [],
      total: 0,
      counts: {},
      filters: {},
      reasons: [],
      own: [],
      types: [],
      stamp: "",
    },
    ...{ behind: 0, order: [], steered: false, reordered: false, unfolded: new Set(), hidden: 0 },
    ...{ at: "", shown: null, measured: {}, held: "", past: [], pastTotal: 0, lines: LINES },
    ...{ times: [], deciding: 0, doing: "", left: 0, fitting: 0, sending: new Set(), together: [] },
    ...{ asking: false, tool: "", strokes: 0, who: knownName() },
    ...{ status, sort, sifting, view: { close, outlined, hatched, share, brush } },
    chosen: Object.fromEntries(names.map((name) => [name, stored[name] ?? null])),
  };
}

/** What is remembered. @param {Readonly<State>} state */
export const kept = ({ status, sort, sifting, view, chosen }) =>
  JSON.stringify({ status, sort, sifting, ...view, ...chosen });

/** @param {Chosen} chosen */
export const filtering = (chosen) => Object.keys(chosen).filter((name) => chosen[name] !== null);

/** @param {Chosen} chosen @returns {Chosen} */
export const unfiltered = (chosen) => Object.fromEntries(Object.keys(chosen).map((name) => [name, null]));

/** What the queue is asked. @param {Readonly<State>} state @param {number} [limit] */
export const queueAsked = ({ status, sort, chosen, items, who }, limit = Math.max(PAGE, items.length)) => ({
  status,
  sort,
  ...chosen,
  limit,
  who,
});

/** @param {Pane["store"]} store @param {Partial<View>} changes */
export const changeView = (store, changes) => store.patch({ view: { ...store.get().view, ...changes } });
