// Candidates: what was painted, what differs between two of them, and how one becomes the form again. Pure.

import { FORM } from "./state.js";
import { starts } from "./masks.js";

/**
 * A candidate in the list of results.
 * @typedef {object} Item
 * @property {string} id
 * @property {string} prompt
 * @property {string} title of its engine
 * @property {string} engine
 * @property {number} seed
 * @property {string} status
 *
 * One with its whole record.
 * @typedef {object} Whole
 * @property {string} source
 * @property {boolean} isThere whether it may still be painted on
 * @property {number} width
 * @property {number} height
 * @property {[x: number, y: number][][]} outline of what was painted
 * @property {string} negative_prompt
 * @property {string} prompt_id
 * @property {Record<string, unknown>} settings
 * @property {{ name: string, title: string, value: string }[]} settings_shown
 * @property {string} version
 * @property {Record<string, any>} mask
 * @property {string} mask_key the same for the same mask
 * @property {string} donor
 * @property {string} defect_type
 * @property {string[]} notes
 * @property {string} parent
 * @property {number} seconds that it took
 * @property {string} created
 * @property {boolean} compares_prompts whether a comparison varied its prompt
 * @typedef {Item & Whole} Candidate
 *
 * What the active bank version says of one, as pages/studio/eyes.py tells of it.
 * @typedef {object} Seen
 * @property {string} id
 * @property {string} version
 * @property {boolean} found
 * @property {string} verdict
 * @property {number | null} score 0 for the median of normal images, 1 for the threshold
 * @property {{ light: string, text: string, meaning: string }[]} measures
 * @property {string} map address of the heatmap
 *
 * @typedef {import("./state.js").State} State
 */

/**
 * Where a picture of a candidate is: "image", "source" or "close".
 * @param {string} id
 * @param {string} what
 */
export const address = (id, what) => `./candidate?id=${encodeURIComponent(id)}&what=${what}`;

/** @param {Item} item */
export const itemTitle = ({ prompt, title, seed }) => `${prompt}\n${title} · seed ${seed}`;

/** @param {Candidate} record */
export function madeWords({ status, seconds, parent }) {
  const time = seconds < 10 ? seconds.toFixed(1) : Math.round(seconds);
  return `${status}, painted in ${time} s${parent ? `, edited from ${parent.slice(0, 6)}` : ""}`;
}

/** Whether nobody has decided on it. @param {Item} item */
export const isUndecided = ({ status }) => status === "pending" || status === "draft";

/** @param {Seen} seen */
export function seenWords({ found, verdict, score, version }) {
  const at = score === null ? "" : `: score ${score.toFixed(2).replace("-", "−")}, threshold 1`;
  const words = found ? "finds it" : verdict === "not sure" ? "is not sure" : "does not find it";
  return `Bank ${version} ${words}${at}`;
}

/**
 * What changes when a candidate is shown. The one that is compared with stays, else the one before.
 * @param {Pick<State, "shown" | "previous" | "pinned">} state
 * @param {Candidate} record
 */
export function showing({ shown, previous, pinned }, record) {
  const before = pinned || (shown && shown.id !== record.id ? shown : previous);
  return { shown: record, shownId: record.id, previous: before };
}

/**
 * Whether a candidate can be laid over the one shown before.
 * @param {Candidate | null} previous
 * @param {Candidate} record
 */
export const isComparable = (previous, record) =>
  Boolean(previous) &&
  previous?.id !== record.id &&
  previous?.width === record.width &&
  previous?.height === record.height;

/** @type {[name: keyof Candidate, title: string, told: boolean][]} */
const COMPARED = [
  ["source", "image", false],
  ["prompt", "prompt", true],
  ["negative_prompt", "negative prompt", true],
  ["title", "engine", true],
  ["seed", "seed", true],
  ["mask_key", "mask", false],
];

/**
 * What differs between two results: one thing, if one thing was changed. `values` is null where
 * there is nothing to read in them.
 * @param {Candidate | null} before
 * @param {Candidate} now
 * @returns {{ title: string, values: string | null }[]}
 */
export function changesBetween(before, now) {
  if (!before || before.id === now.id) return [];
  const changes = COMPARED.filter(([name]) => before[name] !== now[name]).map(([name, title, told]) => ({
    title,
    values: told ? `${before[name]} → ${now[name]}` : null,
  }));
  if (before.engine !== now.engine) return changes;
  for (const { name, title, value } of now.settings_shown) {
    const old = before.settings_shown.find((other) => other.name === name);
    if (old && old.value !== value) {
      changes.push({ title: title.toLowerCase(), values: `${old.value} → ${value}` });
    }
  }
  return changes;
}

/**
 * Whether a candidate's mask can be made again from its description; any other is edited as it was drawn.
 * @param {Candidate} record
 */
export const isPlaceable = ({ mask }) =>
  !mask.vary && ((mask.source === "real" && Boolean(mask.image)) || mask.source === "generated");

/**
 * The form that painted a candidate, but for its image.
 * @param {State} state
 * @param {Candidate} record
 * @param {import("./state.js").Drawn | null} drawn its mask to the pixel, where that is not placeable
 * @returns {Partial<State>}
 */
export function editing(state, record, drawn) {
  const { mask } = record;
  const fromTest = Boolean(mask.from_test);
  /** @type {Partial<State>} */
  const form = {
    vary: false,
    fromTest,
    engine: record.engine,
    settings: { ...state.settings, [record.engine]: { ...record.settings } },
    prompt: record.prompt,
    negative: record.negative_prompt,
    promptId: record.prompt_id,
    seed: record.seed,
    parent: record.id,
    donor: record.donor,
    type: record.defect_type,
  };
  if (fromTest !== state.fromTest) form.donors = null;
  if (drawn) return { ...form, kind: "drawn", drawn };
  const kind = /** @type {"real" | "generated"} */ (mask.source);
  const known = kind === "generated" ? { ...FORM.generated, ...starts(state.shapes[mask.shape]) } : FORM.real;
  const placed = Object.fromEntries(Object.keys(known).map((name) => [name, mask[name]]));
  return { ...form, kind, [kind]: { ...state[kind], ...placed } };
}

/**
 * What a cell of a comparison lends: its engine, settings, seed and, where they were compared, prompts.
 * @param {Pick<State, "settings">} state
 * @param {Candidate} record
 * @returns {Partial<State>}
 */
export function reusing({ settings }, record) {
  const form = {
    engine: record.engine,
    seed: record.seed,
    settings: { ...settings, [record.engine]: { ...record.settings } },
  };
  if (!record.compares_prompts) return form;
  const { prompt, negative_prompt: negative, prompt_id: promptId } = record;
  return { ...form, prompt, negative, promptId };
}

/**
 * Whether a list of results tells what another one tells.
 * @param {Item[]} before
 * @param {Item[]} now
 */
export const isSameList = (before, now) =>
  now.length === before.length &&
  now.every(({ id, status }, index) => id === before[index].id && status === before[index].status);
