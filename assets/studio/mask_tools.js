// The row above the panes: where the mask comes from, and the tools of that kind. Knows the store, the
// mask editor for Undo, Redo and Clear, and what asks the server for masks.

import { find, make } from "../shared/dom.js";
import { grown, withoutHoles } from "../shared/mask_shapes.js";
import { plain, small } from "../shared/parts.js";
import { borrowTools } from "./borrow_tools.js";
import { tieCheck } from "./fields.js";
import { brushAt, brushOn, KINDS, modeOf, starts, stepOf } from "./masks.js";
import { all, drawSeed, mark } from "./parts.js";
import { showSliders, sliderRow } from "./sliders.js";

/**
 * @typedef {import("./state.js").Studio} Studio
 * @typedef {import("./state.js").Kind} Kind
 * @typedef {import("../shared/mask_editor.js").MaskEditor} MaskEditor
 * @typedef {import("./donors.js").MaskSources} MaskSources
 */

/**
 * @param {Studio} studio
 * @param {MaskEditor} editor
 * @param {MaskSources} sources
 */
export function maskTools(studio, editor, sources) {
  const { root, store } = studio;
  const box = find(root, ".st-tools");
  const kinds = all(root, ".st-kinds button");
  /** @type {Record<Kind, () => HTMLElement[]>} */
  const tools = {
    drawn: () => drawTools(studio, editor),
    real: () => borrowTools(studio, sources),
    generated: () => shapeTools(studio, sources),
    uploaded: () => uploadTools(studio, sources),
  };
  const showValues = () => {
    showSliders(box, store.get());
    showBrush(box, store.get());
    showStrokes(box, store.get());
  };
  const show = () => {
    const { kind } = store.get();
    mark(kinds, "aria-selected", ({ dataset }) => dataset.kind === kind);
    find(root, ".st-kindhelp").textContent = KINDS[kind];
    box.replaceChildren(...tools[kind]());
    showValues();
  };
  for (const button of kinds) {
    button.addEventListener("click", () => store.patch({ kind: /** @type {Kind} */ (button.dataset.kind) }));
  }
  tieCheck(studio, ".st-vary", "vary");
  tieCheck(studio, ".st-prior", "prior");
  const choosesPlace = (/** @type {{ vary: boolean }} */ { vary }) =>
    (find(root, ".st-where-known").hidden = !vary);
  store.subscribe(["vary"], choosesPlace);
  choosesPlace(store.get());
  store.subscribe(["kind", "picture", "donors", "uploaded", "shapes"], show);
  store.subscribe(["real"], ({ real }) => {
    mark(all(box, ".st-donors button"), "aria-selected", ({ dataset }) => (dataset.id ?? "") === real.image);
  });
  store.subscribe(["real", "generated", "fromTest", "vary", "tool", "brush", "drawn", "strokes"], showValues);
}

/** Choose a tool, and go to painting. @param {Studio} studio @param {import("./state.js").Tool} tool */
export const pickTool = ({ store }, tool) => store.patch({ tool, kind: "drawn" });

/** @param {Studio} studio @param {MaskEditor} editor */
function drawTools(studio, editor) {
  const { store } = studio;
  const range = make("input", {
    type: "range",
    class: "st-brushrange",
    min: 0,
    max: 100,
    step: 1,
    "aria-label": "Brush size in image pixels",
  });
  range.addEventListener("input", () =>
    store.patch({ brush: brushAt(Number(range.value), store.get().picture) }),
  );
  const output = make("output", { class: "st-brushpx" });
  const size = make("label", { class: "st-slider st-brushsize" }, make("span", {}, "Size"), output, range);
  const button = (/** @type {import("./state.js").Tool} */ tool, /** @type {string} */ words) => {
    const title = `${words} (${words[0]})`;
    const onclick = () => pickTool(studio, tool);
    return make("button", { type: "button", "data-tool": tool, title, onclick }, words);
  };
  const brushes = make(
    "div",
    { class: "st-switch", role: "group", "aria-label": "Tool" },
    ...[button("brush", "Brush"), button("eraser", "Eraser"), button("polygon", "Polygon")],
  );
  const act = (/** @type {"undo" | "redo" | "clear"} */ name, /** @type {string} */ title) => {
    const words = name[0].toUpperCase() + name.slice(1);
    return plain(words, () => editor[name](), { class: `plain-button st-${name}`, title });
  };
  const acts = [
    act("undo", "Undo the last stroke (Ctrl+Z)"),
    act("redo", "Redo the last stroke (Ctrl+Shift+Z)"),
    act("clear", "Clear the mask; Undo restores it"),
  ];
  return [
    make("div", { class: "st-row" }, brushes, size, make("span", { class: "st-space" }), ...acts),
    make("div", { class: "st-row st-shaping" }, ...shaping(editor)),
  ];
}

