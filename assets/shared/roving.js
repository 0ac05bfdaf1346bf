// One stop of the Tab key for a list: the arrow keys, Home and End lead from one element to the other. Knows where they
// stand and which has the focus. Does not know what they do.

/** @typedef {{ left: number, top: number }} Place */

/**
 * The number of the place that a key leads to, the same where it leads nowhere. Places are in reading order.
 * @param {Place[]} places
 * @param {number} at
 * @param {string} key
 */
export function towards(places, at, key) {
  const last = places.length - 1;
  if (key === "Home") return 0;
  if (key === "End") return last;
  if (key === "ArrowLeft") return Math.max(0, at - 1);
  if (key === "ArrowRight") return Math.min(last, at + 1);
  const { left, top } = places[at];
  const beyond = places.filter((one) => (key === "ArrowDown" ? one.top > top : one.top < top));
  if (!beyond.length) return at;
  const tops = beyond.map((one) => one.top);
  const next = key === "ArrowDown" ? Math.min(...tops) : Math.max(...tops);
  const row = beyond.filter((one) => one.top === next);
  const nearest = row.reduce((a, b) => (Math.abs(b.left - left) < Math.abs(a.left - left) ? b : a));
  return places.indexOf(nearest);
}

/** @param {HTMLElement} list */
const elementsOf = (list) =>
  /** @type {HTMLElement[]} */ ([...list.querySelectorAll("[data-id]:not([disabled])")]);

/**
 * Fill a list anew, which takes the focus even from an element that stays: it goes back to that of the same id, else
 * to the first one. Nothing is focused where nothing in the list was.
 * @param {HTMLElement} list of elements with `data-id`
 * @param {() => void} fill
 */
export function refill(list, fill) {
  const before = document.activeElement;
  const id = before instanceof HTMLElement && list.contains(before) && before.dataset.id;
  fill();
  if (!id) return;
  const all = elementsOf(list);
  (all.find((one) => one.dataset.id === id) || all[0])?.focus({ preventScroll: true });
}

const KEYS = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End"];

/**
 * @param {HTMLElement} list of elements with `data-id`
 * @param {string} chosen selector of the one that Tab leads to, while none has the focus
 * @returns {() => void} to be called when others are in the list or another is chosen
 */
export function roving(list, chosen) {
  const stopAt = (/** @type {HTMLElement | undefined} */ stop) => {
    for (const one of elementsOf(list)) one.tabIndex = one === stop ? 0 : -1;
  };
  list.addEventListener("keydown", (event) => {
    if (!KEYS.includes(event.key) || event.ctrlKey || event.metaKey || event.altKey) return;
    const all = elementsOf(list);
    const at = all.findIndex((one) => one === document.activeElement);
    if (at < 0) return;
    event.preventDefault();
    const boxes = all.map((one) => one.getBoundingClientRect());
    const next = all[towards(boxes, at, event.key)];
    stopAt(next);
    next.focus();
  });
  return () => {
    const all = elementsOf(list);
    const focused = all.find((one) => one === document.activeElement);
    stopAt(focused || all.find((one) => one.matches(chosen)) || all[0]);
  };
}
