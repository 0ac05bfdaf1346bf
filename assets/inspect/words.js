// What the Inspect page says about images, verdicts and scores. Pure: knows no element and no server.

/**
 * @typedef {"patchcore" | "exdd"} Method
 * @typedef {"normal" | "defect" | "not sure" | "cannot judge"} Verdict
 * @typedef {"calibrated" | "raw"} Values which scores and maps are shown
 *
 * What one method says of an image. calibrated: 0 is the median of normal images, 1 the threshold; null where a
 * value is not finite, so that the image cannot be judged.
 * @typedef {object} Side
 * @property {number | null} score
 * @property {number | null} threshold of `score`
 * @property {number | null} calibrated
 * @property {Verdict} verdict
 * @property {number | null} probability that the image has a defect; null where the bank cannot tell
 * @property {string | null} reason null in a long list until it is shown
 *
 * What is known of a scored image. stale: it was scored before the bank changed.
 * @typedef {Record<Method, Side> & { stale: boolean }} Row
 *
 * An image of the list. label: the truth, empty where it is unknown; type: of its defect; ratio: width by
 * height; mask_noted: a line says that its defect has no mask, or who drew it.
 * @typedef {{ id: string, name: string, label: string | null, type: string, ratio: number, mask_noted?: boolean }} Entry
 *
 * How a verdict is drawn and worded, and what it is against the truth.
 * @typedef {"normal" | "defect" | "doubt" | "wrong" | "unknown"} Kind
 * @typedef {{ kind: Kind, words: string, is: "" | "doubt" | "missed" | "false" | "unknown" }} Outcome
 */

/** @type {Method[]} */
export const METHODS = ["patchcore", "exdd"];

/** @type {Record<Method, string>} */
export const TITLES = { patchcore: "PatchCore", exdd: "ExDD" };

/** @type {Record<string, string>} */
export const CALLED = { missed: "a missed defect", false_alarm: "a false alarm" };

export const NO_BANK = "There is no bank version that can learn from this image; build one in Banks.";
export const COMING = "The first bank version is being built; see Jobs above.";

/** @param {number | null} value null for no finite number */
export const fixed = (value) =>
  value === null ? "–" : value.toFixed(Math.abs(value) >= 100 ? 1 : 2).replace("-", "−");

/** @param {number} share */
export const percent = (share) => {
  if (share > 0.995) return "over 99 %";
  return share < 0.005 ? "under 1 %" : `${Math.round(share * 100)} %`;
};

/** @param {{ score: number | null, calibrated: number | null }} side @param {Values} values */
export const scoreOf = (side, values) => (values === "raw" ? side.score : side.calibrated);

/** @param {Entry} image */
export const labelOf = (image) =>
  image.label === "defect" ? image.type || "defect" : image.label || "unknown";

/** @param {Entry} image */
export function truthOf({ label, type }) {
  if (!label) return "Truth unknown";
  return `Truth: ${label}${type && type !== label ? `, ${type}` : ""}`;
}

/**
 * The verdict against the truth.
 * @param {Entry} image
 * @param {Verdict} verdict
 * @returns {Outcome}
 */
export function outcome(image, verdict) {
  if (verdict === "cannot judge") return { kind: "unknown", words: "Cannot judge", is: "unknown" };
  if (verdict === "not sure") return { kind: "doubt", words: "Not sure", is: "doubt" };
  if (image.label === "defect" && verdict === "normal")
    return { kind: "wrong", words: "Missed defect", is: "missed" };
  if (image.label === "normal" && verdict === "defect")
    return { kind: "wrong", words: "False alarm", is: "false" };
  return verdict === "defect"
    ? { kind: "defect", words: "Defect", is: "" }
    : { kind: "normal", words: "Normal", is: "" };
}

/**
 * What a verdict means: where its thresholds lie, and what they guarantee.
 * @param {{ promised: number | null, doubt: number }} side doubt: calibrated score above which it is not sure
 */
export function meaning({ promised, doubt }) {
  const kept =
    promised === null
      ? "measured with each normal part left out, not guaranteed: too few of them"
      : `guaranteed: at most ${percent(promised)} of normal images of new parts lie above`;
  const unsure = doubt < 1 ? `above ${fixed(doubt)} not sure, ` : "";
  return `Calibrated: ${unsure}above 1 a defect. The threshold is ${kept}.`;
}

/**
 * The score that the head of a pane does not show where it shows raw ones.
 * @param {Pick<Side, "calibrated" | "threshold">} side
 */
export const otherScore = ({ calibrated, threshold }) =>
  `threshold ${fixed(threshold)}, calibrated ${fixed(calibrated)}`;

/**
 * What the button says that has a list scored.
 * @param {number} left images that are not scored with the bank as it is
 * @param {number} all
 * @param {boolean} isAgain all that are left were scored before
 */
export function scoreWords(left, all, isAgain) {
  if (!left) return "All scored";
  if (isAgain) return `Score ${left} again`;
  return left === all ? `Score all ${left}` : `Score ${left} more`;
}
