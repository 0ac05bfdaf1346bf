// Two measurements compared: settings, figures, and images that a method judges otherwise.

import { find, make } from "../shared/dom.js";
import { counted } from "../shared/words.js";
import { percent, signed } from "./figures.js";
import { fillSelect } from "./form.js";
import { button, card, said } from "./parts.js";
import { inspectUrl, when } from "./words.js";

/** @typedef {import("./state.js").Pane} Pane */
/**
 * As pages/evaluate.py answers `compare`.
 * @typedef {"found" | "lost" | "new_alarms" | "ended_alarms"} Turned
 * @typedef {{ name: string, first: string, second: string }} Setting
 * @typedef {{ name: string, first: number | null, second: number | null }} Compared
 * @typedef {object} Comparison
 * @property {[import("./words.js").Line, import("./words.js").Line]} lines
 * @property {string} images that they do not share, in words
 * @property {Setting[]} settings
 * @property {Compared[]} figures
 * @property {[string[], string[]]} only methods of one of them
 * @property {Setting[]} others
 * @property {Record<string, Record<Turned, string[]>>} changed images by method
 */

/** @type {Record<Turned, string>} */
const TURNED = {
  found: "now found",
  lost: "now missed",
  new_alarms: "new false alarm",
  ended_alarms: "no longer a false alarm",
};

/** Returns the function that compares the run that is open with another one. @param {Pane} pane */
export function showCompared({ page, store, call, voice }) {
  const place = find(page, ".ev-compared");
  const select = find(page, ".ev-other", HTMLSelectElement);
  const close = () => {
    place.replaceChildren();
    select.value = "";
  };
  const compareWith = voice.attempt(async (/** @type {string} */ first, second = store.get().at) => {
    if (!first) return close();
    if (store.get().at !== second) return; // another one was opened meanwhile
    select.value = first;
    const answer = await call("compare", { first, second });
    if (store.get().at !== second || select.value !== first) return;
    const banks = store.get().shown?.banks || {};
    place.replaceChildren(comparisonCard(answer, Object.values(banks)[0], close));
  });
  const showOthers = () => {
    const { runs, at } = store.get();
    const others = runs.filter(({ id }) => id !== at);
    /** @type {[string, string][]} */
    const entries = others.map((run) => [run.id, `${run.title}, ${run.called}, ${when(run.created)}`]);
    fillSelect(select, [["", others.length ? "choose one" : "no other yet"], ...entries], select.value);
    select.disabled = !others.length;
  };
  store.subscribe(["runs", "at", "shown", "filters"], showOthers);
  store.subscribe(["shown"], ({ shown }) => shown && close());
  select.addEventListener("change", () => compareWith(select.value));
  return compareWith;
}

/** @param {Comparison} answer @param {string | undefined} bank @param {() => void} close */
function comparisonCard(answer, bank, close) {
  const { images, settings, figures, only, others, changed } = answer;
  const names = answer.lines.map((run) => `${run.title}, ${when(run.created)}`);
  const isSame = !images && ![...settings, ...only.flat(), ...figures, ...others].length;
  const { node, head } = card("Compared");
  head.append(make("span", { class: "st-quiet" }, names.join(" → ")), button("Close", close));
  if (images) node.append(make("p", { class: "ms-note" }, images));
  if (isSame) node.append(make("p", {}, "No differences: all settings and figures are the same."));
  if (figures.length) node.append(title("Figures, percent"), figuresTable(names, figures));
  else if (!isSame) node.append(make("p", {}, "All figures that both have are the same."));
  only.forEach((methods, at) => {
    if (methods.length) node.append(said(`Only ${names[at]}: ${methods.join(", ")}.`));
  });
  for (const [name, images] of Object.entries(changed)) {
    node.append(title(`${name}: different verdicts at its own threshold`), turnedList(images, bank));
  }
  if (settings.length) node.append(title("Settings"), settingsTable(names, settings));
  if (others.length) {
    const summary = make("summary", {}, counted(others.length, "other figure"));
    node.append(make("details", {}, summary, settingsTable(names, others)));
  }
  return node;
}

/** @param {string} words */
const title = (words) => make("h3", { class: "st-label" }, words);

/**
 * @param {string[]} heads
 * @param {string} kind class of the columns
 * @param {HTMLTableRowElement[]} rows
 */
const table = (heads, kind, rows) =>
  make(
    "div",
    { class: "ms-wide" },
    make(
      "table",
      { class: "ms-table" },
      make(
        "thead",
        {},
        make("tr", {}, make("th", {}, ""), ...heads.map((words) => make("th", { class: kind }, words))),
      ),
      make("tbody", {}, ...rows),
    ),
  );

/** @param {string[]} names @param {Setting[]} settings */
const settingsTable = (names, settings) =>
  table(
    names,
    "",
    settings.map(({ name, first, second }) =>
      make("tr", {}, make("th", { scope: "row" }, name), make("td", {}, first), make("td", {}, second)),
    ),
  );

/** @param {string[]} names @param {Compared[]} figures */
const figuresTable = (names, figures) =>
  table(
    [...names, "Difference, points"],
    "ms-number",
    figures.map(({ name, first, second }) => {
      const isNumber = typeof first === "number" && typeof second === "number";
      const cells = [percent(first), percent(second), isNumber ? signed(second - first) : "–"];
      return make(
        "tr",
        {},
        make("th", { scope: "row" }, name),
        ...cells.map((words) => make("td", { class: "ms-number" }, words)),
      );
    }),
  );

/** @param {Record<Turned, string[]>} changed @param {string | undefined} bank */
function turnedList(changed, bank) {
  const kinds = /** @type {[Turned, string][]} */ (Object.entries(TURNED));
  const lines = kinds.flatMap(([what, words]) =>
    changed[what].map((id) => {
      const link = make("a", { href: inspectUrl(id, bank) }, id.slice(id.indexOf("/") + 1));
      return make("li", {}, link, ` ${words}`);
    }),
  );
  return make("ul", { class: "ev-links" }, ...lines);
}
