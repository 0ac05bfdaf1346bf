// A result and its original in one view: the handle between them, outlines, zoom. Knows pictures and
// the store's zoom, share and outline; does not know candidates.

import { drag, drawing, find, make } from "../shared/dom.js";
import { polygon } from "../shared/words.js";
import { fit, WHOLE } from "./geometry.js";
import { all } from "./parts.js";
import { moveStage, pan, placeIn, roomOf, wireWheel } from "./zooming.js";

/**
 * @typedef {import("./state.js").StudioStore} StudioStore
 * @typedef {import("./zooming.js").Pane} Pane
 *
 * Addresses of pictures, and lines in pixels of an image of this width and height; label: what
 * stands on the left.
 * @typedef {object} Shown
 * @property {string} [before]
 * @property {string} [label]
 * @property {string} after
 * @property {number} width
 * @property {number} height
 * @property {[x: number, y: number][][]} [outline]
 */

/** @param {HTMLElement} view @param {StudioStore} store */
export function resultView(view, store) {
  /** @type {Pane} */
  const pane = { view, stage: null, size: null };
  const cut = () => showCut(pane, store.get());
  const move = () => {
    moveStage(pane, store.get().zoom);
    cut();
  };
  const slide = (/** @type {number} */ share) => store.patch({ share: Math.min(1, Math.max(0, share)) });

  /** @param {Shown} shown */
  const show = ({ before, label = "", after, width, height, outline = [] }) => {
    const lines = polygon(outline);
    const svg = drawing(width, height, ["", lines], ["", lines]);
    svg.classList.add("st-outlines");
    const stage = make("div", { class: "st-stage" });
    if (before) stage.append(picture(before, "st-beforepicture"));
    stage.append(picture(after, "st-afterpicture"), svg);
    const side = (/** @type {string} */ name, /** @type {string} */ words) =>
      make("span", { class: `st-side ${name}` }, words);
    const over = [side("st-before", label), side("st-after", "Result"), split(label, store, slide)];
    view.replaceChildren(stage, ...(before ? over : []));
    Object.assign(pane, { stage, size: [width, height] });
    move();
  };

  /** A picture on its way. @param {string} address @param {number} width @param {number} height */
  const showGrowing = (address, width, height) => {
    const shown = /** @type {HTMLImageElement | null} */ (view.querySelector(".st-growing"));
    if (shown) {
      shown.src = address;
      return;
    }
    show({ after: address, width, height });
    find(view, "img").classList.add("st-growing");
  };

  const showEmpty = (/** @type {HTMLElement[]} */ ...words) => {
    Object.assign(pane, { stage: null, size: null });
    view.replaceChildren(make("div", { class: "st-empty" }, ...words));
  };

  wireWheel(pane, store);
  wirePointers(pane, store, slide);
  store.subscribe(["zoom", "room"], move);
  store.subscribe(["share", "outlined"], cut);
  const isGrowing = () => view.querySelector(".st-growing") !== null;
  const showHeat = (/** @type {string} */ map) => layHeat(pane, map, cut);
  return { show, showGrowing, showHeat, showEmpty, isGrowing };
}

/** Lay a heatmap over the result; "" for none. @param {Pane} pane @param {string} map @param {() => void} cut */
function layHeat({ view, stage }, map, cut) {
  view.querySelector(".st-heatmap")?.remove();
  if (!map || !stage) return;
  stage.querySelector(".st-afterpicture")?.after(picture(map, "st-heatmap"));
  cut();
}

/** @param {string} src @param {string} name */
const picture = (src, name) => make("img", { class: name, src, alt: "", draggable: "false" });

/** @param {Pane} pane @param {StudioStore} store @param {(share: number) => void} slide */
function wirePointers(pane, store, slide) {
  const { view } = pane;
  const follow = (/** @type {PointerEvent} */ event) => {
    const [from, to] = visible(pane, store.get().zoom);
    slide((placeIn(view, event)[0] - from) / (to - from));
  };
  view.addEventListener("pointerdown", (event) => {
    const target = /** @type {Element} */ (event.target);
    if (target.closest(".st-split")) {
      follow(event);
      drag(event, follow);
    } else if (!target.closest("button, a")) pan(event, pane, store);
  });
  view.addEventListener("dblclick", () => store.patch({ zoom: WHOLE }));
}

/**
 * From where to where a pane shows the result, in pixels across.
 * @param {Pane} pane
 * @param {import("./geometry.js").Zoom} zoom
 */
function visible({ view, size }, { k, x }) {
  if (!size) return [0, 1];
  const { scale, left } = fit(size, roomOf(view));
  return [Math.max(0, left + x), Math.min(view.clientWidth, left + x + size[0] * scale * k)];
}

/** @param {string} label @param {StudioStore} store @param {(share: number) => void} slide */
function split(label, store, slide) {
  const handle = make("div", {
    class: "st-split",
    role: "slider",
    tabindex: "0",
    "aria-label": `Share of the pane that shows: ${label}`,
    "aria-valuemin": "0",
    "aria-valuemax": "100",
    "aria-valuenow": "50",
  });
  /** @type {Record<string, number>} */
  const steps = { ArrowLeft: -0.05, ArrowRight: 0.05, Home: -1, End: 1 };
  handle.addEventListener("keydown", (event) => {
    const step = steps[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    slide(store.get().share + step);
  });
  return handle;
}

/**
 * Show the result to the right of the handle.
 * @param {Pane} pane
 * @param {Readonly<import("./state.js").State>} state
 */
function showCut(pane, { zoom, share, outlined }) {
  const { view, stage, size } = pane;
  const handle = /** @type {HTMLElement | null} */ (view.querySelector(".st-split"));
  if (!stage || !size || !handle) return;
  const { scale, left } = fit(size, roomOf(view));
  const [from, to] = visible(pane, zoom);
  const place = from + share * (to - from);
  const at = (place - left - zoom.x) / (size[0] * scale * zoom.k);
  for (const over of all(stage, ".st-afterpicture, .st-heatmap")) {
    over.style.clipPath = `inset(0 0 0 ${Math.min(1, Math.max(0, at)) * 100}%)`;
  }
  handle.style.left = `${place}px`;
  handle.setAttribute("aria-valuenow", String(Math.round(share * 100)));
  find(view, ".st-before").hidden = share < 0.2;
  find(view, ".st-after").hidden = share > 0.8;
  find(stage, ".st-outlines", SVGSVGElement).style.display = outlined ? "" : "none";
}
