// The curves of a measurement, with the threshold that is dragged as a point on two of them.

import { make } from "../shared/dom.js";
import { short } from "./figures.js";
import { card, said } from "./parts.js";
import { plot } from "./plots.js";

/** @typedef {import("./figures.js").Measurement} Measurement */
/**
 * @typedef {{ name: string, isMarked: boolean, node: HTMLElement, place: import("./plots.js").Plot }} Curve
 */

/** @type {Record<string, [title: string, about?: string]>} */
const CURVES = {
  roc: ["ROC"],
  pr: ["Precision and recall"],
  reliability: [
    "Reliability of images",
    "On the dotted line, a probability means what it says if defects are as frequent as in training; if they " +
      "are more frequent, the points lie higher. ECE: mean distance from the line, in points, weighted by the " +
      "number of images, which the size of a point shows.",
  ],
  patch_reliability: [
    "Reliability of patches",
    "The same for every patch. Nearly all are normal and lie on the left, so check the points as well as the " +
      "ECE. A patch half covered by a mask is a defect; its neighbours resemble it and count as normal, so few " +
      "patches reach a high probability.",
  ],
};

/** @param {Measurement} data */
export function curves(data) {
  const all = Object.entries(CURVES).filter(([name]) => data.figures[name]);
  const boxes = all.map(([name, [title, about]]) => {
    const place = make("div", { class: "ms-plot" });
    const { node } = card(title, place);
    if (about) node.append(said(about));
    return { name, isMarked: !about, node, place };
  });
  return {
    nodes: boxes.map(({ node }) => node),
    draw: () => boxes.forEach((box) => drawCurve(box, data)),
    /** @param {string} method @param {import("./counting.js").CurvePoint} at */
    mark: (method, at) => boxes.forEach((box) => markCurve(box, data, method, at)),
  };
}

/** @param {Curve} curve @param {Measurement} data */
function drawCurve({ name, isMarked, place }, { figures }) {
  plot(place, figures[name], 340, name);
  if (!isMarked) return;
  const color = figures[name].data[0]?.line.color;
  window.Plotly.addTraces(place, {
    x: [],
    y: [],
    mode: "markers",
    name: "threshold",
    cliponaxis: false,
    marker: { size: 12, symbol: "circle-open", line: { width: 3 }, color },
  });
}

/**
 * @param {Curve} curve
 * @param {Measurement} data
 * @param {string} method
 * @param {import("./counting.js").CurvePoint} at
 */
function markCurve({ name, isMarked, place }, { figures, titles }, method, at) {
  const last = place.data?.length - 1;
  if (!isMarked || !place.data || last < 1) return;
  const [x, y] = name === "roc" ? [at.false, at.found] : [at.found, at.right];
  const own = figures[name].data.find((line) => line.name === short(titles[method]));
  window.Plotly.restyle(place, { x: [[x]], y: [[y]], "marker.color": own?.line.color }, [last]);
}
