// Counts what a threshold turns into alarms. Pure: knows scores and labels, no element.

/**
 * @typedef {{ id: string, type: string, defect: boolean, at: number }} Tested an image; `at` is its place
 * @typedef {Tested & { score: number, alarm: boolean }} Judged
 */

/**
 * @param {import("./figures.js").PerImage} images
 * @returns {Tested[]}
 */
export const tested = ({ id, label, defect_type }) =>
  id.map((id, at) => ({ id, type: defect_type[at], defect: label[at] === "defect", at }));

/**
 * What is missed, the lowest score first; what is a false alarm, the highest first; each type with how many
 * are found.
 * @param {Tested[]} images
 * @param {number[]} scores
 * @param {number} threshold
 */
export function judged(images, scores, threshold) {
  /** @type {Judged[]} */
  const all = images.map((image) => {
    const score = scores[image.at];
    return { ...image, score, alarm: score > threshold };
  });
  const defects = all.filter(({ defect }) => defect);
  const normals = all.filter(({ defect }) => !defect);
  const types = [...new Set(defects.map(({ type }) => type))].sort().map((type) => {
    const own = defects.filter((one) => one.type === type);
    return { type, count: own.length, found: own.filter(({ alarm }) => alarm).length };
  });
  return {
    defects: defects.length,
    normals: normals.length,
    missed: defects.filter(({ alarm }) => !alarm).sort((a, b) => a.score - b.score),
    alarms: normals.filter(({ alarm }) => alarm).sort((a, b) => b.score - a.score),
    types,
  };
}

/** @typedef {ReturnType<typeof judged>} Counts */
/** A point on the curves: shares, or null where there is nothing to share.
 * @typedef {{ false: number | null, found: number | null, right: number | null }} CurvePoint
 */

/**
 * @param {Counts} counts
 * @returns {CurvePoint}
 */
export function pointOf({ defects, normals, missed, alarms }) {
  const found = defects - missed.length;
  return {
    false: normals ? alarms.length / normals : null,
    found: defects ? found / defects : null,
    right: found + alarms.length ? found / (found + alarms.length) : null,
  };
}
