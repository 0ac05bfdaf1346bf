// The keys of the Studio. Knows which key does what, and when keys belong to a field or to the dialog;
// what is done it is told.

import { find } from "../shared/dom.js";

const FIELDS = "input:not([type=range], [type=checkbox]), textarea, select, [contenteditable=true]";

/**
 * @typedef {object} Acts
 * @property {() => unknown} preview
 * @property {() => unknown} queue
 * @property {(redo: boolean) => boolean} undo whether there are strokes to undo
 * @property {(held: boolean) => void} space
 * @property {Record<string, () => unknown>} keys by their name, in lower case
 */

/** @param {HTMLElement} root @param {Acts} acts */
export function wireKeys(root, acts) {
  const page = find(root, ".studio");
  const dialog = find(root, ".st-dialog", HTMLDialogElement);
  const press = (/** @type {KeyboardEvent} */ event) => {
    if (!page.isConnected) document.removeEventListener("keydown", press);
    else if (page.offsetParent && !event.defaultPrevented && !dialog.open && isDone(event, acts)) {
      event.preventDefault();
    }
  };
  document.addEventListener("keydown", press);
  document.addEventListener("keyup", (event) => event.code === "Space" && acts.space(false));
}

/** Whether a key did something. @param {KeyboardEvent} event @param {Acts} acts */
function isDone(event, acts) {
  const { key, shiftKey } = event;
  const isCommand = event.ctrlKey || event.metaKey;
  const on = event.target instanceof Element ? event.target : null;
  if (isCommand && key === "Enter") {
    if (shiftKey) acts.queue();
    else acts.preview();
    return true;
  }
  if (on?.closest(FIELDS)) return false;
  if (isCommand && key.toLowerCase() === "z") return acts.undo(shiftKey);
  if (isCommand || event.altKey) return false;
  if (event.code === "Space" && !on?.closest("button, a, summary")) {
    acts.space(true);
    return true;
  }
  const act = acts.keys[key.toLowerCase()];
  act?.();
  return Boolean(act);
}
