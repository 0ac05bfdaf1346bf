// The table: what both methods say of every image that is shown, sorted by any column.
// Knows the table's element; what a click on an image does it is given.

import { find, make } from "../shared/dom.js";
import { windowed } from "../shared/windowed.js";
import { ALL, COLUMNS, entriesOf, sortedBy, withRows } from "./lists.js";
import { all, nothingPasses, verdict } from "./parts.js";
import { isBare, rearrange } from "./state.js";
import { fixed, labelOf, METHODS, percent, scoreOf } from "./words.js";

/** @typedef {import("./state.js").State} State */
/** @typedef {import("./words.js").Entry} Entry */

/**
 * @param {import("./state.js").Inspect} inspect
 * @param {(id: string) => unknown} select
 */
export function tablePane(inspect, select) {
  const { viewer, store } = inspect;
  const box = find(viewer, ".vw-tablebox");
  const body = find(box, "tbody");
  const part = windowed(box, body, {
    room: (pixels) => make("tr", { style: `height: ${pixels}px` }),
    filled: () => tellReasons(inspect, body).catch(() => {}), // the next scroll repeats the request
  });
  store.subscribe(["id"], ({ id, order }) => {
    if (!box.hidden && id !== null) part.reveal(order.indexOf(id));
  });
  /** The rows that are shown. @type {State["rows"]} */
  let rows = new Map();

  store.subscribe(["order", "view", "values"], (state) => {
    box.hidden = state.view !== "table";
    if (box.hidden || isBare(state)) return;
    rows = state.rows;
    const heads = COLUMNS.map((_, column) => head(column, state.sort, store));
    find(box, "thead").replaceChildren(make("tr", {}, ...heads));
    const entries = entriesOf(state);
    part.show(entries.length, (number) => line(entries[number], store.get(), select));
    if (state.id !== null) part.reveal(state.order.indexOf(state.id));
    if (!state.order.length && state.images.length)
      body.append(
        make(
          "tr",
          {},
          make("td", { colspan: COLUMNS.length }, ...nothingPasses(() => rearrange(store, { filter: ALL }))),
        ),
      );
  });
  store.subscribe(["rows"], (state) => {
    if (box.hidden || rows === state.rows) return;
    for (const shown of all(body, "[data-id]")) {
      const image = state.byId.get(shown.dataset.id || "");
      if (image && rows.get(image.id) !== state.rows.get(image.id))
        shown.replaceChildren(...cells(image, state));
    }
    rows = state.rows;
  });
}

/**
 * Ask for the reasons of the verdicts that are shown: the rows of a long list come without them.
 * @param {import("./state.js").Inspect} inspect
 * @param {HTMLElement} body
 */
async function tellReasons({ store, call }, body) {
  const ids = all(body, "[data-id]").map(({ dataset }) => dataset.id || "");
  const without = ids.filter((id) => store.get().rows.get(id)?.exdd.reason === null);
  if (without.length) store.patch(withRows(store.get(), await call("rows", { ids: without })));
}

/**
 * @param {number} column
 * @param {State["sort"]} sort
 * @param {import("./state.js").InspectStore} store
 */
function head(column, sort, store) {
  const { title, number } = COLUMNS[column];
  const direction = sort?.way === 1 ? "ascending" : "descending";
  return make(
    "th",
    {
      class: number ? "vw-number" : null,
      scope: "col",
      "aria-sort": sort?.column === column ? direction : null,
      onclick: () => rearrange(store, { sort: sortedBy(sort, column) }),
    },
    make("button", { type: "button" }, title),
  );
}

/** @param {Entry} image @param {State} state @param {(id: string) => unknown} select */
function line(image, state, select) {
  const isChosen = String(image.id === state.id);
  const attributes = { "data-id": image.id, "aria-selected": isChosen, onclick: () => select(image.id) };
  return make("tr", attributes, ...cells(image, state));
}

/** @param {Entry} image @param {State} state */
function cells(image, { rows, marked, values }) {
  const row = rows.get(image.id);
  const number = (/** @type {string} */ words) => make("td", { class: "vw-number" }, words);
  const reason = row ? (row.stale ? "Before the bank changed: " : "") + (row.exdd.reason ?? "…") : null;
  const probability = row?.exdd.probability ?? null;
  const label = labelOf(image);
  return [
    make("td", { class: "vw-file", title: image.name }, make("bdi", {}, image.name)),
    make(
      "td",
      {},
      make("span", { class: "vw-label", title: label }, label),
      marked.has(image.id) && " · marked",
    ),
    ...METHODS.flatMap((method) => [
      number(row ? fixed(scoreOf(row[method], values)) : ""),
      make("td", {}, row ? verdict(image, row[method]) : ""),
    ]),
    number(probability === null ? "" : percent(probability)),
    make("td", { class: "vw-reason", title: reason }, make("span", {}, reason ?? "not scored yet")),
  ];
}
