// What the panes of the map share. Pure but for what the browser remembers: colours and method.

import { recall } from "../shared/memory.js";
import { keyOf } from "./words.js";

/**
 * @typedef {{ id: string, name: string, active: boolean }} Bank
 * @typedef {object} State
 * @property {Bank | null} bank the version that is shown
 * @property {import("./words.js").BankMap | null} map
 * @property {boolean} made whether there is a map by UMAP
 * @property {{ text: string, fraction: number } | null} job that makes one
 * @property {boolean} cancelling it
 * @property {{ dot: number } | null} chosen a new object each time its image is to be read
 * @property {import("./words.js").Distances | null} histograms
 * @property {import("./figures.js").Colouring} colour
 * @property {"pca" | "umap"} method
 * @property {string} theme of the page: another one has other colours
 *
 * What a pane is given. `changed` tells the rest of the page that a bank has changed, and reads it again;
 * `order` and `cancel` begin and end the making of a map by UMAP.
 * @typedef {object} Pane
 * @property {HTMLElement} page
 * @property {import("../shared/store.js").Store<State>} store
 * @property {(name: string, argument: object) => Promise<any>} call
 * @property {ReturnType<typeof import("../shared/voice.js").voice>} voice
 * @property {(bank: string) => Promise<void>} changed
 * @property {() => Promise<void>} order
 * @property {() => Promise<void>} cancel
 */

export const STORED = "exdd.banks";

/** @returns {State} */
export function initial() {
  const shown = { colour: "bank", method: "pca" };
  try {
    Object.assign(shown, JSON.parse(recall(STORED) || "{}"));
  } catch {
    // the stored value is damaged: use the default
  }
  const { colour, method } = /** @type {Pick<State, "colour" | "method">} */ (shown);
  return {
    bank: null,
    map: null,
    made: false,
    job: null,
    cancelling: false,
    chosen: null,
    histograms: null,
    colour,
    method,
    theme: document.documentElement.className,
  };
}

/**
 * The chosen row on another map of the same version.
 * @param {Readonly<State>} before
 * @param {Bank} bank
 * @param {import("./words.js").BankMap} map
 */
export function sameDot(before, bank, map) {
  if (!before.chosen || !before.map || before.bank?.id !== bank.id) return null;
  const key = keyOf(before.map, before.chosen.dot);
  const dot = map.image.findIndex((_, at) => keyOf(map, at) === key);
  return dot < 0 ? null : { dot };
}
