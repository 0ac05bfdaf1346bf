// The four panes and the scales of their colours: one grid, in which all panes have one size and one zoom.
// Knows where the image lies; what is drawn in a pane or written above and below it others put there.

import { find, make } from "../shared/dom.js";
import { fitted, paneHeight, placeOf, visibleColumns, WHOLE } from "./geometry.js";
import { all, press } from "./parts.js";

/**
 * @typedef {object} Pane
 * @property {number} number 1 to 4
 * @property {string} title
 * @property {HTMLElement} head
 * @property {HTMLElement} view what the image is seen through
 * @property {HTMLElement} stage what lies on the image; it is moved and enlarged
 * @property {HTMLElement} mark the cross at the point that was chosen
 * @property {HTMLElement} note
 *
 * @typedef {{ head: HTMLElement, scale: HTMLElement, note: HTMLElement }} ScaleColumn
 * @typedef {{ panes: Pane[], score: ScaleColumn, difference: ScaleColumn, columns: HTMLElement[][] }} Grid
 * @typedef {import("./state.js").State} State
 */

/**
 * @param {HTMLElement} viewer
 * @returns {Grid}
 */
export function buildGrid(viewer) {
  const panes = ["Image", "PatchCore", "ExDD", "Difference"].map((title, at) => pane(at + 1, title));
  const score = scaleColumn("score");
  const difference = scaleColumn("difference");
  const [first, second, third, fourth] = panes.map(({ head, view, note }) => [head, view, note]);
  const [scores, differences] = [score, difference].map(({ head, scale, note }) => [head, scale, note]);
  const columns = [first, second, third, scores, fourth, differences];
  find(viewer, ".vw-panes").append(...columns.flat());
  return { panes, score, difference, columns };
}

/** @param {number} number @param {string} title @returns {Pane} */
function pane(number, title) {
  const stage = make("div", { class: "vw-stage" });
  const mark = make("div", { class: "vw-mark", hidden: true });
  const view = make("div", { class: "vw-view", "data-pane": number }, stage, mark);
  const head = make("div", { class: "vw-head" });
  return { number, title, stage, mark, view, head, note: make("div", { class: "vw-note" }) };
}

/** @param {string} name @returns {ScaleColumn} */
const scaleColumn = (name) => ({
  head: make("div", { class: "vw-head" }),
  scale: make("div", { class: `vw-scale vw-scale-${name}` }),
  note: make("div", { class: "vw-note" }),
});

/** Where there is room for one pane alone, as in narrow.css: ExDD's until another is chosen. */
const narrow = matchMedia("(max-width: 899px)");
const FIRST_ALONE = 3;

/** The pane that is seen in any case. @param {Grid} grid @param {State} state */
export const frontPane = ({ panes }, { solo, marking }) => panes[solo && !marking ? solo - 1 : 0];

/**
 * Keep the panes as large as there is room, and the image where it is looked at. To be called after
 * everything that takes room has subscribed.
 * @param {import("./state.js").Inspect} inspect
 * @param {Grid} grid
 */
export function layoutPane({ viewer, store }, grid) {
  let isByItself = false; // whether one pane is alone for want of room
  let shape = { width: 1, height: 1 }; // of the image that is shown, or was before: a wait moves nothing
  const layout = () => {
    const isNarrow = viewer.clientWidth > 0 && narrow.matches;
    if (isNarrow && !store.get().solo) {
      isByItself = true;
      return store.patch({ solo: FIRST_ALONE });
    }
    if (!isNarrow && isByItself && viewer.clientWidth) {
      isByItself = false;
      return store.patch({ solo: 0 });
    }
    shape = store.get().picture || shape;
    const fit = fitPanes(viewer, grid, store.get(), shape);
    if (fit) store.patch({ fit });
  };
  const reset = find(viewer, ".vw-reset", HTMLButtonElement);
  const move = () => {
    const { zoom } = store.get();
    movePanes(grid, store.get());
    reset.disabled = zoom.k === 1 && !zoom.x && !zoom.y;
  };
  store.subscribe(["fit", "zoom", "point", "picture"], move);
  store.subscribe(["order", "picture", "pictured", "values", "solo", "marking"], layout);
  for (const button of all(viewer, ".vw-panepick button"))
    button.addEventListener("click", () => store.patch({ solo: Number(button.dataset.solo), zoom: WHOLE }));
  store.subscribe(["solo"], ({ solo }) => press(find(viewer, ".vw-panepick"), "solo", String(solo)));
  reset.addEventListener("click", () => store.patch({ zoom: WHOLE }));
  new ResizeObserver(layout).observe(viewer);
  window.addEventListener("resize", layout);
  layout();
}

/**
 * Show the columns that are wanted, and say where the image lies; nothing where the page is not seen.
 * @param {HTMLElement} viewer
 * @param {Grid} grid
 * @param {State} state
 * @param {{ width: number, height: number }} image
 */
function fitPanes(viewer, grid, state, image) {
  const { solo, marking, values } = state;
  const box = find(viewer, ".vw-panes");
  box.dataset.solo = marking ? "mark" : String(solo || "");
  box.dataset.values = values;
  const visible = visibleColumns(solo, Boolean(marking), narrow.matches);
  grid.columns.forEach((items, column) => items.forEach((item) => (item.hidden = !visible.includes(column))));
  const width = frontPane(grid, state).view.clientWidth;
  if (!width) return null;
  const top = box.getBoundingClientRect().top + window.scrollY;
  const isAlone = Boolean(marking || solo);
  const height = paneHeight({ image, width, top, screen: window.innerHeight, isAlone });
  box.style.setProperty("--vw-height", `${height + 2}px`);
  const fit = fitted(image, { width, height });
  for (const { stage } of grid.panes)
    Object.assign(stage.style, { width: `${fit.width}px`, height: `${fit.height}px` });
  return fit;
}

/** @param {Grid} grid @param {State} state */
function movePanes({ panes }, { fit, zoom, point, picture }) {
  if (!fit) return;
  const isSharp = fit.scale * zoom.k * (picture ? picture.reduced : 1) > 3;
  for (const { stage, mark } of panes) {
    stage.style.transform = `translate(${fit.left + zoom.x}px, ${fit.top + zoom.y}px) scale(${zoom.k})`;
    stage.style.setProperty("--vw-zoom", String(zoom.k));
    const base = stage.querySelector("img");
    if (base) base.style.imageRendering = isSharp ? "pixelated" : "auto";
    mark.hidden = !point || point.isPeak; // show only the box: a cross would hide a small defect
    if (!point) continue;
    const [left, top] = placeOf(point, fit, zoom);
    Object.assign(mark.style, { left: `${left}px`, top: `${top}px` });
  }
}
