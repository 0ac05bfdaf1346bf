// The elements that a candidate's pane is made of. Knows how they look, not when they are shown.

import { drawing, make } from "../shared/dom.js";
import { loadingHidden } from "../shared/pictures.js";
import { polygon } from "../shared/words.js";

const HATCH =
  '<pattern id="cu-hatch" width="4" height="4" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">' +
  '<rect width="2" height="4" /></pattern>';

/** @param {import("./geometry.js").Size} size @param {import("./view.js").Lines} lines */
export function hatched(size, lines) {
  const svg = drawing(...size, ["cu-hatched", polygon(lines)]);
  svg.insertAdjacentHTML("afterbegin", HATCH);
  return svg;
}

/** @param {string} kind */
export function picture(kind) {
  const image = make("img", { class: kind, alt: "", draggable: "false" });
  loadingHidden(image);
  return image;
}

export const sideNames = () => [
  make("span", { class: "st-side st-before" }, "Original"),
  make("span", { class: "st-side st-after" }, "Painted"),
];

/** @param {(event: KeyboardEvent) => void} onkeydown */
export const splitHandle = (onkeydown) =>
  make("div", {
    class: "st-split",
    role: "slider",
    tabindex: "0",
    "aria-label": "Share of the pane that shows the original",
    "aria-valuemin": "0",
    "aria-valuemax": "100",
    "aria-valuenow": "50",
    onkeydown,
  });
