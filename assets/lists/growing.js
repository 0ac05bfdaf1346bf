// Whether a table that has grown keeps its height. Pure: knows no element.

/** Milliseconds after a press on the page in which what comes in is its own. */
export const OWN = 10_000;

/**
 * A table: its height in pixels and its number of rows; held: whether it is kept at a height that it has outgrown.
 * @typedef {{ height: number, rows: number, held: boolean }} Table
 */

/**
 * A table that shows new content. One whose rows nobody asked for stays as high as it was, and so does one that is held.
 * @param {Table} before with no height where nothing was shown
 * @param {{ height: number, rows: number }} now as high as the content wants
 * @param {number} since milliseconds since the last press
 * @returns {Table}
 */
export function grown(before, { height, rows }, since) {
  const unasked = rows > before.rows && since > OWN;
  const held = before.height > 0 && height > before.height && (before.held || unasked);
  return { height: held ? before.height : height, rows, held };
}
