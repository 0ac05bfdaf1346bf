// What was found at a point of the image: its patch, the nearest patches of both banks, and their
// ratio. Knows its own element, and does not ask the server.

import { find, make } from "../shared/dom.js";
import { quiet } from "./parts.js";
import { fixed, percent } from "./words.js";

/**
 * A patch with its surroundings. box: of the patch, in shares of the picture.
 * @typedef {{ image: string, box: [x0: number, y0: number, x1: number, y1: number] }} Crop
 *
 * The patch at the point, with the scores there.
 * @typedef {object} Here
 * @property {[x0: number, y0: number, x1: number, y1: number]} at in pixels of the image
 * @property {number} row
 * @property {number} column
 * @property {number} patchcore
 * @property {number} exdd
 * @property {number | null} probability
 *
 * @typedef {Crop & { name: string, type: string, origin: string, distance: number }} Neighbour
 * @typedef {object} Match
 * @property {Crop & Here} here
 * @property {Neighbour} normal
 * @property {Neighbour | null} defect
 * @property {number | null} ratio
 * @property {boolean} isPeak whether it is the point of the highest score
 */

const NO_DEFECT = "This bank version has no positive bank, so there is no defect to compare with.";

/** @param {import("./state.js").Inspect} inspect */
export function matchPane({ viewer, store }) {
  store.subscribe(["match"], ({ match }) => find(viewer, ".vw-match").replaceChildren(...cards(match)));
}

/** @param {Match | null} match */
function cards(match) {
  if (!match) return [];
  const { normal, defect, ratio } = match;
  return [
    hereCard(match),
    neighbourCard("normal", "distance N", normal),
    defect
      ? neighbourCard("defect", "distance P", defect)
      : card("defect", text(heading("Nearest defect patch"), quiet(NO_DEFECT))),
    card("ratio", text(heading("Ratio N / P"), ...ratioLines(ratio))),
  ];
}

/** @param {Match} match */
function hereCard({ here, isPeak }) {
  const title = "Probability that this patch shows a defect";
  const lines = [
    heading(isPeak ? "Highest score" : "Patch here"),
    quiet(`row ${here.row + 1}, column ${here.column + 1}`),
    make("span", {}, `PatchCore ${fixed(here.patchcore)}`),
    make("span", {}, `ExDD ${fixed(here.exdd)}`),
  ];
  if (here.probability !== null) {
    lines.push(make("span", { title }, `Probability ${percent(here.probability)}`));
  }
  return card("here", crop(here), text(...lines, quiet("calibrated: threshold 1")));
}

/** @param {"normal" | "defect"} kind @param {string} unit @param {Neighbour} neighbour */
const neighbourCard = (kind, unit, neighbour) =>
  card(
    kind,
    crop(neighbour),
    text(heading(`Nearest ${kind} patch`), big(fixed(neighbour.distance)), quiet(unit), source(neighbour)),
  );

/** @param {number | null} ratio */
function ratioLines(ratio) {
  if (ratio === null) return [quiet("Needs a positive bank.")];
  const words =
    ratio > 1
      ? "Farther from every normal patch than from a known defect."
      : "Closer to a normal patch than to any known defect.";
  return [big(ratio > 1000 ? "over 1,000" : fixed(ratio)), make("span", {}, words)];
}

/** @param {Crop} part */
function crop({ image, box }) {
  const [x0, y0, x1, y1] = box.map((value) => `${value * 100}%`);
  const style = `left: ${x0}; top: ${y0}; width: calc(${x1} - ${x0}); height: calc(${y1} - ${y0})`;
  return make("div", { class: "vw-crop" }, make("img", { src: image, alt: "" }), make("i", { style }));
}

/** Where a neighbour comes from; its path may be broken at every folder. @param {Neighbour} neighbour */
function source({ name, type, origin }) {
  const words = [name.replaceAll("/", "/\u200b"), type, origin === "synthetic" ? "painted" : ""];
  return make("span", { class: "vw-source", title: name }, words.filter(Boolean).join(" · "));
}

/** @param {string} kind @param {...HTMLElement} content */
const card = (kind, ...content) => make("div", { class: `vw-card vw-card-${kind}` }, ...content);

/** @param {...HTMLElement} lines */
const text = (...lines) => make("div", { class: "vw-text" }, ...lines);

/** @param {string} words */
const heading = (words) => make("h3", {}, words);

/** @param {string} words */
const big = (words) => make("span", { class: "vw-big" }, words);
