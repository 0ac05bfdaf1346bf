// The numbers of a scale of colours. Pure: knows no element.

import { fixed } from "./words.js";

/**
 * Marks of the raw map of one method.
 * @typedef {{ low: number, high: number, median: number, threshold: number }} RawMarks
 *
 * @typedef {{ value: number, words: string }} Tick
 */

/** Closer than this share of the scale, two marks would be printed over each other. */
const CLOSE = 1 / 12;

/**
 * How far below the upper end of a scale a value lies, from 0 to 1.
 * @param {number} value
 * @param {number} low
 * @param {number} high
 */
export const below = (value, low, high) => Math.min(1, Math.max(0, (high - value) / (high - low)));

/**
 * The threshold (t), and of the ends and the median (m) those that are not too close to another mark.
 * @param {RawMarks} marks
 * @returns {Tick[]}
 */
export function rawTicks({ low, high, median, threshold }) {
  const close = (high - low) * CLOSE;
  const isFree = (/** @type {number} */ value, /** @type {number} */ other) =>
    Math.abs(value - other) > close;
  const rest = [high, low, median].filter((value) => isFree(value, threshold));
  const kept = rest.filter((value, at) => at < 2 || rest.slice(0, 2).every((other) => isFree(value, other)));
  return [
    { value: threshold, words: `${fixed(threshold)} t` },
    ...kept.map((value) => ({ value, words: value === median ? `${fixed(value)} m` : fixed(value) })),
  ];
}

/**
 * @param {[low: number, high: number]} range of the calibrated maps
 * @returns {Tick[]}
 */
export const calibratedTicks = ([, high]) => [
  { value: high, words: `${high} or\n   more` },
  { value: 1, words: "1 threshold" },
  { value: 0, words: "0 median\n   normal" },
];

/**
 * @param {[low: number, high: number]} range of the map of differences
 * @returns {Tick[]}
 */
export const differenceTicks = ([low, high]) => [
  { value: high, words: `+${high}` },
  { value: 0, words: "0 same" },
  { value: low, words: `−${Math.abs(low)}` },
];
