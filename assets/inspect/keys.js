// The keys of the Inspect page. Knows which keys are whose; what they do is done elsewhere.

import { find } from "../shared/dom.js";
import { WHOLE } from "./geometry.js";
import { startMark, startOutline, undoMark } from "./marking.js";
import { step } from "./opening.js";
import { turnMaps } from "./viewing.js";

/** @typedef {import("./state.js").Inspect} Inspect */

/** @param {Inspect} inspect @returns {Record<string, () => unknown>} */
function actsOf(inspect) {
  const { store } = inspect;
  const solo = (/** @type {number} */ number) =>
    store.patch({ solo: store.get().solo === number ? 0 : number, zoom: WHOLE });
  return {
    ArrowRight: () => step(inspect, 1),
    j: () => step(inspect, 1),
    ArrowLeft: () => step(inspect, -1),
    k: () => step(inspect, -1),
    1: () => solo(1),
    2: () => solo(2),
    3: () => solo(3),
    4: () => solo(4),
    Escape: () => store.patch({ solo: 0, zoom: WHOLE }),
    o: () => turnMaps(inspect),
    t: () => store.patch({ truth: !store.get().truth }),
    d: () => startOutline(inspect, false),
    m: () => startMark(inspect, "missed"),
    f: () => startMark(inspect, "false_alarm"),
    u: () => undoMark(inspect),
    p: () => find(inspect.viewer, ".vw-like").click(),
  };
}

/**
 * @param {Inspect} inspect
 * @param {import("./marker.js").Marker} marker whose keys are all while the image is drawn on
 */
export function wireKeys(inspect, marker) {
  const { viewer, store } = inspect;
  const acts = actsOf(inspect);
  const press = (/** @type {KeyboardEvent} */ event) => {
    if (!viewer.isConnected) return document.removeEventListener("keydown", press);
    if (event.defaultPrevented || !viewer.offsetParent) return;
    const target = event.target instanceof Element ? event.target : null;
    if (store.get().marking) {
      const isTyping = target?.closest("input:not([type=range]), textarea, select");
      if (!isTyping && marker.key(event)) event.preventDefault();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape" && closeMenu(viewer)) return;
    if (target?.closest("input, textarea, select, [contenteditable=true]")) return;
    const act = acts[event.key] || acts[event.key.toLowerCase()];
    if (!act) return;
    event.preventDefault();
    act();
  };
  document.addEventListener("keydown", press);
}

/** Whether a menu was open. @param {HTMLElement} viewer */
function closeMenu(viewer) {
  const menu = /** @type {HTMLDetailsElement | null} */ (viewer.querySelector("details[open]"));
  if (menu) menu.open = false;
  return Boolean(menu);
}
