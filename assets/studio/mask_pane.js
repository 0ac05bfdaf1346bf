// The pane on the left: the mask on its normal image. Pointers paint, or move, turn and scale a placed piece.
// Knows the mask editor and the store; does not know prompts, engines or the server.

import { drag, find } from "../shared/dom.js";
import { dragged, fit, pixelAt, placeOf, WHOLE, zoomedTo } from "./geometry.js";
import { maskCanvas } from "./mask_canvas.js";
import { brushOn, modeOf, placedAt, reductionOf } from "./masks.js";
import { polygonTool } from "./mask_polygon.js";
import { moveStage, pan, placeIn, roomOf, wireWheel } from "./zooming.js";

/**
 * @typedef {import("./geometry.js").Point} Point
 * @typedef {import("./geometry.js").Size} Size
 * @typedef {import("./state.js").StudioStore} StudioStore
 * @typedef {import("../shared/mask_editor.js").MaskEditor} MaskEditor
 */

/** Pixels of the screen between a placed piece and the knob that turns it. */
const KNOB = 28;

/**
 * @param {import("./state.js").Studio} studio
 * @returns {{ editor: MaskEditor, zoomToMask: () => Promise<void>, shown: () => Promise<void> }}
 */
export function maskPane(studio) {
  const { root, store } = studio;
  const view = find(root, "[data-pane=mask]");
  const stage = find(view, ".st-stage");
  const base = find(view, ".st-base", HTMLImageElement);
  /** @type {import("./zooming.js").Pane} */
  const pane = { view, stage, size: null };
  const frame = () => {
    drawFrame(view, store, editor);
    drawCorners(view, store, polygon.corners());
  };
  const move = () => {
    moveStage(pane, store.get().zoom, reductionOf(store.get().picture));
    frame();
  };

  store.subscribe(["picture"], ({ picture }) => {
    if (!picture) return;
    pane.size = [picture.width, picture.height];
    base.src = picture.image;
  });
  const { editor, settle, shown } = maskCanvas(studio, find(view, ".st-mask", HTMLCanvasElement), () =>
    frame(),
  );
  const polygon = polygonTool(store, editor, frame);
  store.subscribe(["picture", "zoom", "room"], move);
  store.subscribe(["kind", "vary", "real", "tool"], (state) => {
    const mode = modeOf(state);
    view.classList.toggle("st-painting", mode === "brush" || mode === "eraser");
    view.classList.toggle("st-placing", mode === "place");
    frame();
  });
  store.subscribe(["space"], ({ space }) => view.classList.toggle("st-panning", space));
  wireWheel(pane, store);
  wirePress(pane, store, editor, polygon, settle);
  wireCursor(view, store);

  const zoomToMask = async () => {
    await shown(); // where the mask lies may be on its way
    const { zoom, measured, picture } = store.get();
    const { box } = measured;
    const to = zoom.k === 1 && box && picture;
    store.patch({ zoom: to ? zoomedTo(box, [picture.width, picture.height], roomOf(view)) : WHOLE });
  };
  const button = find(root, ".st-close", HTMLButtonElement);
  button.addEventListener("click", zoomToMask);
  store.subscribe(["measured"], ({ measured }) => (button.disabled = !measured.box));
  return { editor, zoomToMask, shown };
}

/** How the image lies in the view. @param {HTMLElement} view @param {StudioStore} store */
function fitted(view, store) {
  const { picture } = store.get();
  return fit([picture?.width || 1, picture?.height || 1], roomOf(view));
}

/**
 * The mask pixel under a pointer.
 * @param {HTMLElement} view
 * @param {StudioStore} store
 * @param {MouseEvent} event
 */
function pixelUnder(view, store, event) {
  const { zoom, picture } = store.get();
  return pixelAt(placeIn(view, event), fitted(view, store), zoom, reductionOf(picture));
}

/**
 * @param {import("./zooming.js").Pane} pane
 * @param {StudioStore} store
 * @param {MaskEditor} editor
 * @param {ReturnType<typeof polygonTool>} polygon
 * @param {() => void} settle
 */
function wirePress(pane, store, editor, polygon, settle) {
  const { view } = pane;
  view.addEventListener("pointerdown", (event) => {
    const state = store.get();
    const target = /** @type {Element} */ (event.target);
    if (!state.picture || target.closest("button, a, label")) return;
    // Return the focus, so that the editor's keys work again.
    if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
    const mode = modeOf(state);
    if (event.button !== 0 || state.space || mode === "none") pan(event, pane, store);
    else if (mode === "place") dragPiece(event, view, store, editor, settle);
    else if (mode === "polygon") {
      const scale = fitted(view, store).scale * state.zoom.k * reductionOf(state.picture);
      polygon.press(pixelUnder(view, store, event), scale, event.detail > 1);
    } else {
      const radius = Math.max(0.5, brushOn(state) / reductionOf(state.picture) / 2);
      editor.begin(pixelUnder(view, store, event), radius, mode === "eraser");
      const extend = (/** @type {PointerEvent} */ now) => {
        const points = now.getCoalescedEvents?.() || [];
        editor.extend((points.length ? points : [now]).map((point) => pixelUnder(view, store, point)));
      };
      drag(event, extend, () => editor.end());
    }
  });
}

