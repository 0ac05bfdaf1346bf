// The list of stored measurements, with its filters. Knows a line of each, not what it measured.

import { find, make } from "../shared/dom.js";
import { recall, remember } from "../shared/memory.js";
import { fillSelect } from "./form.js";
import { figuresLine, listed, SORTS, when } from "./words.js";

/** @typedef {import("./words.js").Line} Line */
/** @typedef {import("./state.js").Pane} Pane */

const STORED = "exdd.evaluate";

/** @param {Pane} pane @param {() => unknown} begin what the form says */
export function showList(pane, begin) {
  const { page, store } = pane;
  keepFilters(store);
  const show = () => {
    const { runs, filters, shown } = store.get();
    const found = listed(runs, filters);
    showFilters(pane);
    const all = runs.length.toLocaleString("en");
    find(page, ".ev-count").textContent =
      found.length === runs.length ? all : `${found.length} of ${runs.length}`;
    const isEmpty = runs.length > 0 && !found.length;
    const lines = isEmpty ? [nothingPasses(pane)] : found.map((run) => lineOf(pane, run));
    find(page, ".ev-runs").replaceChildren(...lines);
    const none = find(page, ".ev-none");
    none.hidden = runs.length > 0;
    find(page, ".ev-list").hidden = !runs.length;
    find(page, ".ev-one").hidden = !runs.length || !shown;
    if (!runs.length) none.replaceChildren(...nothingMeasured(pane, begin));
  };
  for (const one of find(page, ".ev-filters").querySelectorAll("select")) {
    one.addEventListener("change", () =>
      store.patch({ filters: { ...store.get().filters, [one.name]: one.value } }),
    );
  }
  store.subscribe(["runs", "at", "filters", "shown"], show);
  return show;
}

/** The tab keeps the filters: a reloaded page lists the same. @param {Pane["store"]} store */
function keepFilters(store) {
  try {
    const kept = JSON.parse(recall(STORED, "sessionStorage") || "{}");
    store.patch({ filters: { ...store.get().filters, ...kept } });
  } catch {
    // the stored value is damaged: use the default
  }
  store.subscribe(["filters"], ({ filters }) => remember(STORED, JSON.stringify(filters), "sessionStorage"));
}

/** @param {Pane} pane */
function showFilters({ page, store }) {
  const { runs, kinds, filters } = store.get();
  const box = find(page, ".ev-filters");
  box.hidden = !runs.length;
  /** @param {string} name */
  const select = (name) => find(box, `[name=${name}]`, HTMLSelectElement);
  /** @param {string} kind */
  const count = (kind) => runs.filter((run) => run.kind === kind).length;
  /** What they are set to is named, also where no run has it any more. @param {string[]} names @param {string} set */
  const distinct = (names, set) => [...new Set(set ? [...names, set] : names)];
  const there = distinct(
    runs.map(({ kind }) => kind),
    filters.kind,
  );
  const sets = distinct(
    runs.map(({ dataset }) => dataset),
    filters.of,
  );
  /** @type {[string, string][]} */
  const byKind = there.map((kind) => [kind, `${kinds[kind]} (${count(kind)})`]);
  /** @type {[string, string][]} */
  const bySet = sets.map((name) => [name, runs.find(({ dataset }) => dataset === name)?.called || name]);
  fillSelect(select("kind"), [["", "Every kind"], ...byKind], filters.kind);
  fillSelect(select("of"), [["", "Every data set"], ...bySet], filters.of);
  fillSelect(select("sort"), SORTS, filters.sort);
}

/** @param {Pane} pane @param {Line} run */
function lineOf({ store, voice, open }, run) {
  const told = figuresLine(run);
  const about = `${run.called} · ${run.how}${run.complete ? "" : " · not finished"}`;
  return make(
    "button",
    {
      type: "button",
      role: "option",
      class: "ev-run",
      "data-id": run.id,
      "aria-selected": String(run.id === store.get().at),
      onclick: voice.attempt(() => open(run.id)),
    },
    make(
      "span",
      { class: "ev-runhead" },
      make("b", { title: run.title }, run.title),
      make("span", { class: "st-quiet" }, when(run.created)),
    ),
    make("span", { class: "st-quiet", title: about }, about),
    told && make("span", { class: "ev-runfigures", title: "Image AUROC, percent" }, told),
  );
}

/** @param {Pane} pane */
function nothingPasses({ store }) {
  const all = () => store.patch({ filters: { ...store.get().filters, kind: "", of: "" } });
  return make(
    "div",
    { class: "empty" },
    make("p", {}, "No measurement matches the filters."),
    make("button", { type: "button", class: "plain-button", onclick: all }, "Show all"),
  );
}

/** @param {Pane} pane @param {() => unknown} begin */
function nothingMeasured({ store }, begin) {
  const about =
    "Table 1 compares PatchCore and ExDD on test images that no bank has seen, with intervals, so that " +
    "no one celebrates noise.";
  const measure = () => {
    store.patch({ kind: "table1" });
    begin();
  };
  return [
    make("p", { class: "empty-title" }, "Nothing measured yet"),
    make("p", {}, about),
    make(
      "button",
      { type: "button", class: "main-button", "data-needs": "curator", onclick: measure },
      "Measure Table 1",
    ),
  ];
}
