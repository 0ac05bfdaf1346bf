// Ties a field of the page's HTML to a field of the store, both ways. Knows neither what it means.

import { find } from "../shared/dom.js";

/**
 * @param {import("./state.js").Studio} studio
 * @param {string} selector
 * @param {"prompt" | "negative" | "type" | "seed" | "count" | "where" | "masks"} name
 */
export function tieText({ root, store }, selector, name) {
  const field = /** @type {HTMLInputElement} */ (find(root, selector));
  field.addEventListener("input", () => store.patch({ [name]: field.value }));
  store.subscribe([name], (state) => {
    if (field.value !== String(state[name])) field.value = String(state[name]);
  });
  field.value = String(store.get()[name]);
}

/**
 * @param {import("./state.js").Studio} studio
 * @param {string} selector
 * @param {"newSeed" | "vary" | "prior"} name
 */
export function tieCheck({ root, store }, selector, name) {
  const field = find(root, selector, HTMLInputElement);
  field.addEventListener("change", () => store.patch({ [name]: field.checked }));
  store.subscribe([name], (state) => (field.checked = state[name]));
  field.checked = store.get()[name];
}
