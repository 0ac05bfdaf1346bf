// Which images of the list are shown, and in which order. Pure: knows no element and no server.

import { labelOf, outcome, scoreOf } from "./words.js";

/**
 * @typedef {import("./words.js").Entry} Entry
 * @typedef {import("./words.js").Row} Row
 * @typedef {import("./words.js").Values} Values
 *
 * @typedef {{ column: number, way: 1 | -1 }} Sort
 *
 * What decides on the images that are shown.
 * @typedef {object} Listed
 * @property {Entry[]} images
 * @property {Map<string, Row>} rows by image
 * @property {Set<string>} marked images that somebody marked
 * @property {string} filter
 * @property {Sort | null} sort
 * @property {Values} values
 *
 * @typedef {object} Filter
 * @property {string} key
 * @property {string} words
 * @property {string} [tip]
 * @property {boolean} [scored] whether it asks for verdicts
 * @property {(image: Entry, row: Row | undefined, marked: Set<string>) => boolean} passes
 */

/**
 * A test of what is known of a scored image; an image without scores does not pass.
 * @param {(row: Row, image: Entry) => boolean} test
 * @returns {Pick<Filter, "scored" | "passes">}
 */
const ofRows = (test) => ({ scored: true, passes: (image, row) => Boolean(row && test(row, image)) });

/** The filter that all images pass. */
export const ALL = "all";

/** @type {Filter[]} */
export const FILTERS = [
  { key: ALL, words: "All", passes: () => true },
  {
    key: "missed",
    words: "Missed",
    ...ofRows(({ exdd }, image) => outcome(image, exdd.verdict).is === "missed"),
  },
  {
    key: "false",
    words: "False alarm",
    ...ofRows(({ exdd }, image) => outcome(image, exdd.verdict).is === "false"),
  },
  {
    key: "doubt",
    words: "Not sure",
    tip: "ExDD's score is so close to the threshold that a person should check",
    ...ofRows(({ exdd }) => exdd.verdict === "not sure"),
  },
  {
    key: "unknown",
    words: "Cannot judge",
    tip: "A score or heatmap is not finite, so a person must check",
    ...ofRows(({ exdd }) => exdd.verdict === "cannot judge"),
  },
  {
    key: "disagree",
    words: "Disagree",
    tip: "The verdicts of the two methods differ",
    ...ofRows(({ exdd, patchcore }) => exdd.verdict !== patchcore.verdict),
  },
  { key: "defect", words: "Defect", passes: ({ label }) => label === "defect" },
  { key: "normal", words: "Normal", passes: ({ label }) => label === "normal" },
  { key: "found", words: "Verdict defect", ...ofRows(({ exdd }) => exdd.verdict === "defect") },
  { key: "passed", words: "Verdict normal", ...ofRows(({ exdd }) => exdd.verdict === "normal") },
  {
    key: "marked",
    words: "Marked",
    tip: "Images marked as a missed defect or a false alarm",
    passes: ({ id }, row, marked) => marked.has(id),
  },
];

/**
 * The filters that make sense: where no truth is known nothing can be missed, so the verdict decides instead.
 * @param {Pick<Listed, "images" | "rows" | "marked" | "filter">} listed
 */
export function filtersShown({ images, rows, marked, filter }) {
  const isTruthKnown = images.some((image) => image.label);
  const left = isTruthKnown ? ["found", "passed"] : ["missed", "false", "defect", "normal"];
  if (filter !== "unknown" && !passing({ images, rows, marked }, "unknown").length) left.push("unknown");
  if (filter !== "marked" && !images.some((image) => marked.has(image.id))) left.push("marked");
  return FILTERS.filter(({ key }) => !left.includes(key));
}

/**
 * The images that pass a filter.
 * @param {Pick<Listed, "images" | "rows" | "marked">} listed
 * @param {string} key of the filter
 */
