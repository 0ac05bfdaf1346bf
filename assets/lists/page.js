// A table that grows though nobody pressed a button here, as by a job of another tab, keeps its height and what it shows
// in place, until somebody presses the button that it offers. Knows a table that Gradio fills, and none of its rows.

import { small } from "../shared/parts.js";
import { grown } from "./growing.js";

/**
 * Called by Gradio once the table's component stands.
 * @param {HTMLElement} element
 */
export function start(element) {
  /** @type {import("./growing.js").Table} */
  let table = { height: 0, rows: 0, held: false };
  let pressed = -Infinity;
  const press = (/** @type {MouseEvent} */ { target, timeStamp }) => {
    if (target instanceof Element && target.closest("#content button")) pressed = timeStamp;
  };
  document.addEventListener("click", press, true);
  new MutationObserver(() => {
    const frame = /** @type {HTMLElement | null} */ (element.querySelector(".wide"));
    if (!frame || frame.style.maxHeight) return;
    const rows = frame.querySelectorAll("tbody tr").length;
    table = grown(table, { height: frame.offsetHeight, rows }, performance.now() - pressed);
    if (!table.held) return;
    frame.style.maxHeight = `${table.height}px`;
    frame.scrollTop = frame.scrollHeight;
    const show = small("Show what is new", () => {
      frame.style.maxHeight = "";
      table = { ...table, height: frame.offsetHeight, held: false };
      show.remove();
    });
    element.querySelector(".list-head")?.append(show);
  }).observe(element, { childList: true, subtree: true });
}
