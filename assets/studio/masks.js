// Masks as the form describes them: what is asked of the server, sliders, the brush. Pure: knows no element.

/**
 * @typedef {import("./state.js").State} State
 * @typedef {import("./settings.js").Control} Control
 *
 * A normal image to paint on. image: address of its copy; editor: the copy's size.
 * An image to paint on. number: its place among those that may be painted on, or -1.
 * @typedef {object} Canvas
 * @property {string} id
 * @property {string} name
 * @property {number} number
 * @property {string} image address of a picture
 * @property {number} width
 * @property {number} height
 * @property {[width: number, height: number]} editor size of its copy
 *
 * @typedef {[left: number, top: number, width: number, height: number]} Box in pixels of the image
 *
 * What the server made of a mask. problem: why nothing can be painted into it, or ""; share: of the image.
 * @typedef {{ problem: string, note: string, box: Box | null, share: number }} Measured
 *
 * A real defect that can lend its mask.
 * @typedef {{ id: string, name: string, type: string, split: string }} Donor
 */

/** @type {Record<import("./state.js").Kind, string>} */
export const KINDS = {
  drawn: "Paint where the defect goes.",
  real: "A real defect's mask: drag, turn and scale it on the image.",
  generated: "A shape set with sliders: drag it into place.",
  uploaded: "A mask file: white where the defect goes.",
};

/**
 * The mask as the server is to make it.
 * @param {import("./state.js").Form} form
 */
export function maskSpec({ kind, vary, prior, fromTest, drawn, real, generated, uploaded }) {
  const shared = { source: kind, vary, prior, from_test: fromTest };
  if (kind === "drawn") return { ...shared, layer: drawn.layer, base: drawn.base };
  if (kind === "uploaded") return { ...shared, file: uploaded.file };
  return kind === "real" ? { ...shared, ...real, image: real.image || "" } : { ...shared, ...generated };
}

/** Whether the mask can be moved on the image. @param {Pick<State, "kind" | "vary" | "real">} form */
export const isMovable = ({ kind, vary, real }) =>
  !vary && (kind === "generated" || (kind === "real" && real.image !== null));

/**
 * What a pointer on the mask does.
 * @param {Pick<State, "kind" | "vary" | "real" | "tool">} state
 * @returns {import("./state.js").Tool | "place" | "none"}
 */
export function modeOf({ kind, vary, real, tool }) {
  if (kind === "drawn" && !vary) return tool;
  return isMovable({ kind, vary, real }) ? "place" : "none";
}

/** @param {Pick<State, "kind" | "generated" | "shapes" | "borrowed">} state */
export const maskControls = ({ kind, generated, shapes, borrowed }) =>
  (kind === "generated" ? shapes[generated.shape] : borrowed) || [];

/** What is dragged on the image, ticked or drawn anew has no slider. */
const OTHERWISE = ["x", "y", "flip", "seed"];

/** @param {Parameters<typeof maskControls>[0]} state */
export const sliders = (state) => maskControls(state).filter(({ name }) => !OTHERWISE.includes(name));

/**
 * Where a slider begins, by name.
 * @param {Control[]} controls
 * @returns {Record<string, any>}
 */
export const starts = (controls) => Object.fromEntries(controls.map((one) => [one.name, one.default]));

/**
 * The mask of the chosen kind with other values, each within its slider's limits.
 * @param {State} state
 * @param {Record<string, number>} change
 * @returns {Partial<State>}
 */
export function placedAt(state, change) {
  const { kind } = state;
  const limits = new Map(maskControls(state).map((one) => [one.name, one]));
  const within = Object.entries(change).map(([name, value]) => {
    const { minimum, maximum } = limits.get(name) || {};
    return [name, Math.min(Math.max(value, minimum ?? -Infinity), maximum ?? Infinity)];
  });
  return { [kind]: { ...state[kind], ...Object.fromEntries(within) } };
}

/**
 * A slider's value with its unit.
 * @param {Control} control
 * @param {number} value
 */
export function sliderWords({ step, unit }, value) {
  const by = step ?? 1;
  const words = value.toFixed(by < 0.1 ? 2 : by < 1 ? 1 : 0).replace("-", "−");
  if (!unit) return words;
  return unit === "°" ? `${words}°` : `${words} ${unit}`;
}

/** @param {number} share 0 to 1 */
export const percent = (share) => `${(100 * share).toFixed(share < 0.001 ? 3 : share < 0.1 ? 2 : 1)} %`;

/** @param {Measured} measured */
export const measuredWords = ({ share, box }) =>
  share && box ? `${percent(share)} of the image · ${box[2]} × ${box[3]} px` : "";

// ---- the brush: its range has 100 steps, each larger than the one before by the same factor

/** Pixels of the image per pixel of its copy. @param {Canvas | null} picture */
export const reductionOf = (picture) => (picture ? picture.width / picture.editor[0] : 1);

/** The limits of the brush, in pixels of the image. @param {Canvas | null} picture */
function brushLimits(picture) {
  const longer = Math.max(picture?.width || 64, picture?.height || 64);
  return { least: Math.max(1, Math.ceil(reductionOf(picture))), most: Math.max(2, longer / 4) };
}

/** The brush as it can be used on an image. @param {Pick<State, "brush" | "picture">} state */
export function brushOn({ brush, picture }) {
  const { least, most } = brushLimits(picture);
  return Math.min(most, Math.max(least, brush));
}

/** The brush at a step of the range. @param {number} step @param {Canvas | null} picture */
export function brushAt(step, picture) {
  const { least, most } = brushLimits(picture);
  return Math.round(least * (most / least) ** (step / 100));
}

/** The step of the range for a brush. @param {number} brush @param {Canvas | null} picture */
export function stepOf(brush, picture) {
  const { least, most } = brushLimits(picture);
  return (100 * Math.log(brush / least)) / Math.log(most / least);
}

/**
 * The next larger or smaller brush.
 * @param {Pick<State, "brush" | "picture">} state
 * @param {boolean} up
 */
export function nextBrush({ brush, picture }, up) {
  const next = up ? Math.max(brush + 1, brush * 1.25) : Math.min(brush - 1, brush / 1.25);
  return Math.round(brushOn({ brush: next, picture }));
}
