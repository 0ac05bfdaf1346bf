// Above the queue: its order, how many there are by status, how far it is decided. Knows counts, not single
// candidates.

import { find, make } from "../shared/dom.js";
import { PAGE } from "./state.js";
import { counted } from "../shared/words.js";
import { countOf, progressLine, recent, SORTS, STATUSES } from "./words.js";

/** @typedef {import("./state.js").Pane} Pane */
/**
 * @typedef {(changes: Partial<import("./state.js").State>, chosen?: import("./state.js").Chosen) =>
 *   Promise<unknown>} Narrow
 */

/**
 * A function that changes status, order or filters, and shows the queue that follows.
 * @param {Pane} pane
 * @returns {Narrow}
 */
export const narrower = ({ page, store, voice, desk }) =>
  voice.attempt(async (changes, chosen = {}) => {
    store.patch({ ...changes, chosen: { ...store.get().chosen, ...chosen } });
    await desk.refresh(PAGE);
    find(page, ".cu-cards").scrollTop = 0;
    const { items, at } = store.get();
    if (!items.some(({ id }) => id === at)) await desk.showFirst();
  });

/** @param {Pane} pane @param {Narrow} narrow */
export function showQueue({ page, store, call, voice, desk }, narrow) {
  const order = find(page, ".cu-sort", HTMLSelectElement);
  order.addEventListener("change", () => {
    order.blur();
    narrow({ sort: order.value });
  });
  store.subscribe(["counts", "status", "sort"], ({ counts, status: shown, sort }) => {
    const sorts = SORTS.map(([value, words]) => make("option", { value, selected: value === sort }, words));
    order.replaceChildren(...sorts);
    const chips = STATUSES.map(([status, words]) => {
      const attributes = { type: "button", class: "st-chip", "data-status": status };
      const number = make("b", {}, countOf(counts, status).toLocaleString("en"));
      return make(
        "button",
        { ...attributes, "aria-pressed": String(shown === status), onclick: () => narrow({ status }) },
        `${words} `,
        number,
      );
    });
    find(page, ".st-chips").replaceChildren(...chips);
  });
  store.subscribe(["types"], ({ types }) => {
    find(page, "#cu-types").replaceChildren(...types.map((value) => make("option", { value })));
  });
  const start = find(page, ".cu-since");
  const again = make("button", { type: "button", class: "plain-button small cu-reorder" }, "Sort again");
  again.title = "By the current measures; until then, the order stays as it is";
  again.addEventListener("click", () => narrow({}));
  const anew = make("button", { type: "button", class: "plain-button small cu-anew" }, "Measure again");
  anew.addEventListener(
    "click",
    voice.attempt(async () => {
      await call("start_anew");
      await narrow({});
      await desk.measure();
    }),
  );
  store.subscribe(["behind", "reordered"], ({ behind, reordered }) => {
    anew.title = `Effects are measured against the bank before its last ${counted(behind, "change")}`;
    start.replaceChildren(...(behind ? [anew] : []), ...(reordered ? [again] : []));
  });
  const progress = () => showProgress(page, store);
  store.subscribe(["counts", "total", "times", "doing", "left", "fitting"], progress);
}

/** @param {HTMLElement} page @param {Pane["store"]} store */
function showProgress(page, store) {
  const { counts, total, times, doing, left, fitting, who } = store.get();
  const own = recent(times, Date.now());
  find(page, ".cu-line").textContent = progressLine(counts, { times: own, doing, left, fitting });
  find(page, ".cu-count").textContent = total.toLocaleString("en");
  const all = countOf(counts, "all");
  const decided = all - countOf(counts, "pending");
  find(page, ".cu-progress .bar > span").style.width = `${all ? (100 * decided) / all : 0}%`;
  find(page, ".cu-who").textContent = who;
}
