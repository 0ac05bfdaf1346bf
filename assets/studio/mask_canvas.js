// What the canvas of the mask shows: strokes, a placed piece, or what the server makes of the form; and
// what the server says about it. Knows the mask editor, the store and the server; does not know
// pointers.

import { MaskEditor } from "../shared/mask_editor.js";
import { blank, loaded } from "../shared/pictures.js";
import { latest, sentence } from "../shared/server.js";
import { maskSpec, reductionOf } from "./masks.js";
import { settled } from "./parts.js";
import { FORM } from "./state.js";

/**
 * @typedef {import("./state.js").State} State
 * @typedef {import("./state.js").Studio} Studio
 *
 * A real defect's mask; width: in its image's pixels.
 * @typedef {{ picture: HTMLImageElement, width: number }} Piece
 */

/** While a hand moves a mask, the server is not asked. Milliseconds. */
const REST = 160;

/** With any other of these, the canvas is made anew. @param {Readonly<State>} state */
const keyOf = ({ picture, kind, vary, drawn, real }) => [
  picture,
  kind,
  vary,
  kind === "drawn" && !vary && drawn.layer,
  kind === "real" && real.image,
];

/**
 * The editor of the mask; `settle` asks the server once the hand rests, `shown` ends when the mask is shown and measured.
 * @param {Studio} studio
 * @param {HTMLCanvasElement} canvas
 * @param {() => void} redrawn called when the canvas shows something else
 */
export function maskCanvas(studio, canvas, redrawn) {
  const { store, say } = studio;
  /** @type {unknown[]} */
  let seen = [];

  const painted = () => {
    const { drawn: before } = store.get();
    const drawn = editor.empty ? FORM.drawn : { ...before, layer: editor.toPng() };
    seen = keyOf({ ...store.get(), drawn }); // the canvas shows it already
    store.patch({ drawn, strokes: strokesOf(editor) });
  };
  const editor = new MaskEditor(canvas, painted);
  const { showAnew, placed, settle } = shower(studio, editor, redrawn);

  const follow = async () => {
    const state = store.get();
    if (!state.picture) return;
    const key = keyOf(state);
    if (key[0] !== seen[0]) editor.open(...state.picture.editor);
    const isNew = key.some((value, index) => value !== seen[index]);
    if (isNew) seen = key;
    try {
      if (isNew) await showAnew(() => seen !== key);
      else await placed();
    } catch (error) {
      say(sentence(error));
    }
  };
  let following = Promise.resolve();
  store.subscribe(["picture", "kind", "vary", "drawn", "real", "generated", "uploaded"], () => {
    following = follow();
  });
  store.subscribe(["seed", "prior", "type"], ({ vary }) => vary && settle());
  return { editor, settle, shown: () => following };
}

/**
 * What puts the mask of the form on the canvas: anew, or at another place.
 * @param {Studio} studio
 * @param {MaskEditor} editor
 * @param {() => void} redrawn
 */
function shower({ store, call }, editor, redrawn) {
  /** @type {Piece | null} */
  let piece = null;
  const measure = measurer(store, call, async (layer, isShown) => {
    const mask = await loaded(layer);
    if (!isShown()) return;
    editor.load(mask);
    redrawn();
  });
  const settle = settled(measure, REST);

  const placed = async () => {
    if (store.get().kind !== "real" || !piece) return measure();
    placePiece(editor, piece, store.get());
    redrawn();
    settle();
  };

  /** @param {() => boolean} isStale whether the canvas is to show something else by now */
  const showAnew = async (isStale) => {
    editor.piece = null;
    piece = null;
    const content = await contentOf(store.get(), call);
    if (isStale()) return;
    if ("width" in content && "picture" in content) {
      piece = content;
      placed();
    } else {
      editor.load(content.layer);
      store.patch({ strokes: strokesOf(editor) });
    }
    redrawn();
    await measure();
  };
  return { showAnew, placed, settle };
}

/**
 * What the canvas is to show until the server has told more: a placed piece, strokes or nothing.
 * @param {Readonly<State>} state
 * @param {Studio["call"]} call
 * @returns {Promise<Piece | { layer: HTMLImageElement | HTMLCanvasElement }>}
 */
async function contentOf({ kind, vary, drawn, real }, call) {
  if (kind === "real" && real.image && !vary) {
    const answer = await call("piece", { id: real.image });
    return { picture: await loaded(answer.mask), width: answer.width };
  }
  const isPainted = kind === "drawn" && !vary && drawn.layer;
  return { layer: isPainted ? await loaded(drawn.layer) : blank() };
}

/** @param {MaskEditor} editor */
const strokesOf = ({ past, future }) => ({ undoable: past.length > 0, redoable: future.length > 0 });

/**
 * Show a piece at once; the server's own pixels follow when the hand rests.
 * @param {MaskEditor} editor
 * @param {Piece} piece
 * @param {Readonly<State>} state
 */
function placePiece(editor, piece, { real, picture }) {
  const factor = piece.width / piece.picture.width / reductionOf(picture);
  const [x, y] = [real.x * editor.width, real.y * editor.height];
  editor.place(piece.picture, { ...real, x, y, scale: real.scale * factor });
}

/**
 * A function that asks what the server makes of the mask: its pixels, its size, or why nothing can be painted
 * into it.
 * @param {import("./state.js").StudioStore} store
 * @param {Studio["call"]} call
 * @param {(layer: string, isShown: () => boolean) => Promise<void>} show
 */
function measurer(store, call, show) {
  return latest(async () => {
    const state = store.get();
    const { source, seed, kind } = state;
    if (!source) return;
    let answer;
    try {
      answer = await call("mask", { source, mask: maskSpec(state), seed: Number(seed) || 0 });
    } catch (error) {
      answer = { problem: sentence(error), share: 0 };
    }
    const now = () => store.get();
    if (kind !== now().kind) return;
    const { problem, share, layer } = answer;
    const note = problem ? "" : answer.note || "";
    store.patch({ measured: { problem, note, share, box: share ? answer.box : null } });
    const isShown = () => kind === now().kind && (kind !== "drawn" || now().vary);
    if (layer && isShown()) await show(layer, isShown);
  });
}
