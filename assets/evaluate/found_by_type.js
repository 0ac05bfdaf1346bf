// The table of defects found by type: at the rate of false alarms that was asked for, and at each method's
// threshold.

import { make } from "../shared/dom.js";
import { doubtsOf, percent, promiseOf, rated, short } from "./figures.js";
import { card, cell, csvButton, group, heads, rowsOf, said, under } from "./parts.js";
import { difference } from "./table_one.js";

/** @typedef {import("./figures.js").Measurement} Measurement */
/** @typedef {import("./figures.js").At} At */

const ABOUT =
  "Below each share is its 95 % interval, from resampled parts, or the exact binomial one where none or all are " +
  "found; a type with one part has none, and with few parts it is rough. Differences are paired, in points of all " +
  "defects found.";

/** @param {Measurement} data */
export function foundCard(data) {
  const { result } = data;
  const types = Object.keys(Object.values(result.at_rate)[0].types);
  const isSeveral = types.length > 1;
  const columns = [
    "False alarms",
    ...(isSeveral ? ["All defects"] : []),
    ...types.map((type) => type || "Defects"),
  ];
  /** @param {string} words @param {At} at */
  const part = (words, at) => {
    const rows = Object.keys(result[at]).map((name) => rowOf(data, at, name, types));
    const title = make("tr", {}, group(1 + columns.length, words));
    return make("tbody", {}, title, ...rows, ...differencesOf(data, at, types));
  };
  const table = make(
    "table",
    { class: "ms-table ms-recall" },
    make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "Defects found"), ...heads(columns))),
    part(`With at most ${rated(result.rate)} of these normal images as false alarms`, "at_rate"),
    part("At each method's own threshold, set on training images alone", "at_threshold"),
  );
  const about = result.recall ? said(ABOUT) : null;
  const { node, head } = card("Defects found by type", make("div", { class: "ms-wide" }, table), about);
  head.append(csvButton(() => rowsOf(table), "defects-found.csv"));
  return node;
}

/** @param {number} found @param {number} count @param {import("./figures.js").Interval} [interval] */
const share = (found, count, interval) =>
  cell(
    make("b", {}, `${found} of ${count}`),
    make("span", { class: "ms-quiet" }, ` ${percent(count ? found / count : null, 0)} %`),
    interval && interval[0] !== null && under(`${percent(interval[0], 0)} to ${percent(interval[1], 0)}`),
  );

/** @param {Measurement} data @param {At} at @param {string} name of a method @param {string[]} types */
function rowOf({ result, titles }, at, name, types) {
  const found = result[at][name];
  const isOwn = at === "at_threshold";
  // Runs of older programs lack it.
  const sure = result.recall?.[at].intervals[name];
  const isSeveral = types.length > 1;
  /** @param {"found" | "count"} key */
  const sum = (key) => types.reduce((total, type) => total + found.types[type][key], 0);
  const doubts = doubtsOf(result.not_sure?.[name]);
  return make(
    "tr",
    {},
    make(
      "th",
      { scope: "row" },
      short(titles[name]),
      isOwn && result.promised && under(promiseOf(result.promised[name])),
      isOwn && doubts && under(doubts),
    ),
    share(found.false_alarms, found.normal, isOwn ? sure?.false_alarms : undefined),
    isSeveral && share(sum("found"), sum("count"), sure?.defects),
    ...types.map((type) =>
      share(found.types[type].found, found.types[type].count, isSeveral ? sure?.types[type] : sure?.defects),
    ),
  );
}

/** @param {Measurement} data @param {At} at @param {string[]} types */
function differencesOf({ result, titles }, at, types) {
  const all = (types.length && result.recall?.[at].comparisons) || [];
  const [first] = Object.keys(titles);
  return all
    .filter((one) => all.length <= 3 || one.against === first)
    .map((one) => {
      const words = `${short(titles[one.method])} minus ${short(titles[one.against])}`;
      return make(
        "tr",
        {},
        make("th", { scope: "row", class: "ms-quiet" }, words),
        make("td", {}),
        difference(one),
        ...(types.length > 1 ? types : []).map(() => make("td", {})),
      );
    });
}
