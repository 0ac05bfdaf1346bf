// Regions of masks found, and false regions an image, at each method's own threshold of maps.

import { make } from "../shared/dom.js";
import { percent, short } from "./figures.js";
import { card, cell, heads, said } from "./parts.js";

const ABOUT =
  "A mask region is found if a map region touches it; a map region that touches no mask is false. Measured at each " +
  "method's own threshold; images whose mask is missing are left out.";

/** Nothing for a run of an older program, and without any mask. @param {import("./figures.js").Measurement} data */
export function regionsCard({ result: { regions }, titles }) {
  const counts = Object.entries(regions || {}).filter(([, { count }]) => count);
  if (!counts.length) return "";
  const rows = counts.map(([name, { found, count, false: wrong, images }]) =>
    make(
      "tr",
      {},
      make("th", { scope: "row" }, short(titles[name])),
      cell(make("b", {}, `${found} of ${count}`), ` ${percent(found / count, 0)} %`),
      cell((wrong / images).toFixed(2)),
    ),
  );
  const columns = heads(["Found", "False per image"]);
  const table = make(
    "table",
    { class: "ms-table" },
    make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "Regions"), ...columns)),
    make("tbody", {}, ...rows),
  );
  return card("Regions", make("div", { class: "ms-wide" }, table), said(ABOUT)).node;
}
