// The regions that ExDD found: their outlines in its pane, and a table below. A click on a row zooms there.
// Knows its own elements and ExDD's pane, and does not ask the server.

import { drawing, find, make } from "../shared/dom.js";
import { counted } from "../shared/words.js";
import { zoomedTo } from "./geometry.js";
import { frontPane } from "./panes.js";
import { choosePoint } from "./point.js";
import { isLoading } from "./state.js";
import { fixed, percent } from "./words.js";

/**
 * A region in pixels of the image. peak, mean: calibrated. nearest_type: null where no defect is known.
 * @typedef {object} Region
 * @property {[x0: number, y0: number, x1: number, y1: number]} box
 * @property {[x: number, y: number][][]} contour closed lines along the edges of pixels
 * @property {number} area in pixels
 * @property {number | null} area_mm2
 * @property {number} peak
 * @property {number} mean
 * @property {[x: number, y: number]} at
 * @property {string | null} nearest_type
 * @property {number | null} probability
 */

const EXDD = 2;
const HEADS = ["Place", "Area", "Peak", "Mean", "Nearest type", "Probability"];
/** Regions that are listed; the highest peaks come first. */
const MOST = 12;

/**
 * @param {import("./state.js").Inspect} inspect
 * @param {import("./panes.js").Grid} grid
 */
export function regionsPane(inspect, grid) {
  const { viewer, store } = inspect;
  const box = find(viewer, ".vw-regions");
  store.subscribe(["picture", "pictured", "result", "match"], (state) => {
    if (isLoading(state)) return;
    const { stage } = grid.panes[EXDD];
    stage.querySelector(".vw-outlines")?.remove();
    box.replaceChildren();
    const { result, picture, match } = state;
    if (!result || !picture) return;
    const paths = result.regions.map(
      ({ contour }) => `M${contour.map((line) => line.join("L")).join("ZM")}Z`,
    );
    const outlines = drawing(
      picture.width,
      picture.height,
      ["vw-halo", paths.join("")],
      ["vw-region", paths.join("")],
    );
    outlines.classList.add("vw-outlines");
    if (paths.length) stage.append(outlines);
    // What stands above has its height once there is a match: nothing that is seen moves.
    if (match && result.regions.length) box.append(...table(inspect, grid, result.regions));
  });
}

/**
 * @param {import("./state.js").Inspect} inspect
 * @param {import("./panes.js").Grid} grid
 * @param {Region[]} regions
 */
function table(inspect, grid, regions) {
  const more = regions.length > MOST ? `, the ${MOST} highest of them` : "";
  return [
    make("h3", {}, `${counted(regions.length, "region")} found${more}`),
    make(
      "table",
      { class: "vw-table" },
      make("thead", {}, make("tr", {}, ...HEADS.map((words) => make("th", { scope: "col" }, words)))),
      make(
        "tbody",
        {},
        ...regions.slice(0, MOST).map((region) => line(region, () => zoomOn(inspect, grid, region))),
      ),
    ),
  ];
}

/** @param {Region} region @param {() => unknown} zoom */
function line({ box, area, area_mm2, peak, mean, nearest_type, probability }, zoom) {
  const [x0, y0, x1, y1] = box;
  const place = make(
    "button",
    { type: "button", title: "Zoom to this region" },
    `x ${x0}–${x1}, y ${y0}–${y1}`,
  );
  const size = `${area.toLocaleString("en")} px${area_mm2 === null ? "" : ` · ${area_mm2.toPrecision(3)} mm²`}`;
  const type = nearest_type === null ? "–" : nearest_type || "defect";
  const cells = [size, fixed(peak), fixed(mean), type, probability === null ? "–" : percent(probability)];
  return make("tr", { onclick: zoom }, make("td", {}, place), ...cells.map((words) => make("td", {}, words)));
}

/**
 * @param {import("./state.js").Inspect} inspect
 * @param {import("./panes.js").Grid} grid
 * @param {Region} region
 */
function zoomOn(inspect, grid, { box, at }) {
  const { store } = inspect;
  const { fit } = store.get();
  const { clientWidth: width, clientHeight: height } = frontPane(grid, store.get()).view;
  if (fit) store.patch({ zoom: zoomedTo(box, fit, { width, height }) });
  choosePoint(inspect, ...at);
}
