// What the region editor says, and the sizes of its brush. Pure: knows no element and no server.

/** @param {number} part 0 to 1 */
export function percent(part) {
  if (part > 0 && part < 0.01) return "under 1 %";
  return part < 1 && part > 0.99 ? "over 99 %" : `${Math.round(100 * part)} %`;
}

/**
 * How much of an image counts, or would count.
 * @param {Pick<import("./state.js").State, "drawn" | "proposal">} state
 */
export function shareWords({ drawn, proposal }) {
  if (proposal && !proposal.layer) return "Reading the normal images…";
  if (proposal) return `${percent(proposal.share)} of the image would count`;
  if (drawn.empty) return "Nothing is drawn: the whole image counts";
  return `${percent(drawn.share)} of the image counts`;
}

/**
 * The caption of an image, and what its title adds.
 * @param {import("./state.js").Look} look
 */
export const captionOf = ({ name, label, index, number, size, others }) => ({
  words: `${name} · ${label} · ${index + 1} of ${number.toLocaleString("en")}`,
  title: `${size[0]} × ${size[1]} pixels${others ? `; ${others}` : ""}`,
});

/**
 * The largest brush for an image and the one to begin with, in pixels of the image.
 * @param {[width: number, height: number]} size
 */
export function brushesFor(size) {
  const longer = Math.max(...size);
  return { largest: Math.max(8, Math.round(longer / 4)), first: Math.max(2, Math.round(longer / 16)) };
}

/**
 * The next larger or smaller brush.
 * @param {number} brush
 * @param {number} largest
 * @param {boolean} up
 */
export const nextBrush = (brush, largest, up) =>
  Math.min(largest, Math.max(1, Math.round(brush * (up ? 1.25 : 0.8) + (up ? 0.5 : -0.5))));
