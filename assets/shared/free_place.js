// Where a box lies over least of what people read and press. Knows rectangles, in pixels of the window, and which
// elements count. Does not know what the box holds.

/** @typedef {{ left: number, top: number, right: number, bottom: number }} Box */

/** The area of a box that others lie under. @param {Box} box @param {Box[]} others */
export const covered = (box, others) =>
  others.reduce((sum, one) => {
    const width = Math.min(box.right, one.right) - Math.max(box.left, one.left);
    const height = Math.min(box.bottom, one.bottom) - Math.max(box.top, one.top);
    return sum + Math.max(0, width) * Math.max(0, height);
  }, 0);

const STEP = 16; // pixels between the places that are tried, from the bottom up and from the middle outwards

/**
 * The place where a box covers least: as low as can be, and close to the middle. One that it has stays while
 * nothing lies there; its lower right corner does where it has grown.
 * @param {{ width: number, height: number }} size
 * @param {Box} room within which it lies
 * @param {Box[]} others
 * @param {Box | null} before
 * @returns {Box}
 */
export function freest({ width, height }, room, others, before) {
  const at = (/** @type {number} */ left, /** @type {number} */ top) => ({
    ...{ left, top, right: left + width, bottom: top + height },
  });
  const [middle, most] = [(room.left + room.right - width) / 2, room.right - width];
  const lefts = [Math.max(room.left, middle)];
  for (let by = STEP; middle - by >= room.left; by += STEP) lefts.push(middle - by, middle + by);
  lefts.push(room.left, Math.max(room.left, most));
  const [right, bottom] = [before?.right ?? 0, Math.min(before?.bottom ?? 0, room.bottom)];
  let best = before && at(Math.max(room.left, right - width), Math.max(room.top, bottom - height));
  let least = best ? covered(best, others) : Infinity;
  for (let top = room.bottom - height; top >= room.top && least > 0; top -= STEP) {
    for (const left of lefts) {
      const place = at(left, top);
      const area = covered(place, others);
      if (area < least) [best, least] = [place, area];
    }
  }
  return best || at(room.left, room.bottom - height);
}

const CONTROLS =
  "button, select, textarea, input, summary, [role=slider], [role=progressbar], [role=group], .note, .st-popup";

/**
 * The boxes of words and controls that can be seen.
 * @param {ParentNode & Node} root
 * @param {Element} but what does not count
 * @returns {Box[]}
 */
export function taken(root, but) {
  const [width, height] = [window.innerWidth, window.innerHeight];
  const isSeen = (/** @type {Box} */ { left, top, right, bottom }) =>
    right > left && bottom > top && right > 0 && bottom > 0 && left < width && top < height;
  const boxes = [...root.querySelectorAll(CONTROLS)]
    .filter((one) => !but.contains(one))
    .map((one) => one.getBoundingClientRect());
  const words = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  const range = document.createRange();
  for (let node = words.nextNode(); node; node = words.nextNode()) {
    if (!node.nodeValue?.trim() || but.contains(node)) continue;
    range.selectNodeContents(node);
    boxes.push(range.getBoundingClientRect());
  }
  return boxes.filter(isSeen);
}
