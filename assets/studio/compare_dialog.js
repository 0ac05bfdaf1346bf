// Asks for the axes of a comparison or a search and their values. Knows the store; painting is left to `painter`.

import { make } from "../shared/dom.js";
import { once } from "../shared/server.js";
import {
  axisNames,
  axisTitle,
  firstAxes,
  gridProblem,
  gridWords,
  numbersHelp,
  promptOptions,
  readLines,
  readNumbers,
  spread,
} from "./axes.js";
import { engineOf, valueOf } from "./settings.js";

const SEARCH =
  "Search paints with different images and masks, measures as it goes, and spends most paintings on the combinations, " +
  "including the prompt's alternatives, that the active bank finds visible, plausible and new.";

/**
 * How the values of an axis are chosen.
 * @typedef {{ read: () => unknown[], node: HTMLElement }} Values
 * @typedef {Readonly<import("./state.js").State>} State
 * @typedef {"x" | "y"} Which
 */

/**
 * A function that opens the dialog.
 * @param {import("./state.js").Studio} studio
 * @param {import("./dialog.js").Dialog} dialog
 * @param {Pick<import("./painting.js").Painter, "compare" | "search">} painter
 */
export function compareDialog({ store }, dialog, painter) {
  /** The axes and the paintings of the last time. */
  let last = { x: "", y: "" };
  let spent = "60";
  return () => {
    const state = store.get();
    const engine = engineOf(state);
    if (!engine) return;
    const names = axisNames(engine);
    last = firstAxes(names, last);
    /** @type {Partial<Record<Which, Values>>} */
    const axes = {};
    const chosen = () =>
      /** @type {Which[]} */ (["x", "y"]).flatMap((which) => {
        const values = axes[which];
        return values ? [{ name: last[which], values: values.read() }] : [];
      });
    const start = once(
      dialog.within(async (/** @type {() => Promise<void>} */ paint) => {
        await paint();
        dialog.close();
      }),
    );
    const sum = make("p", { class: "st-quiet st-full" });
    const go = action("main-button st-startcompare", "Compare", () => start(() => painter.compare(chosen())));
    const seek = action("plain-button st-startsearch", "Search", () =>
      start(() => painter.search(chosen(), Math.round(Number(spent)))),
    );
    const budget = paintings(spent, (value) => (spent = value));
    const tell = () => {
      const counts = chosen().map(({ values }) => values.length);
      const problem = gridProblem(counts, state.cells);
      sum.textContent = problem || gridWords(counts);
      go.disabled = seek.disabled = Boolean(problem);
    };
    const axis = (/** @type {Which} */ which, /** @type {string} */ words) =>
      axisRows(which, words, names, engine, last[which], (name, holder) => {
        last[which] = name;
        axes[which] = name ? valuesOf(name, state, tell) : undefined;
        holder.replaceChildren(axes[which]?.node || "");
        tell();
      });
    const help = make("p", { class: "st-quiet st-full" }, SEARCH);
    const rows = [...axis("x", "Columns"), ...axis("y", "Rows"), sum, help];
    const footer = [seek, budget, make("span", { class: "st-space" }), go];
    dialog.open("Compare", [make("div", { class: "st-form" }, ...rows)], footer, true);
  };
}

/** @param {string} name @param {string} words @param {() => unknown} onclick */
const action = (name, words, onclick) => make("button", { type: "button", class: name, onclick }, words);

/** The number of paintings of a search. @param {string} value @param {(value: string) => unknown} change */
function paintings(value, change) {
  const field = make("input", { type: "number", class: "st-spent", min: "2", max: "2000", step: "1", value });
  field.addEventListener("input", () => change(field.value));
  return make("label", { class: "st-field" }, "with", field, "paintings");
}

/**
 * The rows of one axis: which it is, and a place for its values.
 * @param {Which} which
 * @param {string} words
 * @param {string[]} names
 * @param {import("./settings.js").Engine} engine
 * @param {string} first
 * @param {(name: string, holder: HTMLElement) => void} choose
 */
function axisRows(which, words, names, engine, first, choose) {
  const holder = make("div", { class: "st-full st-axisvalues" });
  const options = names.map((name) =>
    make("option", { value: name, selected: name === first }, axisTitle(engine, name)),
  );
  const none = which === "y" && make("option", { value: "" }, "Nothing: one row");
  const select = make("select", { class: `st-axis-${which}` }, none, ...options);
  select.addEventListener("change", () => choose(select.value, holder));
  choose(first, holder);
  return [make("label", {}, words), select, holder];
}

/** @param {string} name @param {State} state @param {() => void} tell @returns {Values} */
function valuesOf(name, state, tell) {
  const control = engineOf(state)?.controls.find((one) => one.name === name);
  if (control?.kind === "choice")
    return picks(
      control.choices.map((value) => [value, value]),
      tell,
    );
  if (control?.kind === "switch") {
    const options = [
      [false, "off"],
      [true, "on"],
    ];
    return picks(/** @type {[boolean, string][]} */ (options), tell);
  }
  if (name === "engine") {
    const usable = state.engines.filter(({ missing }) => !missing);
    return picks(
      usable.map((one) => [one.name, one.title]),
      tell,
    );
  }
  if (name === "mask_shape") {
    const shapes = Object.keys(state.shapes).map((shape) => /** @type {[string, string]} */ ([shape, shape]));
    return picks([...shapes, ["real", "like a known defect"]], tell, shapes.length);
  }
  if (name === "prompt") return promptPicks(state, tell);
  if (name === "negative_prompt") return lines([...new Set([state.negative, ""])], tell);
  const seeds = [0, 1, 2, 3].map((more) => Number(state.seed) + more);
  const start = control ? spread(control, Number(valueOf(state, control))) : seeds;
  return numbers(name, start, numbersHelp(control), tell);
}

/**
 * @param {string} name
 * @param {number[]} start
 * @param {string} help
 * @param {() => void} tell
 * @returns {Values}
 */
function numbers(name, start, help, tell) {
  const field = make("input", {
    type: "text",
    class: `st-values-${name}`,
    value: start.join(", "),
    "aria-label": "Values, separated by commas",
    oninput: tell,
  });
  const node = make("div", {}, field, make("span", { class: "st-help" }, help));
  return { read: () => readNumbers(field.value), node };
}

/**
 * @param {[value: unknown, words: string][]} options
 * @param {() => void} tell
 * @param {number} [ticked] how many are ticked at first
 * @returns {Values}
 */
function picks(options, tell, ticked = Infinity) {
  const boxes = options.map(([value, words], index) => ({
    value,
    words,
    box: make("input", { type: "checkbox", checked: index < ticked, onchange: tell }),
  }));
  const labels = boxes.map(({ box, words }) => make("label", { class: "st-check" }, box, words));
  const read = () => boxes.filter(({ box }) => box.checked).map(({ value }) => value);
  return { read, node: make("div", { class: "st-picks" }, ...labels) };
}

/** @param {State} state @param {() => void} tell */
function promptPicks(state, tell) {
  const { options, ticked } = promptOptions(state);
  const made = picks(
    options.map((prompt) => [prompt, prompt]),
    tell,
    ticked,
  );
  made.node.classList.add("st-column");
  return made;
}

/** @param {string[]} start @param {() => void} tell @returns {Values} */
function lines(start, tell) {
  const field = make("textarea", { rows: "3", "aria-label": "Values, one per line", oninput: tell });
  field.value = start.join("\n");
  const help = make("span", { class: "st-help" }, "one per line; an empty line means none");
  return { read: () => readLines(field.value), node: make("div", {}, field, help) };
}