export function passing({ images, rows, marked }, key) {
  const filter = FILTERS.find((one) => one.key === key) || FILTERS[0];
  return images.filter((image) => filter.passes(image, rows.get(image.id), marked));
}

/**
 * A column of the table. value: what the column is sorted by, undefined where the image is not scored.
 * @typedef {object} Column
 * @property {string} title
 * @property {boolean} [number]
 * @property {(image: Entry, row: Row | undefined, values: Values) => string | number | undefined} value
 */

/** @type {Column[]} */
export const COLUMNS = [
  { title: "Image", value: (image) => image.name },
  { title: "Truth", value: (image) => labelOf(image) },
  {
    title: "PatchCore score",
    number: true,
    value: (image, row, values) => (row && scoreOf(row.patchcore, values)) ?? undefined,
  },
  { title: "Verdict", value: (image, row) => row && outcome(image, row.patchcore.verdict).words },
  {
    title: "ExDD score",
    number: true,
    value: (image, row, values) => (row && scoreOf(row.exdd, values)) ?? undefined,
  },
  { title: "Verdict", value: (image, row) => row && outcome(image, row.exdd.verdict).words },
  { title: "Probability", number: true, value: (image, row) => row?.exdd.probability ?? undefined },
  { title: "Reason", value: (image, row) => row?.exdd.reason ?? undefined },
];

/**
 * How the table is sorted once the head of a column is clicked: numbers begin with the highest.
 * @param {Sort | null} sort
 * @param {number} column
 * @returns {Sort}
 */
export function sortedBy(sort, column) {
  if (sort?.column === column) return { column, way: sort.way === 1 ? -1 : 1 };
  return { column, way: COLUMNS[column].number ? -1 : 1 };
}

/**
 * The ids of the images that are shown, in their order; those that are not scored are the last.
 * @param {Listed} listed
 */
export function arranged(listed) {
  const images = passing(listed, listed.filter);
  const { rows, sort, values } = listed;
  if (!sort) return images.map(({ id }) => id);
  const { value } = COLUMNS[sort.column];
  const keyed = images.map((image) => ({ id: image.id, key: value(image, rows.get(image.id), values) }));
  return keyed.sort((one, two) => compared(one.key, two.key, sort.way)).map(({ id }) => id);
}

/**
 * The images that are shown, in their order.
 * @param {{ order: string[], byId: Map<string, Entry> }} state
 */
export const entriesOf = ({ order, byId }) => order.flatMap((id) => byId.get(id) || []);

/**
 * @param {string | number | undefined} a
 * @param {string | number | undefined} b
 * @param {1 | -1} way
 */
function compared(a, b, way) {
  if (a === undefined || b === undefined) return Number(a === undefined) - Number(b === undefined);
  if (typeof a === "number" && typeof b === "number") return (a - b) * way;
  return String(a).localeCompare(String(b), undefined, { numeric: true }) * way;
}

/**
 * The images that are not scored with the bank as it is.
 * @param {Pick<Listed, "images" | "rows">} listed
 */
export const unscored = ({ images, rows }) => images.filter(({ id }) => rows.get(id)?.stale !== false);

/**
 * The rows with those of an answer. The order of the list is left alone: a person's cursor may be on it.
 * @param {{ rows: Map<string, Row>, seen: number }} before
 * @param {{ rows?: Record<string, Row>, seen?: number }} answer
 * @returns {{ rows: Map<string, Row>, seen: number }} the same Map where the answer has no row
 */
export function withRows({ rows, seen }, answer) {
  const added = Object.entries(answer.rows || {});
  return {
    rows: added.length ? new Map([...rows, ...added]) : rows,
    seen: Math.max(seen, answer.seen || 0),
  };
}

/** The data set of a list, by the list's key; "" for a folder and for uploads. @param {string} key */
export const datasetOf = (key) =>
  key.startsWith("folder:") ? "" : key.slice(0, Math.max(0, key.lastIndexOf("/")));
