// A stored measurement in words and numbers. Pure: knows no element and no server.

import { counted } from "../shared/words.js";

/**
 * As exdd_core/experiments/report.py tells of a measurement (`shown`); shares are 0 to 1.
 * @typedef {number | null | undefined} Share
 * @typedef {[low: number | null, high: number | null]} Interval
 *
 * A paired difference between two methods.
 * @typedef {object} Difference
 * @property {string} method
 * @property {string} against
 * @property {string} metric
 * @property {number} difference
 * @property {number | null} low
 * @property {number} high where there is a `low`
 * @property {number | null} p
 *
 * How many defects of each type a method finds, and its false alarms, at one threshold.
 * @typedef {object} FoundByType
 * @property {number} threshold
 * @property {number} false_alarms
 * @property {number} normal how many images are
 * @property {Record<string, { found: number, count: number }>} types
 *
 * @typedef {object} RecallIntervals
 * @property {Interval} [false_alarms]
 * @property {Interval} [defects]
 * @property {Record<string, Interval>} types
 *
 * Columns of a row for each image.
 * @typedef {object} PerImage
 * @property {string[]} id
 * @property {string[]} group the physical part
 * @property {("normal" | "defect")[]} label
 * @property {string[]} defect_type
 *
 * @typedef {"at_rate" | "at_threshold"} At
 * @typedef {object} Result
 * @property {Record<string, Record<string, Share>>} methods
 * @property {Record<string, Record<string, number>>} deviation of a sweep
 * @property {Record<string, Record<string, Interval>>} [intervals]
 * @property {Difference[]} [comparisons]
 * @property {string | string[]} [fusion]
 * @property {Record<string, string | string[]>} [fusions]
 * @property {{ missing: number, used: number }} [masks]
 * @property {Record<string, FoundByType>} at_rate
 * @property {Record<string, FoundByType>} at_threshold
 * @property {Record<At, { intervals: Record<string, RecallIntervals>, comparisons: Difference[] }>} [recall]
 * @property {Record<string, number | null>} [promised]
 * @property {Record<string, Unsure>} [not_sure]
 * @property {number} rate of false alarms
 * @property {PerImage} per_image
 * @property {Record<string, number[]>} calibrated scores of each method
 * @property {Record<string, { found: number, count: number, false: number, images: number }>} [regions]
 * @property {string[]} [notes]
 * @property {number[]} counts of a sweep
 * @property {number} seeds
 * @property {boolean} [complete]
 * @property {number} [images]
 * @property {number} [defective]
 * @property {number | number[]} [synthetic]
 *
 * @typedef {{ normal: number, defect: number }} Unsure
 * @typedef {{ data: any[], layout: any }} Figure as Plotly takes it
 * @typedef {object} Measurement
 * @property {"table1" | "sweep" | "evaluate"} kind
 * @property {Result} result
 * @property {{ folds?: number }} spec
 * @property {number} cells that a sweep has measured
 * @property {number} draws of parts behind an interval
 * @property {Record<string, string>} titles of methods
 * @property {Record<string, string>} metrics
 * @property {Record<string, Figure>} figures
 * @property {{ dataset: string, figures: Record<string, Record<string, number>> }} paper
 */

// p below which a difference is set in bold
export const SURE = 0.05;
const PIXEL = ["pixel_auroc", "pixel_ap", "aupro"];

/** @param {Share} share @param {number} [digits] */
export const percent = (share, digits = 1) =>
  share === null || share === undefined ? "–" : (100 * share).toFixed(digits);

/** @param {number} rate */
export const rated = (rate) => `${+(100 * rate).toFixed(2)} %`;

/** @param {Share} share */
export const signed = (share) =>
  share === null || share === undefined ? "–" : `${share < 0 ? "−" : "+"}${Math.abs(100 * share).toFixed(1)}`;

/** @param {number} p */
export const probability = (p) => `p ${p < 0.001 ? "< 0.001" : p.toFixed(3)}`;

/**
 * A figure in percent, or why there is none.
 * @param {Result} result
 * @param {string} metric
 * @param {Share} share
 */
export function figureOf({ masks }, metric, share) {
  const isMissing = share === null || share === undefined;
  return isMissing && PIXEL.includes(metric) && masks?.missing && !masks.used ? "no masks" : percent(share);
}

/** A method's title without what stands in brackets. @param {string} title */
export const short = (title) => title.split(" (")[0];

/**
 * What a method learned from and how it fuses distances.
 * @param {Measurement} data
 * @param {string} name
 */
export function aboutMethod({ result, titles }, name) {
  const own = ["exdd", "exdd_base"].includes(name) && result.fusion;
  const fusion = result.fusions?.[name] || own;
  const kinds = fusion && name !== "patchcore" ? [...new Set([fusion].flat())].join(", ") : "";
  const words = titles[name].match(/ \((.*)\)$/)?.[1] || "";
  return [words, kinds && kinds !== "patchcore" && `fusion ${kinds}`].filter(Boolean).join(" · ");
}

/**
 * The differences of each pair of methods; of many pairs those with the first method.
 * @param {Measurement} data
 */
export function pairedDifferences({ result, titles }) {
  /** @type {Map<string, Difference[]>} */
  const pairs = new Map();
  for (const one of result.comparisons || []) {
    const key = `${one.method} ${one.against}`;
    pairs.set(key, [...(pairs.get(key) || []), one]);
  }
  const all = [...pairs.values()];
  const [first] = Object.keys(titles);
  return all.length > 3 ? all.filter(([{ against }]) => against === first) : all;
}

/** @param {Share} rate */
export const promiseOf = (rate) =>
  typeof rate === "number"
    ? `guaranteed: at most ${rated(rate)} false alarms`
    : "not guaranteed: too few normal parts in training";

/** @param {Unsure | undefined} unsure */
export const doubtsOf = (unsure) =>
  unsure && unsure.normal + unsure.defect > 0
    ? `not sure: ${counted(unsure.normal, "normal image")}, ${counted(unsure.defect, "defect")}`
    : "";

/** @param {unknown[][]} rows */
export function csvOf(rows) {
  /** @param {unknown} value */
  const quoted = (value) => {
    const words = String(value);
    return /[",\n]/.test(words) ? `"${words.replaceAll('"', '""')}"` : words;
  };
  return rows.map((row) => `${row.map(quoted).join(",")}\n`).join("");
}
