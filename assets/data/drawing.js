// The mask that is drawn, and which of the server's masks it began from: a mask of the server keeps its
// own, finer pixels there, so undo and redo bring back its name (`base`) as well. Knows the mask editor
// and the store.

import { MaskEditor } from "../shared/mask_editor.js";

/** @typedef {ReturnType<typeof drawingOn>} Drawing */

/**
 * @param {HTMLCanvasElement} canvas
 * @param {import("./state.js").RegionStore} store
 */
export function drawingOn(canvas, store) {
  const editor = new MaskEditor(canvas, () => tell());

  const tell = () => {
    const { past, future, empty } = editor;
    const share = empty ? 0 : shareSet(canvas);
    store.patch({ drawn: { undoable: past.length > 0, redoable: future.length > 0, empty, share } });
  };

  /**
   * Take a mask of the server in place of what is drawn; it can be undone.
   * @param {HTMLImageElement} layer
   * @param {string} base
   */
  const give = (layer, base) => {
    const before = store.get().base;
    editor.load(layer, true);
    const step = editor.past.at(-1);
    if (step) step.given = { before, after: base };
    store.patch({ base, proposal: null });
  };

  /** @param {"undo" | "redo"} way */
  const turn = (way) => {
    if (editor.stroke || store.get().proposal) return;
    const given = (way === "undo" ? editor.past : editor.future).at(-1)?.given;
    if (given) store.patch({ base: way === "undo" ? given.before : given.after });
    editor[way]();
    const step = (way === "undo" ? editor.future : editor.past).at(-1);
    if (given && step) step.given = given;
  };

  /** What is drawn is kept now: there is nothing to undo. */
  const settle = () => {
    editor.past = [];
    tell();
  };

  return { editor, give, turn, settle, tell };
}

/**
 * The share of a canvas that is set, 0 to 1.
 * @param {HTMLCanvasElement} canvas
 */
function shareSet(canvas) {
  const context = /** @type {CanvasRenderingContext2D} */ (
    canvas.getContext("2d", { willReadFrequently: true })
  );
  const { data, width, height } = context.getImageData(0, 0, canvas.width, canvas.height);
  let set = 0;
  for (let place = 3; place < data.length; place += 4) if (data[place] > 127) set += 1;
  return set / (width * height);
}
