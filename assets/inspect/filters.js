// Which list is open, which of its images are shown, and whether as a filmstrip or a table.
// Knows its own buttons; how a list or an image is opened it is given.

import { find, make } from "../shared/dom.js";
import { filtersShown, passing } from "./lists.js";
import { showAddress } from "./opening.js";
import { all, press } from "./parts.js";
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
    else if (id !== null) showAddress(id, store.get());
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

const STALE = "Partly counted from scores from before the bank changed; score the list again";

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
  const isStale = Boolean(scored) && state.images.some(({ id }) => state.rows.get(id)?.stale);
  return make(
    "button",
    {
      ...{
        type: "button",
        class: isStale ? "vw-chip vw-stale" : "vw-chip",
        "data-filter": key,
        disabled: isMute,
        onclick,
      },
      "aria-pressed": String(state.filter === key),
      title: isMute ? "Score the images first" : isStale ? STALE : tip,
    },
    `${words} `,
    make("b", {}, isMute ? "" : `${isStale ? "~" : ""}${passing(state, key).length}`),
  );
}
