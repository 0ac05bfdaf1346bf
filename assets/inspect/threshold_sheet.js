// The menu of the threshold: the list's images as dots, a line to drag over them, ways to find one, who chose the one
// that holds. Knows its own elements; what its buttons do it is given.

import { make } from "../shared/dom.js";
import { plain } from "../shared/parts.js";
import { knownName, rememberName } from "../shared/who.js";
import { timeOf } from "../shared/words.js";
import { dotsOf, rangeOf, shareOf, tally, tallyWords, valueOf, unscoredWords } from "./cutting.js";
import { fixed } from "./words.js";

/**
 * @typedef {import("./state.js").State} State
 * @typedef {object} Acts
 * @property {(value: number) => void} move
 * @property {(way: { way: "rate" | "f1" | "cost", rate?: number, miss?: number }) => unknown} look
 * @property {() => unknown} use
 * @property {() => unknown} undo
 */

const STEPS = 1000; // of the slider
const NO_NAME = 'Enter your name in "By": it is stored with the threshold.';
const AS_BUILT = "1 is the threshold that this version was built with.";

/**
 * The menu's elements, and a function that shows a threshold in them; `said`: how it was found.
 * @param {import("./state.js").InspectStore} store
 * @param {Acts} acts
 */
export function sheetOf(store, { move, look, use, undo }) {
  const picture = make("div", { class: "vw-dots", "aria-hidden": "true" });
  const value = make("output", { class: "vw-cutvalue" });
  const counts = make("p", { class: "vw-counts", role: "status" });
  const history = make("p", { class: "vw-help" });
  const back = plain("Undo", undo, { class: "plain-button vw-cutundo" });
  const slider = sliderOf((share) => {
    move(valueOf(share, rangeOf(dotsOf(store.get(), store.get().threshold?.value ?? 1))));
  });
  const nodes = [
    make("p", { class: "vw-row" }, make("b", {}, "Threshold"), value),
    make("div", { class: "vw-cutplot" }, picture, slider),
    counts,
    waysOf(look),
    useRow(use),
    make("div", { class: "vw-row" }, history, back),
  ];
  /** @param {State} state @param {number} at @param {string} said */
  const show = (state, at, said) => {
    const { threshold } = state;
    const dots = dotsOf(state, threshold?.value ?? 1);
    const range = rangeOf(dots);
    value.textContent = fixed(at);
    slider.value = String(Math.round(shareOf(at, range) * STEPS));
    counts.textContent =
      (said || effectOf(dots, at)) + (dots.length ? unscoredWords(state.images.length, dots) : "");
    picture.replaceChildren(
      ...dots.map(({ value: one, label }) =>
        make("i", { class: `vw-dot-${label || "unknown"}`, style: `left: ${shareOf(one, range) * 100}%` }),
      ),
    );
    back.hidden = !threshold?.chosen;
    history.textContent = historyOf(threshold);
  };
  return { nodes, show };
}

/** @param {(share: number) => void} slid */
function sliderOf(slid) {
  /** @type {HTMLInputElement} */
  const slider = make("input", {
    ...{ type: "range", class: "vw-cutline", min: 0, max: STEPS, step: 1 },
    "aria-label": "Threshold",
    oninput: () => slid(Number(slider.value) / STEPS),
  });
  return slider;
}

/** @param {Acts["look"]} look */
function waysOf(look) {
  const rate = numberField("2", "Percentage of held-out normal images above it");
  const miss = numberField("10", "False alarms that one missed defect is worth");
  const byRate = () => look({ way: "rate", rate: Number(rate.value) / 100 });
  const byCost = () => look({ way: "cost", miss: Number(miss.value) });
  return make(
    "div",
    { class: "vw-ways" },
    make("div", { class: "vw-row" }, plain("By rate", byRate), rate, "% false alarms"),
    make("div", { class: "vw-row" }, plain("By cost", byCost), "a miss is", miss, "false alarms"),
    make(
      "div",
      { class: "vw-row" },
      plain("By F1", () => look({ way: "f1" })),
      "of this list",
    ),
  );
}

/** @param {() => unknown} use */
function useRow(use) {
  const who = make("input", { type: "text", class: "vw-cutwho", maxlength: "40", placeholder: "your name" });
  who.value = knownName();
  const missing = make("p", { class: "vw-noname", role: "alert", hidden: true }, NO_NAME);
  const useIt = () => {
    const isNamed = Boolean(rememberName(who.value));
    who.setAttribute("aria-invalid", String(!isNamed));
    missing.hidden = isNamed;
    if (isNamed) use();
    else who.focus();
  };
  const button = plain("Use this", useIt, { class: "main-button vw-use" });
  const row = make("div", { class: "vw-row" }, make("label", { class: "vw-row" }, "By", who), button);
  return make("div", {}, row, missing);
}

/** @param {import("./cutting.js").Dot[]} dots @param {number} at */
const effectOf = (dots, at) =>
  dots.length ? `On this list it ${tallyWords(tally(dots, at))}.` : "Score the list to see what it does.";

/** @param {State["threshold"]} threshold */
function historyOf(threshold) {
  if (!threshold?.chosen) return AS_BUILT;
  const { who, created, said } = threshold.chosen;
  return `${fixed(threshold.value)} by ${who}, ${timeOf(created, new Date())}: ${said}`;
}

/** @param {string} value @param {string} label */
const numberField = (value, label) =>
  make("input", {
    type: "number",
    class: "vw-cutnumber",
    value,
    min: "0.1",
    step: "any",
    "aria-label": label,
  });
