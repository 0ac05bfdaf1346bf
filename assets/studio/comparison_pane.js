// A comparison as a table whose cells are results. Knows the store and what asks the server for results.

import { find, make } from "../shared/dom.js";
import { small } from "../shared/parts.js";
import { refill, roving } from "../shared/roving.js";
import { address } from "./candidate.js";
import { all, mark } from "./parts.js";
import { showCandidate } from "./results.js";
import { reuse } from "./reuse.js";

/** @typedef {import("./results.js").Comparison} Comparison */

/** @param {import("./state.js").Studio} studio @param {(ids: string[]) => unknown} keep drafts */
export function comparisonPane(studio, keep) {
  const { root, store, attempt } = studio;
  const box = find(root, ".st-compared");
  const open = attempt(async (/** @type {string} */ id) => {
    await showCandidate(studio, id);
    const { shown } = store.get();
    if (shown?.id === id) reuse(studio, shown);
  });
  const close = () => store.patch({ closed: store.get().comparison?.job, comparison: null });
  const rove = roving(box, "[aria-current=true]");
  const markShown = () => {
    const { shown } = store.get();
    mark(all(box, "[data-id]"), "aria-current", ({ dataset }) => dataset.id === shown?.id);
    rove();
  };
  store.subscribe(["comparison"], ({ comparison }) => {
    refill(box, () => box.replaceChildren(comparison ? section(comparison, open, close, keep) : ""));
    markShown();
  });
  store.subscribe(["shown"], markShown);
}

/**
 * @param {Comparison} comparison
 * @param {(id: string) => void} open
 * @param {() => void} close
 * @param {(ids: string[]) => unknown} keep
 */
const section = (comparison, open, close, keep) =>
  make(
    "section",
    { class: "st-comparison", "aria-label": "Comparison" },
    make(
      "div",
      { class: "st-bar" },
      make("h2", { class: "st-title" }, "Comparison"),
      make("span", { class: "st-quiet" }, comparison.text),
      make("span", { class: "st-space" }),
      make("span", { class: "st-quiet" }, "Click a result to show it and reuse its settings."),
      small("Keep all", () => keep(comparison.cells.flat().filter((id) => id !== null)), {
        title: "Its results are drafts; once kept, they wait on Curate",
      }),
      small("Close", close),
    ),
    make("div", { class: "st-gridbox" }, grid(comparison, open)),
  );

/** @param {Comparison} comparison @param {(id: string) => void} open */
function grid({ axes, cells }, open) {
  const [across, down] = axes;
  const head = (/** @type {string} */ scope, /** @type {string} */ value) =>
    make("th", { scope, title: value }, value);
  const titles = make(
    "tr",
    {},
    down && make("th", { class: "st-axis" }, down.title),
    make("th", { class: "st-axis", colspan: across.values.length }, across.title),
  );
  const heads = across.values.map((value) => head("col", value));
  const rows = cells.map((ids, row) =>
    make("tr", {}, down && head("row", down.values[row]), ...ids.map((id) => make("td", {}, cell(id, open)))),
  );
  return make(
    "table",
    { class: "st-grid" },
    make("thead", {}, titles, make("tr", {}, down && make("th"), ...heads)),
    make("tbody", {}, ...rows),
  );
}

/** @param {string | null} id @param {(id: string) => void} open */
function cell(id, open) {
  const title = id ? "Show it and reuse its settings" : "Not painted yet";
  return make(
    "button",
    {
      type: "button",
      class: "st-cell",
      "data-id": id || "",
      disabled: !id,
      title,
      onclick: () => id && open(id),
    },
    id && make("img", { alt: "", src: address(id, "close") }),
  );
}
