// What a threshold does to the images of a list that are scored. Pure: knows no element and no server.
// Values are on the scale of the bank version: 0 is the median of normal images, 1 the threshold as it was built.

import { counted } from "../shared/words.js";

/**
 * @typedef {import("./words.js").Entry} Entry
 * @typedef {import("./words.js").Row} Row
 *
 * One image: where it lies, and what it is known to be.
 * @typedef {{ value: number, label: string | null }} Dot
 * @typedef {{ found: number, defects: number, alarms: number, normals: number, above: number, all: number }} Tally
 */

/**
 * The images that are scored, on the version's scale.
 * @param {{ images: Entry[], rows: Map<string, Row> }} listed
 * @param {number} threshold the one by which they are judged
 * @returns {Dot[]}
 */
export const dotsOf = ({ images, rows }, threshold) =>
  images.flatMap(({ id, label }) => {
    const row = rows.get(id);
    const calibrated = row && !row.stale ? row.exdd.calibrated : null;
    return calibrated === null ? [] : [{ value: calibrated * threshold, label }];
  });

/** @param {Dot[]} dots @param {number} at @returns {Tally} */
export function tally(dots, at) {
  /** @param {(dot: Dot) => boolean} test */
  const count = (test) => dots.filter(test).length;
  return {
    found: count(({ label, value }) => label === "defect" && value > at),
    defects: count(({ label }) => label === "defect"),
    alarms: count(({ label, value }) => label === "normal" && value > at),
    normals: count(({ label }) => label === "normal"),
    above: count(({ value }) => value > at),
    all: dots.length,
  };
}

/** @param {Tally} counts */
export function tallyWords({ found, defects, alarms, normals, above, all }) {
  const known = [
    defects && `finds ${found} of ${counted(defects, "known defect")}`,
    normals && `${counted(alarms, "false alarm")} among ${normals} normal`,
  ].filter(Boolean);
  return known.length
    ? known.join(", ").replace(/^(\d)/, "gives $1")
    : `is exceeded by ${above} of ${counted(all, "image")}`;
}

/**
 * How many images of a list are not scored, of which nothing is known; "" where all are. Short, as it stands in two
 * lines beside the filters, in a window of 933 pixels too.
 * @param {number} all
 * @param {Dot[]} dots
 */
export const unscoredWords = (all, dots) => (all > dots.length ? ` ${all - dots.length} not scored.` : "");

/** Images from which on one says something of all of them. */
const SEVERAL = 3;

/**
 * What the threshold in force is blind to, or "": said of several known defects, or of all that a list has.
 * @param {Tally} counts @param {boolean} isWhole whether all images of the list are scored
 */
export const blindness = ({ found, defects }, isWhole) =>
  defects && !found && (isWhole || defects >= SEVERAL)
    ? `The threshold finds 0 of ${counted(defects, "known defect")}.`
    : "";

/**
 * That all images of a list whose truth nobody knows lie above the threshold, as those of another product do; or "".
 * @param {Dot[]} dots
 * @param {number} at
 */
export const strangeness = (dots, at) =>
  dots.length >= SEVERAL && dots.every(({ label, value }) => !label && value > at)
    ? `All ${counted(dots.length, "image")} are unlike anything in the bank: another product, camera or size?`
    : "";

/**
 * The range that a threshold can be dragged over: all scores, and some room.
 * @param {Dot[]} dots
 * @returns {[low: number, high: number]}
 */
export function rangeOf(dots) {
  const most = Math.max(2, ...dots.map(({ value }) => value));
  return [0.01, Math.min(1000, Math.ceil(most * 10.5) / 10)];
}

/**
 * The share of the range at which a value lies: 0 to 1, spread out where thresholds usually are.
 * @param {number} value
 * @param {[low: number, high: number]} range
 */
export const shareOf = (value, [low, high]) =>
  Math.sqrt(Math.min(1, Math.max(0, (value - low) / (high - low))));

/** The inverse of `shareOf`. @param {number} share @param {[low: number, high: number]} range */
export const valueOf = (share, [low, high]) => low + share * share * (high - low);

/**
 * What a mark changed in a list, by the rows before it and after it.
 * @param {{ images: Entry[], rows: Map<string, Row> }} before
 * @param {{ images: Entry[], rows: Map<string, Row> }} after
 */
export function changeWords(before, after) {
  /** @param {{ images: Entry[], rows: Map<string, Row> }} listed */
  const countsOf = ({ images, rows }) => {
    const known = images.flatMap(({ id, label }) => {
      const [then, now] = [before.rows.get(id), after.rows.get(id)];
      return then && now && !now.stale ? [{ label, verdict: rows.get(id)?.exdd.verdict }] : [];
    });
    /** @param {string} label @param {string} verdict */
    const count = (label, verdict) =>
      known.filter((one) => (!label || one.label === label) && one.verdict === verdict).length;
    return {
      found: count("defect", "defect"),
      alarms: count("normal", "defect"),
      defects: count("", "defect"),
      unsure: count("", "not sure"),
    };
  };
  const [then, now] = [countsOf(before), countsOf(after)];
  const more = /** @param {number} by */ (by) => `${Math.abs(by)} ${by < 0 ? "fewer" : "more"}`;
  const alarms = now.alarms - then.alarms;
  const known = [
    `${more(now.found - then.found)} found`,
    counted(Math.abs(alarms), `${alarms < 0 ? "fewer" : "new"} false alarm`),
  ];
  const isKnown = after.images.some(({ label }) => label);
  const judged = isKnown ? known : [`${more(now.defects - then.defects)} judged defective`];
  return [...judged, `${now.unsure} now not sure`].join(", ");
}
