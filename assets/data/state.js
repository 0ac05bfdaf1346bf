// What the region editor holds: which data set, which image, what is being drawn. Knows no element and
// no server.

/**
 * One image to draw on, as pages/data/region.py tells of it.
 * @typedef {object} Look
 * @property {string} picture address of its copy
 * @property {string} layer address of the region as a picture, "" where there is none
 * @property {string} base which mask of the server the region is, "" for none
 * @property {string} name
 * @property {string} label
 * @property {number} index
 * @property {number} number of images
 * @property {[width: number, height: number]} size of the image, pixels
 * @property {[width: number, height: number]} shown size of its copy, pixels
 * @property {string} others about images of another size, or ""
 *
 * A mask by brightness that is not taken yet; its layer is null until the server has answered.
 * @typedef {{ layer: HTMLImageElement | null, base: string, share: number }} Proposal
 *
 * What is on the canvas after the last change. share: of the image that counts, 0 to 1.
 * @typedef {{ undoable: boolean, redoable: boolean, empty: boolean, share: number }} Drawn
 *
 * @typedef {"rectangle" | "brush" | "eraser"} Tool
 * @typedef {object} State
 * @property {string} dataset the active one
 * @property {string} number of the state that it is in
 * @property {Tool} tool
 * @property {number} brush diameter in pixels of the image
 * @property {number} largestBrush
 * @property {Look | null} picture
 * @property {boolean} region whether the data set has one
 * @property {string} base which mask of the server the drawing began from, "" for none
 * @property {Drawn} drawn
 * @property {Proposal | null} proposal
 * @property {"" | "save" | "remove"} busy
 *
 * @typedef {import("../shared/store.js").Store<State>} RegionStore
 * @typedef {(name: string, argument: object) => Promise<any>} Call
 */

/** @type {State} */
export const FRESH = {
  dataset: "",
  number: "",
  tool: "rectangle",
  brush: 0,
  largestBrush: 100,
  picture: null,
  region: false,
  base: "",
  drawn: { undoable: false, redoable: false, empty: true, share: 0 },
  proposal: null,
  busy: "",
};

/** @type {[tool: Tool, words: string, letter: string][]} */
export const TOOLS = [
  ["rectangle", "Rectangle", "R"],
  ["brush", "Brush", "B"],
  ["eraser", "Eraser", "E"],
];