/** Pixels by which a mask grows or shrinks at a click. */
const STEP = 2;

/** Buttons that change the whole mask. @param {MaskEditor} editor */
const shaping = (editor) => [
  small("Grow", () => editor.reshape((...mask) => grown(...mask, STEP)), {
    title: "Wider by 2 pixels all around",
  }),
  small("Shrink", () => editor.reshape((...mask) => grown(...mask, -STEP)), {
    title: "Narrower by 2 pixels",
  }),
  small("Fill holes", () => editor.reshape(withoutHoles), { title: "Fill what the mask encloses" }),
  make(
    "span",
    { class: "st-quiet" },
    "Polygon: click corners; a double-click or Enter closes it, Esc discards it.",
  ),
];

/** @param {ParentNode} box @param {Readonly<import("./state.js").State>} state */
function showBrush(box, state) {
  const mode = modeOf(state);
  mark(all(box, "[data-tool]"), "aria-pressed", ({ dataset }) => dataset.tool === mode);
  const range = /** @type {HTMLInputElement | null} */ (box.querySelector(".st-brushrange"));
  if (!range) return;
  const size = brushOn(state);
  range.value = String(stepOf(size, state.picture));
  find(box, ".st-brushpx").textContent = `${Math.round(size)} px`;
}

/** @param {ParentNode} box @param {Readonly<import("./state.js").State>} state */
function showStrokes(box, { strokes, drawn }) {
  const usable = { undo: strokes.undoable, redo: strokes.redoable, clear: Boolean(drawn.layer) };
  for (const [name, is] of Object.entries(usable)) {
    const button = /** @type {HTMLButtonElement | null} */ (box.querySelector(`.st-${name}`));
    if (button) button.disabled = !is;
  }
}

/** @param {MaskSources} sources */
const paintButton = ({ paintOnIt }) =>
  plain("Paint on it", () => paintOnIt(), { title: "Continue with brush and eraser" });

/** @param {Studio} studio @param {MaskSources} sources */
function shapeTools({ root, store }, sources) {
  const change = (/** @type {object} */ more) => {
    const { generated } = store.get();
    store.patch({ generated: { ...generated, ...more } });
  };
  const choose = (/** @type {string} */ shape) => {
    const { x, y, seed } = store.get().generated;
    store.patch({ generated: { ...starts(store.get().shapes[shape]), shape, x, y, seed } });
  };
  const buttons = Object.keys(store.get().shapes).map((shape) => {
    const words = shape[0].toUpperCase() + shape.slice(1);
    return make("button", { type: "button", "data-shape": shape, onclick: () => choose(shape) }, words);
  });
  const title = "Another random shape with the same sliders";
  const first = make(
    "div",
    { class: "st-row" },
    make("div", { class: "st-switch", role: "group", "aria-label": "Shape" }, ...buttons),
    make("span", { class: "st-space" }),
    plain("Another", () => change({ seed: drawSeed(root) }), { title }),
    paintButton(sources),
  );
  return [first, make("div", { class: "st-row", style: "margin-top: 8px" }, sliderRow(store))];
}

/** @param {Studio} studio @param {MaskSources} sources */
function uploadTools({ store }, sources) {
  const { name, file } = store.get().uploaded;
  const input = make("input", { type: "file", class: "st-file", hidden: true });
  input.addEventListener("change", () => sources.takeFile(input.files?.[0]));
  const words = name || "PNG, BMP, TIFF or JPEG, the same size as the image; or drop it on the image.";
  const row = make(
    "div",
    { class: "st-row" },
    plain("Choose a mask file…", () => input.click()),
    input,
    make("span", { class: "st-quiet" }, words),
    make("span", { class: "st-space" }),
    file && paintButton(sources),
  );
  return [row];
}
