// The image that the region is drawn on: pointers become rectangles and strokes; what lies outside is dark.
// Knows the drawing and the store, not the server.

import { drag, make } from "../shared/dom.js";
import { loadingHidden } from "../shared/pictures.js";
import { drawingOn } from "./drawing.js";
import { drawShade } from "./shade.js";

const HELP = "Image to draw the region of interest on. R: rectangle, B: brush, E: eraser, Control+Z: undo";

/** @typedef {import("../shared/mask_editor.js").Point} Point */

/**
 * The stage and the drawing on it.
 * @param {import("./state.js").RegionStore} store
 */
export function stagePane(store) {
  const picture = make("img", { class: "rg-picture", alt: "", draggable: "false" });
  const canvas = make("canvas", { class: "rg-drawn", width: 1, height: 1 });
  const shade = make("canvas", { class: "rg-shade", width: 1, height: 1 });
  const box = make("div", { class: "rg-box", hidden: true });
  const cursor = make("div", { class: "rg-cursor", hidden: true });
  const stage = make(
    "div",
    { class: "rg-stage", tabindex: "0", role: "application", "aria-label": HELP },
    ...[picture, canvas, shade, box, cursor],
  );
  loadingHidden(stage);
  const drawing = drawingOn(canvas, store);
  wirePointers(store, drawing.editor, { stage, box, cursor });

  const shadeAgain = () => {
    const { drawn, proposal } = store.get();
    canvas.hidden = Boolean(proposal);
    const region = drawn.empty ? null : canvas;
    drawShade(shade, proposal ? proposal.layer : region, stage.clientWidth);
  };
  store.subscribe(["tool"], ({ tool }) => stage.classList.toggle("rg-brushing", tool !== "rectangle"));
  store.subscribe(["picture"], ({ picture: look }) => {
    if (!look) return;
    picture.src = look.picture;
    picture.alt = `${look.name}, ${look.label}`;
    stage.style.setProperty("--rg-aspect", String(look.size[0] / look.size[1]));
  });
  store.subscribe(["drawn", "proposal"], shadeAgain);

  /**
   * Begin with the region as it is.
   * @param {[width: number, height: number]} size
   * @param {import("../shared/mask_editor.js").Picture} layer
   */
  const open = ([width, height], layer) => {
    Object.assign(shade, { width, height });
    drawing.editor.open(width, height);
    drawing.editor.load(layer);
    drawing.tell();
  };
  return { stage, drawing, open };
}

/**
 * @param {import("./state.js").RegionStore} store
 * @param {import("../shared/mask_editor.js").MaskEditor} editor
 * @param {{ stage: HTMLElement, box: HTMLElement, cursor: HTMLElement }} parts
 */
function wirePointers(store, editor, { stage, box, cursor }) {
  /** @param {PointerEvent} event @returns {Point} */
  const at = (event) => {
    const { left, top, width, height } = stage.getBoundingClientRect();
    const [x, y] = [(event.clientX - left) / width, (event.clientY - top) / height];
    return [x * editor.width, y * editor.height];
  };

  /** @param {PointerEvent} event */
  const hover = (event) => {
    const { tool, proposal, picture, brush } = store.get();
    cursor.hidden = tool === "rectangle" || Boolean(proposal) || !picture;
    if (cursor.hidden || !picture) return;
    const { left, top, width } = stage.getBoundingClientRect();
    const across = `${Math.max(3, (brush * width) / picture.size[0])}px`;
    const place = { left: `${event.clientX - left}px`, top: `${event.clientY - top}px` };
    Object.assign(cursor.style, { ...place, width: across, height: across });
  };

  stage.addEventListener("pointermove", hover);
  stage.addEventListener("pointerleave", () => (cursor.hidden = true));
  stage.addEventListener("pointerdown", (event) => {
    const { tool, brush, proposal, busy, picture } = store.get();
    if (event.button || proposal || busy || !picture) return;
    stage.focus({ preventScroll: true });
    if (tool === "rectangle") {
      dragRectangle(event, editor, box, at);
      return;
    }
    const radius = Math.max(0.5, ((brush / 2) * editor.width) / picture.size[0]);
    editor.begin(at(event), radius, tool === "eraser");
    const extend = (/** @type {PointerEvent} */ now) => {
      const points = now.getCoalescedEvents?.() || [];
      editor.extend((points.length ? points : [now]).map(at));
      hover(now);
    };
    drag(event, extend, () => editor.end());
  });
}

/**
 * @param {PointerEvent} event the press
 * @param {import("../shared/mask_editor.js").MaskEditor} editor
 * @param {HTMLElement} box shows the rectangle meanwhile
 * @param {(event: PointerEvent) => Point} at
 */
function dragRectangle(event, editor, box, at) {
  const from = at(event);
  let to = from;
  const step = (/** @type {PointerEvent} */ now) => {
    const [x, y] = at(now);
    to = [Math.min(Math.max(x, 0), editor.width), Math.min(Math.max(y, 0), editor.height)];
    const across = (/** @type {number} */ value) => `${(100 * value) / editor.width}%`;
    const down = (/** @type {number} */ value) => `${(100 * value) / editor.height}%`;
    box.hidden = false;
    Object.assign(box.style, {
      left: across(Math.min(from[0], to[0])),
      top: down(Math.min(from[1], to[1])),
      width: across(Math.abs(to[0] - from[0])),
      height: down(Math.abs(to[1] - from[1])),
    });
  };
  drag(event, step, () => {
    box.hidden = true;
    const wide = Math.round(to[0]) !== Math.round(from[0]);
    const high = Math.round(to[1]) !== Math.round(from[1]);
    if (wide && high) editor.rectangle(from, to, event.shiftKey);
  });
}
