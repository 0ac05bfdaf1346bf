// The scales of colours between the panes: which colour stands for which value. Knows the scales' columns and
// does not ask the server.

import { make } from "../shared/dom.js";
import { isLoading } from "./state.js";
import { below, calibratedTicks, differenceTicks, rawTicks } from "./ticks.js";
import { METHODS, TITLES } from "./words.js";

/** @typedef {import("./ticks.js").Tick} Tick */

const SMALL = "font-size: 11px";

/**
 * @param {import("./state.js").InspectStore} store
 * @param {import("./panes.js").Grid} grid
 */
export function scalesPane(store, { score, difference }) {
  store.subscribe(["scales", "picture", "pictured", "result", "values"], (state) => {
    const { scales, result, values, id } = state;
    if (!scales || (id !== null && isLoading(state))) return;
    const raw = values === "raw" ? result : null;
    score.scale.classList.toggle("vw-two", Boolean(raw));
    score.scale.replaceChildren(ramp(scales.score), ...(raw ? rawMarks(raw) : marks(scales)));
    const heading = raw ? METHODS.map((method) => TITLES[method]).join(" | ") : "";
    score.head.replaceChildren(small(heading, `font-weight: 400; ${SMALL}`));
    score.note.replaceChildren(small(raw ? "t threshold, m median normal" : "", SMALL));
    const range = scales.difference_range;
    difference.scale.replaceChildren(ramp(scales.difference), ...ticks(differenceTicks(range), ...range));
  });
}

/** @param {import("./state.js").Scales} scales */
const marks = ({ range }) => ticks(calibratedTicks(range), ...range);

/**
 * Each method has its own numbers: PatchCore's stand on the left.
 * @param {import("./state.js").Result} result
 */
const rawMarks = (result) =>
  METHODS.flatMap((method) => {
    const { raw_marks: raw } = result[method];
    return ticks(rawTicks(raw), raw.low, raw.high, method === "patchcore" ? "vw-left" : "");
  });

/** @param {string} words @param {string} style */
const small = (words, style) => make("span", { class: "vw-quiet", style }, words);

/** @param {string} address */
const ramp = (address) => make("div", { class: "vw-ramp", style: `background-image: url(${address})` });

/** @param {Tick[]} shown @param {number} low @param {number} high */
const ticks = (shown, low, high, side = "") =>
  shown.map(({ value, words }) => {
    const share = below(value, low, high);
    const edge = share < 0.02 ? "vw-first" : share > 0.98 ? "vw-last" : "";
    const style = `top: calc(${share} * (100% - 2px))`;
    return make("div", { class: `vw-tick ${edge} ${side}`, style }, make("span", {}, words));
  });
