// Engines and their settings: which are set, and how a setting is told. Pure: knows no element and no server.

/**
 * A setting or a slider, as pages/studio/page.py tells of it.
 * @typedef {object} Control
 * @property {string} name
 * @property {string} title
 * @property {"number" | "integer" | "switch" | "choice" | "text"} kind
 * @property {any} default
 * @property {number | null} minimum
 * @property {number | null} maximum
 * @property {number | null} step
 * @property {string} unit
 * @property {string} help
 * @property {string[]} choices
 *
 * @typedef {object} Engine
 * @property {string} name
 * @property {string} title
 * @property {string} about
 * @property {string} missing what is to be done before it can paint, or ""
 * @property {string} command the part of `missing` that can be copied
 * @property {Control[]} controls
 * @property {boolean} words whether it knows certain words only
 * @property {boolean} lends whether it transplants a real defect
 * @property {boolean} loads whether a model is loaded first
 * @property {boolean} teaches whether it can be taught
 * @property {string[]} axes settings that a comparison offers
 */

/** Settings that are always in sight; the others are one click away. */
const IN_SIGHT = 6;

/** @typedef {Pick<import("./state.js").State, "engines" | "engine" | "settings">} Set */

/**
 * The engine that is chosen, else the first.
 * @param {Pick<Set, "engines" | "engine">} state
 * @returns {Engine | undefined}
 */
export const engineOf = ({ engines, engine }) => engines.find(({ name }) => name === engine) || engines[0];

/**
 * Whether something can be painted.
 * @param {Pick<import("./state.js").State, "engines" | "engine" | "source">} state
 */
export function isReady(state) {
  const engine = engineOf(state);
  return Boolean(state.source && engine && !engine.missing);
}

/**
 * The value of a setting of the chosen engine.
 * @param {Pick<Set, "engine" | "settings">} state
 * @param {Control} control
 */
export const valueOf = ({ engine, settings }, control) => settings[engine]?.[control.name] ?? control.default;

/**
 * All settings, with one of the chosen engine's set anew; undefined sets it back.
 * @param {Pick<Set, "engine" | "settings">} state
 * @param {string} name
 * @param {unknown} value
 */
export function withSetting({ engine, settings }, name, value) {
  const mine = { ...settings[engine], [name]: value };
  if (value === undefined) delete mine[name];
  return { ...settings, [engine]: mine };
}

/**
 * What differs from the chosen engine's defaults; the rest follows the engine.
 * @param {Set} state
 * @returns {Record<string, unknown>}
 */
export function changedSettings({ engines, engine, settings }) {
  const controls = engines.find(({ name }) => name === engine)?.controls || [];
  const given = settings[engine] || {};
  const changed = controls.filter(({ name, default: normal }) => name in given && given[name] !== normal);
  return Object.fromEntries(changed.map(({ name }) => [name, given[name]]));
}

/**
 * The engines with another default of one control; null where all have it already.
 * @param {Engine[]} engines
 * @param {string} name
 * @param {unknown} normal
 */
export function withDefault(engines, name, normal) {
  const differs = (/** @type {Control} */ one) => one.name === name && one.default !== normal;
  if (!engines.some(({ controls }) => controls.some(differs))) return null;
  const changed = (/** @type {Control} */ one) => (differs(one) ? { ...one, default: normal } : one);
  return engines.map((engine) => ({ ...engine, controls: engine.controls.map(changed) }));
}

/**
 * The engines where one lacks something else now, or null where nothing changes.
 * @param {Engine[]} engines
 * @param {string} name
 * @param {string} missing
 */
export const withMissing = (engines, name, missing) =>
  engines.some((one) => one.name === name && one.missing !== missing)
    ? engines.map((one) => (one.name === name ? { ...one, missing } : one))
    : null;

/**
 * An engine's settings that are always in sight, and those that are folded away.
 * @param {Control[]} controls
 */
export function splitControls(controls) {
  const first = controls.filter(({ kind }) => kind !== "text").slice(0, IN_SIGHT);
  return { first, rest: controls.filter((control) => !first.includes(control)) };
}

/** @param {Control} control */
export const isNumber = ({ kind }) => kind === "number" || kind === "integer";

/**
 * A number as typed, the default where it is none.
 * @param {Control} control
 * @param {string} text
 */
export const readNumber = (control, text) =>
  text === "" || Number.isNaN(Number(text)) ? control.default : Number(text);

/** @param {Control} control @param {unknown} value */
export function shownValue({ kind }, value) {
  if (kind === "switch") return value ? "on" : "off";
  return value === "" ? "none" : String(value);
}

/**
 * "0 to 1: ", in front of a setting's help.
 * @param {Control} control
 */
export function rangeWords(control) {
  const { minimum, maximum, help } = control;
  if (!isNumber(control) || minimum === null || maximum === null) return "";
  return `${minimum} to ${maximum}${help ? ": " : ""}`;
}

/**
 * What an engine misses in three parts, of which the second is a command; or in one.
 * @param {Pick<Engine, "missing" | "command">} engine
 * @returns {[before: string, command?: string, after?: string]}
 */
export function missingParts({ missing, command }) {
  const [before, after] = command ? missing.split(command) : [missing];
  return after === undefined ? [missing] : [before.trim(), command, after.replace(/^[.\s]+/, "")];
}
