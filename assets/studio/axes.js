// The axes of a comparison: what can be varied, and which values are proposed. Pure: knows no element,
// no server.

/**
 * @typedef {import("./settings.js").Control} Control
 * @typedef {import("./settings.js").Engine} Engine
 */

/** Besides the engine's own settings. @type {Record<string, string>} */
const OTHERS = {
  prompt: "Prompt",
  negative_prompt: "Negative prompt",
  engine: "Engine",
  mask_shape: "Mask shape",
  seed: "Seed",
};

/**
 * What can be varied with an engine, by name.
 * @param {Engine} engine
 */
export const axisNames = ({ axes, controls }) => [
  ...axes.filter((name) => controls.some((control) => control.name === name)),
  ...Object.keys(OTHERS),
];

/** @param {Engine} engine @param {string} name */
export const axisTitle = ({ controls }, name) =>
  controls.find((control) => control.name === name)?.title || OTHERS[name] || "Nothing";

/**
 * The axes to begin with: those of the last time where they still can be varied.
 * @param {string[]} names
 * @param {{ x: string, y: string }} last
 */
export function firstAxes(names, last) {
  const usual = ["guidance", "strength"].find((name) => names.includes(name)) || "seed";
  const x = names.includes(last.x) ? last.x : usual;
  return { x, y: names.includes(last.y) && last.y !== x ? last.y : "" };
}

/**
 * Up to four values around the one that is set.
 * @param {Control} control
 * @param {number} now
 */
export function spread({ minimum, maximum, step, kind }, now) {
  const by = step || (kind === "integer" ? 1 : 0.1);
  const digits = String(by).split(".")[1]?.length || 0;
  const low = minimum ?? now - 4 * by;
  const high = maximum ?? now + 4 * by;
  const middle = now > low ? now : (low + high) / 4;
  const tidy = (/** @type {number} */ value) =>
    Number((Math.round(Math.min(high, Math.max(low, value)) / by) * by).toFixed(digits));
  return [...new Set([middle * 0.5, middle, middle * 1.5, middle * 2].map(tidy))];
}

/**
 * Numbers out of a text with commas, semicolons or spaces between, each once.
 * @param {string} text
 */
export function readNumbers(text) {
  const numbers = text
    .split(/[,;\s]+/)
    .filter(Boolean)
    .map(Number);
  return [...new Set(numbers.filter((value) => !Number.isNaN(value)))];
}

/** The lines of a text, each once. @param {string} text */
export const readLines = (text) => [...new Set(text.split("\n").map((line) => line.trim()))];

/** @param {Control | undefined} control */
export function numbersHelp(control) {
  if (!control || control.minimum === null || control.maximum === null) return "separated by commas";
  const unit = control.unit ? ` ${control.unit}` : "";
  return `${control.minimum} to ${control.maximum}${unit}, separated by commas`;
}

/**
 * The prompts that a comparison offers, and how many of them are ticked at first: those of the
 * template, then the library's.
 * @param {Pick<import("./state.js").State, "expanded" | "prompts" | "prompt" | "cells">} state
 */
export function promptOptions({ expanded, prompts, prompt, cells }) {
  const counted = expanded.each && expanded.prompts.length > 1;
  const here = counted ? expanded.prompts.slice(0, cells) : [prompt];
  const options = [...new Set([...here, ...prompts.map((one) => one.prompt)])].filter(Boolean);
  return { options, ticked: Math.min(6, Math.max(2, here.length)) };
}

/**
 * What is wrong with a grid, or "".
 * @param {number[]} counts of values on each axis
 * @param {number} most cells
 */
export function gridProblem(counts, most) {
  if (counts.includes(0)) return "Each axis needs at least one value.";
  const cells = counts.reduce((a, b) => a * b, 1);
  return cells > most ? `That would be ${cells} cells; a comparison has at most ${most}.` : "";
}

/** @param {number[]} counts of values on each axis */
export function gridWords(counts) {
  const cells = counts.reduce((a, b) => a * b, 1);
  const sum = counts.length > 1 ? `${counts.join(" × ")} = ${cells}` : `${cells}`;
  const rest = "the same image and mask, all other settings unchanged. They go to the front of the queue.";
  return `${sum} ${cells === 1 ? "candidate" : "candidates"}: ${rest}`;
}
