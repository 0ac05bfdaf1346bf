// The link that opens Studio with the mask of the image that is open, to paint defects like it; and where it leads.
// Knows the link's element; what Studio makes of it is Studio's.

import { find } from "../shared/dom.js";
import { isLoading } from "./state.js";

/** @typedef {import("./state.js").State} State */

const WHAT = "Open Studio with this mask, a similar surface, its type and a prompt for it (P)";
const NO_MASK = "No defect is marked here yet; mark it as a missed defect first (M)";

/**
 * Where defects like the one of an image are painted; "" where nothing marks one.
 * @param {Pick<State, "id" | "picture" | "result">} state
 */
export function studioAddress({ id, picture, result }) {
  const isMarked = result?.marks.some(({ action }) => action === "missed");
  if (id === null || !(isMarked || picture?.truth.lines.length)) return "";
  const query = new URLSearchParams({ like: id, ...(result?.surface ? { surface: result.surface } : {}) });
  return `./studio?${query}`;
}

/** @param {import("./state.js").Inspect} inspect */
export function moreLikeLink({ viewer, store }) {
  const link = find(viewer, ".vw-like", HTMLAnchorElement);
  store.subscribe(["picture", "pictured", "result"], (state) => {
    if (isLoading(state)) return;
    const address = studioAddress(state);
    if (address) link.href = address;
    else link.removeAttribute("href");
    link.setAttribute("aria-disabled", String(!address));
    link.title = address ? WHAT : NO_MASK;
    const isMarked = state.result?.marks.some(({ action }) => action === "missed");
    link.classList.toggle("main-button", Boolean(isMarked));
    link.classList.toggle("plain-button", !isMarked);
  });
}
