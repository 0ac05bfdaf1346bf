// The sliders of a borrowed or generated mask. Knows the store.

import { find, make } from "../shared/dom.js";
import { maskControls, sliders, sliderWords } from "./masks.js";
import { all, mark } from "./parts.js";

/** @typedef {import("./state.js").StudioStore} StudioStore */

/** @param {StudioStore} store */
export const sliderRow = (store) =>
  make("div", { class: "st-sliders" }, ...sliders(store.get()).map((one) => slider(store, one)));

/** @param {StudioStore} store @param {import("./settings.js").Control} control */
function slider(store, { name, title, help, minimum, maximum, step }) {
  const range = make("input", { type: "range", min: minimum, max: maximum, step });
  range.addEventListener("input", () => {
    const state = store.get();
    store.patch({ [state.kind]: { ...state[state.kind], [name]: Number(range.value) } });
  });
  const properties = { class: "st-slider", "data-slider": name, title: help };
  return make("label", properties, make("span", {}, title), make("output"), range);
}

/**
 * Show the values of all sliders, switches and shapes of the tools.
 * @param {ParentNode} box
 * @param {Readonly<import("./state.js").State>} state
 */
export function showSliders(box, state) {
  const { kind, real, generated, vary, fromTest } = state;
  /** @type {Record<string, unknown>} */
  const values = kind === "generated" ? generated : real;
  const controls = new Map(maskControls(state).map((one) => [one.name, one]));
  for (const node of all(box, "[data-slider]")) {
    const control = controls.get(node.dataset.slider || "");
    node.hidden = !control; // a shape of any kind has no length
    if (!control) continue;
    const value = values[control.name] ?? control.default;
    const range = find(node, "input", HTMLInputElement);
    range.value = String(value);
    range.disabled = vary && kind === "real";
    find(node, "output").textContent = sliderWords(control, Number(value));
  }
  check(box, ".st-flip", real.flip);
  check(box, ".st-fromtest", fromTest);
  mark(all(box, "[data-shape]"), "aria-pressed", ({ dataset }) => dataset.shape === generated.shape);
}

/** @param {ParentNode} box @param {string} selector @param {boolean} on */
function check(box, selector, on) {
  const field = /** @type {HTMLInputElement | null} */ (box.querySelector(selector));
  if (field) field.checked = on;
}
