// Prompts of the library and what a template becomes. Pure: knows no element and no server.

import { counted } from "../shared/words.js";

/**
 * @typedef {object} Prompt
 * @property {string} id
 * @property {string} name
 * @property {string} prompt
 * @property {string} negative_prompt
 * @property {string[]} tags
 * @property {string} engine that it was saved with, or ""
 * @property {Record<string, unknown> | null} settings
 *
 * What a template becomes. each: whether `prompts` are all of them; total: candidates that would be queued.
 * @typedef {{ prompts: string[], each: boolean, total: number, error: string }} Expanded
 *
 * @typedef {import("./state.js").State} State
 */

/** @param {Pick<State, "prompts" | "promptId">} state */
export const chosenPrompt = ({ prompts, promptId }) => prompts.find(({ id }) => id === promptId);

/**
 * Whether the chosen prompt is used with its own words: only then does it count what is made with it.
 * @param {Pick<State, "prompts" | "promptId" | "prompt" | "negative">} state
 */
export function isUntouched(state) {
  const chosen = chosenPrompt(state);
  if (!chosen) return false;
  return chosen.prompt === state.prompt.trim() && chosen.negative_prompt === state.negative.trim();
}

/**
 * What changes when a prompt is loaded: its words, and the engine and settings that it was saved with.
 * @param {Pick<State, "engines" | "settings">} state
 * @param {Prompt} prompt
 * @returns {Partial<State>}
 */
export function loading({ engines, settings }, prompt) {
  const words = { promptId: prompt.id, prompt: prompt.prompt, negative: prompt.negative_prompt };
  const { engine } = prompt;
  if (!engine || !engines.some(({ name }) => name === engine)) return words;
  return { ...words, engine, settings: { ...settings, [engine]: { ...prompt.settings } } };
}

/**
 * Whether each painting of a batch gets another mask.
 * @param {Pick<State, "masks" | "vary">} state
 * @param {number} total paintings
 */
export const isVaried = ({ masks, vary }, total) => vary || (masks === "different" && total > 1);

/** @param {Expanded} expanded */
export const expandedWords = ({ prompts, each }) =>
  each
    ? `${counted(prompts.length, "prompt")} from the alternatives`
    : "Drawn from many alternatives, such as";

/**
 * What a batch would be.
 * @param {Pick<State, "expanded" | "where" | "masks" | "vary" | "count">} state
 */
export function batchWords({ expanded: { prompts, each, total, error }, where, masks, vary, count }) {
  if (error) return error;
  const number = Number(count).toLocaleString("en");
  const many = each && prompts.length > 1 ? `${number} for each of ${prompts.length} prompts: ` : "";
  const on = where === "this" ? "on this image" : "on random normal images";
  const mask = isVaried({ masks, vary }, total) ? "each with a different mask" : "with this mask";
  return `${many}${counted(total, "candidate")} ${on}, ${mask}.`;
}
