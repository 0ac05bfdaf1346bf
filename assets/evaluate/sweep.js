// Table 2: how figures change with the number of synthetic defects, as a table and a curve.

import { make } from "../shared/dom.js";
import { counted } from "../shared/words.js";
import { figureOf, percent } from "./figures.js";
import {
  button,
  card,
  cell,
  csvButton,
  group,
  heads,
  rowsOf,
  said,
  space,
  switchOf,
  under,
} from "./parts.js";
import { layoutOf, MARGIN, plot } from "./plots.js";

/** @typedef {import("./figures.js").Measurement} Measurement */

const THEIRS = ["image_auroc", "pixel_auroc"];
const ABOUT = "The paper's figures are its authors' own, from other images and another backbone.";

const ABOUT_BAND =
  "The band is one standard deviation over the seeds, each of which draws different synthetic defects. ";

/** Whether figures spread: one draw has no deviation. @param {Measurement} data */
const isSpread = ({ result }) => result.seeds > 1;

/** @param {Measurement} data */
export function sweepCard(data) {
  const { metrics, figures } = data;
  const about = (isSpread(data) ? ABOUT_BAND : "") + ABOUT;
  const place = make("div", { class: "ms-plot" });
  const names = Object.keys(metrics);
  const table = tableOf(data, names);
  const buttons = names.map((name) =>
    button(metrics[name], () => show(name), { class: null, "data-metric": name }),
  );
  /** @param {string} name */
  const show = (name) => {
    for (const one of buttons) one.setAttribute("aria-pressed", String(one.dataset.metric === name));
    const yaxis = { ...layoutOf(figures[name].layout).yaxis, tickformat: ".1%" };
    yaxis.title = { ...yaxis.title, standoff: 12 };
    plot(place, figures[name], 340, `sweep-${name}`, { yaxis, margin: { ...MARGIN, l: 80 } });
  };
  const { node, head } = card("Table 2", place, make("div", { class: "ms-wide" }, table), said(about));
  const csv = csvButton(() => rowsOf(table), "table-2.csv");
  head.append(switchOf("Figure", ...buttons), space(), csv);
  return { node, show: () => show(names[0]) };
}

/** @param {Measurement} data @param {string[]} names of metrics */
function tableOf(data, names) {
  const { result, metrics, paper } = data;
  const counts = [...Object.keys(result.methods), ...Object.keys(paper.figures)].map(Number);
  const every = [...new Set(counts)].sort((a, b) => a - b);
  const spread = isSpread(data) ? " ± standard deviation" : "";
  const own = `Measured here, percent: mean of ${counted(result.seeds, "seed")}${spread}`;
  const groups = make(
    "tr",
    {},
    make("td", {}),
    group(names.length, own),
    group(THEIRS.length, `The paper's, on ${paper.dataset}`, "ms-theirs"),
  );
  const titles = make(
    "tr",
    {},
    make("th", { scope: "col" }, "Synthetic defects"),
    ...heads(names.map((name) => metrics[name])),
    ...heads(
      THEIRS.map((name) => metrics[name]),
      "ms-number ms-theirs",
    ),
  );
  return make(
    "table",
    { class: "ms-table ms-sweep" },
    make("thead", {}, groups, titles),
    make("tbody", {}, ...every.map((count) => rowOf(data, count, names))),
  );
}

/** @param {Measurement} data @param {number} count @param {string[]} names */
function rowOf(data, count, names) {
  const { result, paper } = data;
  const cells = names.map((name) => {
    const mean = result.methods[count]?.[name];
    if (mean === undefined) return cell("");
    const spread = isSpread(data) && mean !== null && under(`± ${percent(result.deviation[count]?.[name])}`);
    return cell(make("b", {}, figureOf(result, name, mean)), spread);
  });
  const theirs = THEIRS.map((name) => {
    const figure = paper.figures[count] ? percent(paper.figures[count][name]) : "";
    return make("td", { class: "ms-number ms-theirs" }, figure);
  });
  return make("tr", {}, make("th", { scope: "row" }, count.toLocaleString("en")), ...cells, ...theirs);
}
