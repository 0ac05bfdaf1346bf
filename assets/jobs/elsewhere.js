// Says when another data set or bank version was made active somewhere else while this page was open, with a button
// that opens the page anew. Knows the chips of the header; what a page holds is left as it is until somebody presses.

import { find, make } from "../shared/dom.js";
import { small } from "../shared/parts.js";
import { changedSince, toldOf } from "./words.js";

/** @typedef {import("./words.js").Chip} Chip */

/** Milliseconds after a press on this page in which a change is its own. */
const OWN = 8000;
/** What pages look at for themselves, and show or say, by the end of their address. @type {Record<string, string[]>} */
const OWN_LOOK = { "": ["Data set", "Bank"], banks: ["Bank"] };
/** Pages on which one activates things: their own changes are not announced. */
const CHANGING = ["banks", "data"];

/** @param {HTMLElement} element @param {import("../shared/store.js").Store<{ chips: Chip[] }>} store */
export function announce(element, store) {
  const box = find(element, ".frame-elsewhere");
  /** What this page was opened with. @type {Chip[]} */
  let opened = [];
  let pressed = 0;
  const here = location.pathname.split("/").at(-1) ?? ""; // a proxy may put a prefix before it
  document.addEventListener("click", () => (pressed = Date.now()), true);
  store.subscribe(["chips"], ({ chips }) => {
    const isOwn = CHANGING.includes(here) && Date.now() - pressed < OWN;
    if (!opened.length || isOwn) opened = chips;
    const changed = changedSince(opened, chips).filter(({ label }) => !OWN_LOOK[here]?.includes(label));
    box.hidden = !changed.length;
    if (!changed.length) return box.replaceChildren();
    const open = small("Open it here", () => location.reload(), { class: "main-button" });
    const close = () => {
      opened = chips;
      box.hidden = true;
    };
    box.replaceChildren(
      make("span", {}, toldOf(changed)),
      open,
      small("Stay", close, { title: "Keep this page as it is" }),
    );
  });
}
