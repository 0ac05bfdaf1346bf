// The pointer over the panes: the wheel zooms, dragging pans, a click chooses a point, a double click shows
// all. Knows the panes' views; what a chosen point shows is asked of what it is given.

import { keptInSight, pixelAt, WHOLE, zoomedAt } from "./geometry.js";
import { frontPane } from "./panes.js";

/** @typedef {import("./state.js").InspectStore} InspectStore */
/** @typedef {import("./panes.js").Grid} Grid */
/** @typedef {(x: number, y: number) => unknown} Choose a pixel of the image */

/** Pixels of the screen that a pointer moves before a press is a drag. */
const SLIP = 4;
/** Milliseconds within which a second click makes a double click. */
const DOUBLE = 180;

/**
 * @param {InspectStore} store
 * @param {Grid} grid
 * @param {Choose} choose
 */
export function wirePointer(store, grid, choose) {
  let pending = 0;
  const chooseSoon = (/** @type {number} */ x, /** @type {number} */ y) => {
    const { id } = store.get();
    clearTimeout(pending);
    pending = window.setTimeout(() => store.get().id === id && choose(x, y), DOUBLE);
  };
  for (const { view } of grid.panes) {
    view.addEventListener("wheel", (event) => turnWheel(event, view, store, grid), { passive: false });
    view.addEventListener("pointerdown", (event) => press(event, view, store, grid, chooseSoon));
    view.addEventListener("dblclick", () => {
      clearTimeout(pending);
      store.patch({ zoom: WHOLE });
    });
  }
}

/**
 * Where a pointer is in a view, in pixels of the screen from the inside of its border.
 * @param {MouseEvent} event
 * @param {HTMLElement} view
 * @returns {import("./geometry.js").Point}
 */
export function placeIn(event, view) {
  const box = view.getBoundingClientRect();
  return [event.clientX - box.left - view.clientLeft, event.clientY - box.top - view.clientTop];
}

/**
 * The size of a pane.
 * @param {Grid} grid
 * @param {import("./state.js").State} state
 */
function sizeOf(grid, state) {
  const { clientWidth, clientHeight } = frontPane(grid, state).view;
  return { width: clientWidth, height: clientHeight };
}

/** @param {WheelEvent} event @param {HTMLElement} view @param {InspectStore} store @param {Grid} grid */
function turnWheel(event, view, store, grid) {
  const { picture, fit, zoom } = store.get();
  if (!picture || !fit) return;
  event.preventDefault();
  const factor = Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015));
  const next = zoomedAt(zoom, fit, placeIn(event, view), factor);
  store.patch({ zoom: next === WHOLE ? next : keptInSight(next, fit, sizeOf(grid, store.get())) });
}

/**
 * @param {PointerEvent} event
 * @param {HTMLElement} view
 * @param {InspectStore} store
 * @param {Grid} grid
 * @param {Choose} choose
 */
function press(event, view, store, grid, choose) {
  const { picture, marking, zoom: from } = store.get();
  const isOnCover = event.target instanceof Element && event.target.closest(".vw-cover");
  // While one button paints, the middle one pans.
  const isDrawnOn = Boolean(marking) && view === grid.panes[0].view;
  if (!picture || isOnCover || event.button !== (isDrawnOn ? 1 : 0)) return;
  const place = placeIn(event, view);
  const drags = drag(event, view, (dx, dy) => {
    const { fit } = store.get();
    const moved = { k: from.k, x: from.x + dx, y: from.y + dy };
    if (fit) store.patch({ zoom: keptInSight(moved, fit, sizeOf(grid, store.get())) });
  });
  drags.then((wasDragged) => {
    const { fit, zoom, picture } = store.get();
    if (wasDragged || isDrawnOn || !fit || !picture) return;
    const [x, y] = pixelAt(place, fit, zoom).map(Math.floor);
    if (x >= 0 && y >= 0 && x < picture.width && y < picture.height) choose(x, y);
  });
}

/**
 * Follow a pointer until it is released; whether it was dragged or lost.
 * @param {PointerEvent} event
 * @param {HTMLElement} view
 * @param {(dx: number, dy: number) => void} pan
 * @returns {Promise<boolean>}
 */
function drag(event, view, pan) {
  const { clientX, clientY, pointerId } = event;
  let isDragged = false;
  view.setPointerCapture(pointerId);
  const step = (/** @type {PointerEvent} */ now) => {
    const [dx, dy] = [now.clientX - clientX, now.clientY - clientY];
    if (!isDragged && Math.hypot(dx, dy) < SLIP) return;
    isDragged = true;
    view.classList.add("vw-dragging");
    pan(dx, dy);
  };
  view.addEventListener("pointermove", step);
  return new Promise((done) => {
    const end = (/** @type {PointerEvent} */ { type }) => {
      view.removeEventListener("pointermove", step);
      view.removeEventListener("pointerup", end);
      view.removeEventListener("pointercancel", end);
      view.classList.remove("vw-dragging");
      done(isDragged || type === "pointercancel");
    };
    view.addEventListener("pointerup", end);
    view.addEventListener("pointercancel", end);
  });
}
