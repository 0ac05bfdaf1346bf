// The form of a new measurement. Knows what can be set, not what a measurement shows.

import { find, make } from "../shared/dom.js";
import { once } from "../shared/server.js";
import { counted } from "../shared/words.js";
import { KINDS } from "./words.js";

/** @typedef {import("./words.js").Kind} Kind */
/** @typedef {import("./state.js").Pane} Pane */
/**
 * What pages/evaluate.py says can be measured.
 * @typedef {object} Choices
 * @property {[name: string, called: string][]} datasets
 * @property {string} dataset
 * @property {{ id: string, title: string }[]} banks
 * @property {string[]} fusions
 * @property {number} accepted synthetic defects
 * @property {number[]} counts
 */

const TYPED = ["dataset", "bank", "rate", "fusion", "seed", "counts", "seeds"];

/**
 * @param {HTMLSelectElement} select
 * @param {[value: string, words: string][]} entries
 * @param {string} [selected]
 */
export const fillSelect = (select, entries, selected) =>
  select.replaceChildren(
    ...entries.map(([value, words]) => make("option", { value, selected: value === selected }, words)),
  );

/**
 * Wire the form; returns the function that begins what it says. `watch` is given the job.
 * @param {Pane} pane
 * @param {(job: import("./words.js").Job) => void} watch
 */
export function wireForm({ page, store, call, voice }, watch) {
  const form = find(page, ".ev-form", HTMLFormElement);
  const how = find(form, "[name=how]", HTMLSelectElement);
  const isByFolds = () => how.value === "folds";
  const showFields = () => {
    const { kind } = store.get();
    for (const one of form.querySelectorAll("[data-for]")) {
      if (!(one instanceof HTMLElement)) continue;
      const isOfKind = (one.dataset.for || "").split(" ").includes(kind);
      one.hidden = !isOfKind || ("folds" in one.dataset && !isByFolds());
    }
  };
  store.subscribe(["kind"], ({ kind }) => {
    showKind(page, kind);
    showFields();
  });
  how.addEventListener("change", showFields);
  const begin = once(
    voice.attempt(async () => {
      const { kind } = store.get();
      /** @param {string} name */
      const typed = (name) => String(new FormData(form).get(name) ?? "");
      const folds = kind === "table1" && isByFolds() ? typed("folds") || "none" : "";
      const given = Object.fromEntries(TYPED.map((name) => [name, typed(name)]));
      watch((await call("start", { kind, folds, ...given })).job);
    }),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    begin();
  });
  return { begin, showFields };
}

/** @param {HTMLElement} page @param {Kind} kind */
function showKind(page, kind) {
  for (const one of find(page, ".ev-kinds").querySelectorAll("button")) {
    one.setAttribute("aria-checked", String(one.dataset.kind === kind));
  }
  find(page, ".ev-about").textContent = KINDS[kind][1];
  find(page, "[name=fusion] option").textContent = kind === "evaluate" ? "as built" : "the default";
}

/** @param {Pane} pane @param {Choices} choices */
export function fillForm({ page, store }, choices) {
  const kinds = Object.entries(KINDS).map(([kind, [words, title]]) => {
    const choose = () => store.patch({ kind: /** @type {Kind} */ (kind) });
    const attributes = { type: "button", role: "radio", "data-kind": kind, title };
    return make("button", { ...attributes, onclick: choose }, words);
  });
  find(page, ".ev-kinds").replaceChildren(...kinds);
  /** @param {string} name */
  const select = (name) => find(page, `.ev-form [name=${name}]`, HTMLSelectElement);
  const active = choices.banks.find(({ title }) => title.endsWith("active"))?.id;
  fillSelect(select("dataset"), choices.datasets, choices.dataset);
  fillSelect(
    select("bank"),
    choices.banks.map(({ id, title }) => [id, title]),
    active,
  );
  /** @type {[string, string][]} */
  const fusions = choices.fusions.map((name) => [name, name.replaceAll("_", " ")]);
  fillSelect(select("fusion"), [["", "as built"], ...fusions], "");
  find(page, "[name=counts]", HTMLInputElement).value = choices.counts.join(", ");
  const { accepted, dataset, datasets } = choices;
  const called = datasets.find(([name]) => name === dataset)?.[1];
  const are = accepted === 1 ? "is" : "are";
  find(page, ".ev-accepted").replaceChildren(
    `${counted(accepted, "synthetic defect")} of ${called} ${are} accepted. `,
    accepted ? "" : make("a", { href: "./curate" }, "Accept some in Curate"),
  );
  showKind(page, store.get().kind);
}
