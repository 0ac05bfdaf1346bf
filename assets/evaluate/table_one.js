// The table of methods: every metric with its interval, the paper's figures, paired differences.

import { make } from "../shared/dom.js";
import {
  aboutMethod,
  figureOf,
  pairedDifferences,
  percent,
  probability,
  short,
  signed,
  SURE,
} from "./figures.js";
import { card, cell, csvButton, group, heads, rowsOf, said, under } from "./parts.js";

/** @typedef {import("./figures.js").Measurement} Measurement */
/** @typedef {import("./figures.js").Difference} Difference */

const ABOUT_PAPER =
  "The paper's figures are its authors' own, from other images and another backbone; none of them was " +
  "measured here.";

/**
 * A paired difference with its interval and p, bold where chance hardly explains it.
 * @param {Difference} one
 */
export const difference = ({ difference: value, low, high, p }) =>
  cell(
    make("span", { class: p !== null && p < SURE ? "ms-sure" : "" }, signed(value)),
    low !== null && under(`${signed(low)} to ${signed(high)}`),
    p !== null && under(probability(p)),
  );

/** @param {Measurement} data */
export function methodsCard(data) {
  const isTableOne = data.kind === "table1";
  const names = Object.keys(data.metrics);
  const theirs = isTableOne ? ["image_auroc", "pixel_auroc"] : [];
  const table = make(
    "table",
    { class: "ms-table ms-figures" },
    headOf(data, names, theirs),
    make("tbody", {}, ...Object.keys(data.titles).map((name) => rowOf(data, name, names, theirs))),
    differencesOf(data, names, theirs),
  );
  const { node, head } = card(isTableOne ? "Table 1" : "Figures");
  head.append(csvButton(() => rowsOf(table), "table-1.csv"));
  node.append(make("div", { class: "ms-wide" }, table), said(aboutIntervals(data, theirs.length > 0)));
  return node;
}

/** @param {Measurement} data @param {string[]} names @param {string[]} theirs */
function headOf({ metrics, paper }, names, theirs) {
  const own = "Measured here, percent; below it the 95 % interval";
  const groups = make(
    "tr",
    {},
    make("td", {}),
    group(names.length, own),
    group(theirs.length, `The paper's, on ${paper.dataset}`, "ms-theirs"),
  );
  const titles = make(
    "tr",
    {},
    make("th", { scope: "col" }, "Method"),
    ...heads(names.map((metric) => metrics[metric])),
    ...heads(
      theirs.map((metric) => metrics[metric]),
      "ms-number ms-theirs",
    ),
  );
  return make("thead", {}, theirs.length > 0 && groups, titles);
}

/**
 * @param {Measurement} data
 * @param {string} name of a method
 * @param {string[]} names
 * @param {string[]} theirs
 */
function rowOf(data, name, names, theirs) {
  const { result, titles, paper } = data;
  const cells = names.map((metric) => {
    const [low, high] = result.intervals?.[name]?.[metric] || [null, null];
    const figure = figureOf(result, metric, result.methods[name][metric]);
    return cell(
      make("b", { "data-metric": metric }, figure),
      low !== null && under(`${percent(low)} to ${percent(high)}`),
    );
  });
  return make(
    "tr",
    { "data-method": name },
    make("th", { scope: "row" }, short(titles[name]), under(aboutMethod(data, name))),
    ...cells,
    ...theirs.map((metric) =>
      make("td", { class: "ms-number ms-theirs" }, percent(paper.figures[name]?.[metric])),
    ),
  );
}

/** @param {Measurement} data @param {string[]} names @param {string[]} theirs */
function differencesOf(data, names, theirs) {
  const pairs = pairedDifferences(data);
  if (!pairs.length) return null;
  const empty = () => theirs.length > 0 && make("td", { colspan: theirs.length, class: "ms-theirs" });
  const rows = pairs.map((pair) => {
    const [method, against] = [pair[0].method, pair[0].against].map((name) => short(data.titles[name]));
    const differences = names.map((metric) => pair.find((one) => one.metric === metric));
    return make(
      "tr",
      {},
      make("th", { scope: "row" }, method, under(`minus ${against}`)),
      ...differences.map((one) => (one ? difference(one) : cell())),
      empty(),
    );
  });
  const title = make("tr", {}, group(1 + names.length, "Paired differences, points"), empty());
  return make("tbody", {}, title, ...rows);
}

/** @param {Measurement} data @param {boolean} isBesidePaper */
function aboutIntervals({ result, spec, draws }, isBesidePaper) {
  const many = draws.toLocaleString("en");
  const isUnsure = (result.comparisons || []).some(({ p }) => p === null);
  const intervals = Object.values(result.intervals || {}).flatMap((own) => Object.values(own));
  const isWidthless = intervals.some(([low, high]) => low !== null && low === high);
  return [
    `Intervals and p come from ${many} draws of whole parts, the same for every method.`,
    `Bold: p below ${SURE}; any other difference may be chance.`,
    isUnsure && "There are too few parts here for p.",
    isWidthless &&
      "An interval without width is no certainty: it means that every draw gives the same figure.",
    spec.folds && `Figures are means over the ${spec.folds} folds.`,
    isBesidePaper && ABOUT_PAPER,
  ]
    .filter(Boolean)
    .join(" ");
}
