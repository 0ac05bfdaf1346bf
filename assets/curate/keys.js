// The keys of the Curate page. Knows which key does what, not how it is done.

import { find } from "../shared/dom.js";
import { step, skip } from "./deciding.js";
import { switches } from "./candidate.js";
import { dialogOf } from "./sheet.js";

/** @typedef {import("./state.js").Pane} Pane */
/** @typedef {import("./reasons.js").Reasons} Reasons */
/** @typedef {import("./trimming.js").Trimming} Trimming */
/** @typedef {Record<string, () => unknown>} Keys */

const FIELDS = "input:not([type=range]), textarea, select, [contenteditable=true]";

/**
 * @param {Pane} pane
 * @param {import("./deciding.js").Deciding} deciding
 * @param {Reasons} reasons
 * @param {Trimming} trimming
 */
export function listenToKeys(pane, deciding, reasons, trimming) {
  const { page, store, viewer } = pane;
  const deciders = decidingKeys(pane, deciding, reasons, trimming);
  const trimmers = trimmingKeys(pane, trimming);
  /** @param {KeyboardEvent} event */
  const press = (event) => {
    if (!page.isConnected) return document.removeEventListener("keydown", press);
    if (!isForPage(page, event)) return;
    const key = event.key.toLowerCase();
    const { tool } = store.get();
    if (event.ctrlKey || event.metaKey || event.altKey) {
      if (key !== "z" || !tool) return;
      event.preventDefault();
      return event.shiftKey ? viewer.editor.redo() : viewer.editor.undo();
    }
    if (event.code === "Space") {
      event.preventDefault();
      return tool || viewer.setHeld(true);
    }
    if (isReason(event, store.get(), reasons)) return event.preventDefault();
    const action = (tool ? trimmers : deciders)[key];
    const isRepeatable = key.startsWith("arrow") || "[]".includes(key);
    if (!action || (event.repeat && !isRepeatable)) return;
    event.preventDefault();
    action();
  };
  document.addEventListener("keydown", press);
  document.addEventListener("keyup", ({ code }) => {
    if (code === "Space") viewer.setHeld(false);
  });
}

/** @param {HTMLElement} page @param {KeyboardEvent} event */
function isForPage(page, event) {
  const isShown = page.offsetParent && !dialogOf(page).open && !find(page, ".cu-body").hidden;
  if (!isShown || event.defaultPrevented) return false;
  return !(event.target instanceof Element && event.target.closest(FIELDS));
}

/**
 * Give a reason where they are open; whether the key was one.
 * @param {KeyboardEvent} event
 * @param {Readonly<import("./state.js").State>} state
 * @param {Reasons} reasons
 */
function isReason(event, { asking, reasons: known }, { pick, give }) {
  if (!asking) return false;
  const reason = /^Digit[1-9]$/.test(event.code) && known[Number(event.code.slice(5)) - 1];
  // A card keeps the focus while others are opened by their keys: there too, Enter gives the reason.
  const isOnButton = event.target instanceof Element && event.target.closest("button:not(.cu-card)");
  if (reason) pick(reason, event.shiftKey);
  else if (event.key === "Enter" && !isOnButton) give();
  else return false;
  return true;
}

/**
 * @param {Pane} pane
 * @param {import("./deciding.js").Deciding} deciding
 * @param {Reasons} reasons
 * @param {Trimming} trimming
 * @returns {Keys}
 */
function decidingKeys(pane, { decide, undoLast }, reasons, { start }) {
  const { page, store } = pane;
  const { close, outline, left } = switches(pane);
  return {
    a: () => decide("accept"),
    r: () => (store.get().asking ? reasons.give() : reasons.open()),
    s: () => skip(pane),
    u: undoLast,
    arrowleft: () => step(pane, -1),
    arrowright: () => step(pane, 1),
    arrowup: () => step(pane, -2),
    arrowdown: () => step(pane, 2),
    t: start,
    z: close,
    o: outline,
    l: left,
    d: () => find(page, ".cu-type", HTMLInputElement).select(),
    escape: () => store.patch({ asking: false }),
  };
}

/** @param {Pane} pane @param {Trimming} trimming @returns {Keys} */
function trimmingKeys(pane, { pick, resize, keep, stop }) {
  const brush = () => pane.store.get().view.brush;
  return {
    e: () => pick("eraser"),
    b: () => pick("brush"),
    "[": () => resize(Math.min(brush() - 1, brush() / 1.25)),
    "]": () => resize(Math.max(brush() + 1, brush() * 1.25)),
    enter: () => pane.viewer.editor.past.length && keep(),
    escape: stop,
    t: stop,
    z: switches(pane).close,
  };
}
