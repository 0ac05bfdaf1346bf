// Zoom and pan of a pane, and the room that both have. Knows views, stages and the store's zoom; does
// not know what is shown on a stage.

import { drag, find } from "../shared/dom.js";
import { BELOW, fit, inSight, isWide, paneHeight, zoomedAt } from "./geometry.js";

/**
 * @typedef {import("./geometry.js").Size} Size
 * @typedef {import("./state.js").StudioStore} StudioStore
 *
 * A pane: its view stands still, the stage in it is moved; size: of the image, null where none is shown.
 * @typedef {{ view: HTMLElement, stage: HTMLElement | null, size: Size | null }} Pane
 */

/** @param {HTMLElement} view @returns {Size} */
export const roomOf = (view) => [view.clientWidth, view.clientHeight];

/**
 * The pointer in a view; the view has a border of 1 pixel.
 * @param {HTMLElement} view
 * @param {MouseEvent} event
 */
export function placeIn(view, event) {
  const { left, top } = view.getBoundingClientRect();
  return /** @type {import("./geometry.js").Point} */ ([event.clientX - left - 1, event.clientY - top - 1]);
}

/**
 * Put the stage where the zoom has it.
 * @param {Pane} pane
 * @param {import("./geometry.js").Zoom} zoom
 * @param {number} [reduction] image pixels per pixel of what is shown
 */
export function moveStage({ view, stage, size }, { k, x, y }, reduction = 1) {
  if (!size || !stage) return;
  const { scale, left, top } = fit(size, roomOf(view));
  Object.assign(stage.style, {
    width: `${size[0] * scale}px`,
    height: `${size[1] * scale}px`,
    transform: `translate(${left + x}px, ${top + y}px) scale(${k})`,
  });
  const rendering = scale * k * reduction > 3 ? "pixelated" : "auto";
  for (const picture of stage.querySelectorAll("img, canvas")) {
    /** @type {HTMLElement} */ (picture).style.imageRendering = rendering;
  }
  stage.querySelectorAll("path").forEach((path, index) => {
    path.style.strokeWidth = `${[3.5, 1.5][index] / k}px`;
  });
}

/**
 * Let the wheel zoom a pane.
 * @param {Pane} pane
 * @param {StudioStore} store
 */
export function wireWheel(pane, store) {
  const { view } = pane;
  const turn = (/** @type {WheelEvent} */ event) => {
    if (!pane.size) return;
    event.preventDefault();
    const factor = Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015));
    const zoom = zoomedAt(store.get().zoom, pane.size, roomOf(view), placeIn(view, event), factor);
    store.patch({ zoom });
  };
  view.addEventListener("wheel", turn, { passive: false });
  view.addEventListener("contextmenu", (event) => event.preventDefault());
}

/**
 * Follow a pointer that drags the image of a pane.
 * @param {PointerEvent} event the press
 * @param {Pane} pane
 * @param {StudioStore} store
 */
export function pan(event, { view, size }, store) {
  if (!size) return;
  const from = store.get().zoom;
  view.classList.add("st-panning");
  const step = (/** @type {PointerEvent} */ now) => {
    const { k } = store.get().zoom;
    if (k === 1) return;
    const [x, y] = [from.x + now.clientX - event.clientX, from.y + now.clientY - event.clientY];
    store.patch({ zoom: inSight({ k, x, y }, size, roomOf(view)) });
  };
  drag(event, step, () => view.classList.remove("st-panning"));
}

/**
 * Give both panes the height that the image and the window ask for, and tell the store their room.
 * @param {import("./state.js").Studio} studio
 */
export function watchRoom({ root, store }) {
  const panes = find(root, ".st-panes");
  const view = find(panes, "[data-pane=mask]");
  const layout = () => {
    const { picture } = store.get();
    if (!picture || !panes.clientWidth) return;
    /** @type {Size} */
    const image = [picture.width, picture.height];
    panes.classList.toggle("st-wide", isWide(image));
    const top = panes.getBoundingClientRect().top + window.scrollY;
    const height = paneHeight(image, view.clientWidth, window.innerHeight - top - BELOW);
    panes.style.setProperty("--st-height", `${height + 2}px`);
    store.patch({ room: roomOf(view) });
  };
  store.subscribe(["picture"], layout);
  const observer = new ResizeObserver(layout);
  observer.observe(panes);
  observer.observe(find(root, ".st-tools")); // the panes lie below the tools
  window.addEventListener("resize", layout);
}
