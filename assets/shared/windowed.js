// Shows a part of a long list in a box that scrolls: the elements around what can be seen, and room for the
// others. Knows the box and how to make one element. Does not know what an element shows.

/** Elements that are shown at once; a list that is no longer is shown as a whole. */
export const MOST = 200;

/**
 * The numbers of the elements to show, the last one excluded, when those from `first` on can be seen.
 * @param {number} total
 * @param {number} first the number of the first one that can be seen
 * @param {number} seen how many can be seen
 */
export function around(total, first, seen) {
  const before = Math.max(0, Math.floor((MOST - seen) / 2));
  const from = Math.max(0, Math.min(first - before, total - MOST));
  return { from, to: Math.min(total, from + MOST) };
}

/**
 * @typedef {object} Windowed
 * @property {(total: number, make: (number: number) => HTMLElement) => void} show another list
 * @property {(number: number) => void} reveal have the element of this number in the list
 */

/**
 * @param {HTMLElement} box that scrolls
 * @param {HTMLElement} list whose children are the elements
 * @param {object} options
 * @param {() => boolean} [options.sideways]
 * @param {(pixels: number) => HTMLElement} options.room an empty element of this length
 * @param {() => void} options.filled called when other elements are in the list
 * @returns {Windowed}
 */
export function windowed(box, list, { sideways = () => false, room, filled }) {
  let total = 0;
  /** @type {(number: number) => HTMLElement} */
  let make = () => list;
  let shown = { from: 0, to: 0 };
  /** Pixels of an element with the gap behind it. */
  let step = 0;
  const length = (/** @type {Element} */ one) => one.getBoundingClientRect()[sideways() ? "width" : "height"];
  const seen = () => (step ? Math.ceil((sideways() ? box.clientWidth : box.clientHeight) / step) : 1);
  const fill = (/** @type {{ from: number, to: number }} */ wanted) => {
    shown = wanted;
    const elements = [];
    for (let number = wanted.from; number < wanted.to; number += 1) elements.push(make(number));
    if (total <= MOST) list.replaceChildren(...elements);
    else list.replaceChildren(room(wanted.from * step), ...elements, room((total - wanted.to) * step));
    filled();
  };
  const measure = () => {
    const [one, other] = [list.children[1], list.children[2]];
    if (!other) return;
    const [a, b] = [one.getBoundingClientRect(), other.getBoundingClientRect()];
    step = (sideways() ? b.left - a.left : b.top - a.top) || length(one);
  };
  box.addEventListener("scroll", () => {
    if (total <= MOST || !step) return;
    const first = Math.floor((sideways() ? box.scrollLeft : box.scrollTop) / step);
    const isCovered =
      (first >= shown.from + 20 || shown.from === 0) &&
      (first + seen() <= shown.to - 20 || shown.to === total);
    if (!isCovered) fill(around(total, first, seen()));
  });
  return {
    show(number, maker) {
      [total, make] = [number, maker];
      fill({ from: 0, to: Math.min(total, MOST) });
      if (total <= MOST) return;
      measure();
      fill(shown);
    },
    reveal(number) {
      if (total > MOST && (number < shown.from || number >= shown.to)) fill(around(total, number, seen()));
    },
  };
}