/**
 * A piece is moved, and by its handles turned and sized; a shape without handles is moved.
 * @param {PointerEvent} event the press
 * @param {HTMLElement} view
 * @param {StudioStore} store
 * @param {MaskEditor} editor
 * @param {() => void} settle
 */
function dragPiece(event, view, store, editor, settle) {
  const { classList } = /** @type {Element} */ (event.target);
  const handle = classList.contains("st-turn") ? "turn" : classList.contains("st-size") ? "size" : "move";
  const from = pixelUnder(view, store, event);
  const state = store.get();
  const placed = state.kind === "generated" ? state.generated : state.real;
  const step = (/** @type {PointerEvent} */ now) => {
    const to = pixelUnder(view, store, now);
    const change = dragged(handle, placed, from, to, [editor.width, editor.height], now.shiftKey);
    store.patch(placedAt(store.get(), change));
  };
  drag(event, step, settle);
}

/**
 * The circle that shows the brush.
 * @param {HTMLElement} view
 * @param {StudioStore} store
 */
function wireCursor(view, store) {
  const cursor = find(view, ".st-brush");
  /** @type {Point | null} */
  let pointer = null;
  const show = () => {
    const state = store.get();
    if (!pointer || !state.picture) return;
    const size = Math.max(3, brushOn(state) * fitted(view, store).scale * state.zoom.k);
    const [left, top] = pointer;
    Object.assign(cursor.style, {
      left: `${left}px`,
      top: `${top}px`,
      width: `${size}px`,
      height: `${size}px`,
    });
    cursor.classList.toggle("st-erasing", state.tool === "eraser");
  };
  const hover = (/** @type {MouseEvent} */ event) => {
    const state = store.get();
    const isPainting = ["brush", "eraser"].includes(modeOf(state));
    cursor.hidden = !isPainting || !state.picture || state.space;
    if (cursor.hidden) return;
    pointer = placeIn(view, event);
    show();
  };
  view.addEventListener("pointermove", hover);
  view.addEventListener("wheel", hover);
  view.addEventListener("pointerleave", () => (cursor.hidden = true));
  store.subscribe(["brush", "zoom"], show);
  store.subscribe(["kind", "vary", "real", "tool"], () => (cursor.hidden = true));
  store.subscribe(["space"], ({ space }) => space && (cursor.hidden = true));
}

/**
 * The box around a placed piece with its two handles.
 * @param {HTMLElement} view
 * @param {StudioStore} store
 * @param {MaskEditor} editor
 */
function drawFrame(view, store, editor) {
  const frame = find(view, ".st-frame", SVGSVGElement);
  const { zoom, picture } = store.get();
  const fitting = fitted(view, store);
  const reduction = reductionOf(picture);
  const lines = editor.frame(KNOB / (fitting.scale * zoom.k * reduction));
  if (modeOf(store.get()) !== "place" || !lines || !picture) {
    frame.replaceChildren();
    return;
  }
  const seen = lines.corners.map((corner) => placeOf(corner, fitting, zoom, reduction));
  const [kx, ky] = placeOf(lines.knob, fitting, zoom, reduction);
  const middle = [(seen[0][0] + seen[1][0]) / 2, (seen[0][1] + seen[1][1]) / 2];
  const d = `M${seen.map((point) => point.join(" ")).join("L")}ZM${middle.join(" ")}L${kx} ${ky}`;
  const [x, y] = [seen[2][0] - 5, seen[2][1] - 5];
  frame.replaceChildren(
    svgPart("path", { d }),
    svgPart("circle", { class: "st-turn", cx: kx, cy: ky, r: 6 }),
    svgPart("rect", { class: "st-size", x, y, width: 10, height: 10, rx: 2 }),
  );
}

/** The corners of a polygon that is not closed yet. @param {HTMLElement} view @param {StudioStore} store @param {Point[]} corners */
function drawCorners(view, store, corners) {
  if (!corners.length) return;
  const { zoom, picture } = store.get();
  const seen = corners.map((corner) => placeOf(corner, fitted(view, store), zoom, reductionOf(picture)));
  const d = `M${seen.map((point) => point.join(" ")).join("L")}`;
  const dots = seen.map(([cx, cy]) => svgPart("circle", { cx, cy, r: 4 }));
  find(view, ".st-frame", SVGSVGElement).replaceChildren(svgPart("path", { d }), ...dots);
}

/** @param {string} tag @param {Record<string, string | number>} attributes */
function svgPart(tag, attributes) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, String(value));
  return node;
}
