// Which image is open: marks it in filmstrip and table, scrolls them to it, and names it above the panes.
// Knows the elements of the lists by the ids of their images.

import { find, make } from "../shared/dom.js";
import { all, lineOf } from "./parts.js";

/** @param {import("./state.js").Inspect} inspect */
export function chosenPane({ viewer, store }) {
  const lists = [".vw-strip", ".vw-tablebox tbody"].map((list) => find(viewer, list));
  store.subscribe(["id", "order", "view", "marking"], ({ id, order }) => {
    for (const list of lists) {
      for (const line of all(list, "[data-id]")) {
        line.setAttribute("aria-selected", String(line.dataset.id === id));
        if (line.matches("button")) line.tabIndex = line.dataset.id === id ? 0 : -1; // arrow keys lead to the others
      }
      const chosen = id === null ? null : lineOf(list, id);
      if (chosen) scrollTo(chosen);
    }
    const place = id === null ? -1 : order.indexOf(id);
    find(viewer, ".vw-position").textContent = place < 0 ? "" : `${place + 1} of ${order.length}`;
  });
  // Name the image that the panes show, not one that is still loading.
  store.subscribe(["pictured"], ({ pictured, byId }) => {
    const image = byId.get(pictured);
    if (!image) return;
    const name = find(viewer, ".vw-name");
    name.title = image.name;
    name.replaceChildren(make("bdi", {}, image.name)); // its folders stay in their order, in whatever alphabet
  });
}

/** Scroll a list by hand: scrollIntoView would move the whole page too. @param {HTMLElement} chosen */
function scrollTo(chosen) {
  const box = /** @type {HTMLElement | null} */ (chosen.closest(".vw-strip, .vw-tablebox"));
  if (!box) return;
  if (box.classList.contains("vw-strip"))
    box.scrollLeft = chosen.offsetLeft - box.offsetLeft - (box.clientWidth - chosen.clientWidth) / 2;
  box.scrollTop = chosen.offsetTop - (box.clientHeight - chosen.clientHeight) / 2;
}
