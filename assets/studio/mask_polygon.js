// The polygon of the mask editor: corners by clicks, closed by a double click, a click on the first corner or Enter;
// Escape drops it. Knows the mask editor and the store; where a pointer is, and what is drawn again, it is told.

/** @typedef {import("./geometry.js").Point} Point */

/** Pixels of the screen within which a click is on the first corner. */
const NEAR = 10;

/**
 * @param {import("./state.js").StudioStore} store
 * @param {import("../shared/mask_editor.js").MaskEditor} editor
 * @param {() => void} changed
 */
export function polygonTool(store, editor, changed) {
  /** In pixels of the mask. @type {Point[]} */
  let corners = [];
  const set = (/** @type {Point[]} */ now) => {
    corners = now;
    changed();
  };
  const close = () => {
    if (corners.length > 2) editor.polygon(corners);
    set([]);
  };
  /** @param {Point} corner @param {number} scale pixels of the screen per pixel of the mask @param {boolean} isLast */
  const press = (corner, scale, isLast) => {
    const [first] = corners;
    const isFirst = first && Math.hypot(first[0] - corner[0], first[1] - corner[1]) * scale < NEAR;
    if (corners.length > 2 && (isFirst || isLast)) close();
    else if (!isLast) set([...corners, corner]);
  };
  document.addEventListener("keydown", (event) => {
    if (!corners.length || !["Enter", "Escape"].includes(event.key)) return;
    event.preventDefault();
    if (event.key === "Enter") close();
    else set([]);
  });
  store.subscribe(["tool", "kind", "vary", "picture"], () => corners.length && set([]));
  return { press, corners: () => corners };
}
