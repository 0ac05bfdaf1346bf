// Which list is open, which of its images are shown, and whether as a filmstrip or a table.
// Knows no pane; what another list or image asks of the server it is given.

import { find, make } from "../shared/dom.js";
import { FILTERS, filtersShown, passing } from "./lists.js";
import { all, lineOf, press, smallButton } from "./parts.js";
import { rearrange } from "./state.js";

/** @typedef {import("./state.js").State} State */
/** @typedef {import("./state.js").Inspect} Inspect */

/**
 * @param {Inspect} inspect
 * @param {{ openList: (list: string) => unknown, select: (id: string) => unknown }} acts
 */
export function filtersPane({ viewer, store }, { openList, select }) {
  const lists = find(viewer, ".vw-lists", HTMLSelectElement);
  lists.addEventListener("change", () => openList(lists.value));
  store.subscribe(["lists", "list"], (state) => lists.replaceChildren(...options(state)));

  const choose = (/** @type {string} */ filter) => {
    rearrange(store, { filter });
    const { order, id } = store.get();
    if (order.length && !order.includes(id || "")) select(order[0]);
  };
  store.subscribe(["images", "rows", "marked", "filter"], (state) => {
    const chips = filtersShown(state).map((filter) => chip(filter, state, () => choose(filter.key)));
    find(viewer, ".vw-filters").replaceChildren(...chips);
  });

  for (const button of all(viewer, "[data-view]"))
    button.addEventListener("click", () =>
      rearrange(store, { view: button.dataset.view === "table" ? "table" : "strip" }),
    );
  const showView = () => press(viewer, "view", store.get().view);
  store.subscribe(["view"], showView);
  showView();
}

/** @param {State} state */
const options = ({ lists, list }) =>
  lists.map(({ key, title, count, left }) =>
    make("option", { value: key, title: key, selected: key === list }, `${title} (${count}${left})`),
  );

/**
 * @param {import("./lists.js").Filter} filter
 * @param {State} state
 * @param {() => void} onclick
 */
function chip({ key, words, tip, scored }, state, onclick) {
  const isMute = Boolean(scored) && !state.images.some(({ id }) => state.rows.has(id));
  return make(
    "button",
    {
      ...{ type: "button", class: "vw-chip", "data-filter": key, disabled: isMute, onclick },
      "aria-pressed": String(state.filter === key),
      title: isMute ? "Score the images first" : tip,
    },
    `${words} `,
    make("b", {}, isMute ? "" : passing(state, key).length),
  );
}

/** What a list says that shows nothing. @param {import("./state.js").InspectStore} store */
export const nothingPasses = (store) => [
  "No image of this list passes the filter. ",
  smallButton("Show all", () => rearrange(store, { filter: FILTERS[0].key }), {
    class: "plain-button small vw-all",
  }),
];

/**
 * Shows in filmstrip and table which image is open, and its place among those that are shown.
 * @param {Inspect} inspect
 */
export function chosenPane({ viewer, store }) {
  const lists = [".vw-strip", ".vw-table tbody"].map((list) => find(viewer, list));
  store.subscribe(["id", "order", "view", "marking"], ({ id, order }) => {
    for (const list of lists) {
      for (const line of all(list, "[data-id]"))
        line.setAttribute("aria-selected", String(line.dataset.id === id));
      const chosen = id === null ? null : lineOf(list, id);
      if (chosen) scrollTo(chosen);
    }
    const place = id === null ? -1 : order.indexOf(id);
    find(viewer, ".vw-position").textContent = place < 0 ? "" : `${place + 1} of ${order.length}`;
  });
  store.subscribe(["id"], ({ id, byId }) => {
    const image = id === null ? undefined : byId.get(id);
    if (image) Object.assign(find(viewer, ".vw-name"), { textContent: image.name, title: image.name });
  });
}

/** Scroll a list by hand: scrollIntoView would move the whole page too. @param {HTMLElement} chosen */
function scrollTo(chosen) {
  const box = /** @type {HTMLElement | null} */ (chosen.closest(".vw-strip, .vw-tablebox"));
  if (!box) return;
  if (box.classList.contains("vw-strip"))
    box.scrollLeft = chosen.offsetLeft - box.offsetLeft - (box.clientWidth - chosen.clientWidth) / 2;
  else box.scrollTop = chosen.offsetTop - (box.clientHeight - chosen.clientHeight) / 2;
}
