// What the panes of the Evaluate page share. Pure.

/** @typedef {import("./words.js").Line} Line */
/**
 * A measurement as pages/evaluate.py opens it (`run`).
 * @typedef {object} Opened
 * @property {Line} line
 * @property {import("./figures.js").Measurement} shown
 * @property {Record<string, string>} banks id of each method's bank version that is still there
 * @property {string[]} rows images that Figure 2 can show, those first that methods disagree on most
 * @property {[name: string, value: string][]} record
 * @property {string} command
 *
 * @typedef {object} State
 * @property {Line[]} runs the newest first
 * @property {Record<string, string>} kinds what each kind is called
 * @property {string} at id of the run that is open or about to be
 * @property {Opened | null} shown
 * @property {import("./words.js").Filters} filters
 * @property {import("./words.js").Kind} kind that the form measures
 *
 * What a pane is given. `watch` follows a job that was begun here; the run `compared` is compared with its
 * result.
 * @typedef {object} Pane
 * @property {HTMLElement} page
 * @property {import("../shared/store.js").Store<State>} store
 * @property {(name: string, argument?: object) => Promise<any>} call
 * @property {ReturnType<typeof import("../shared/voice.js").voice>} voice
 * @property {(id: string) => Promise<void>} open
 */

/** @type {State} */
export const INITIAL = {
  runs: [],
  kinds: {},
  at: "",
  shown: null,
  filters: { kind: "", of: "", sort: "newest" },
  kind: "table1",
};
