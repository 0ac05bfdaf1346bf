// Small elements that several panes of the Curate page use. Knows no candidate.

import { make } from "../shared/dom.js";
import { LAMPS } from "./words.js";

/** @typedef {import("../shared/dom.js").Child} Child */

/** @param {import("./words.js").Light} light @param {import("./state.js").Terms} terms */
export const lamp = (light, { lights }) =>
  make("span", { class: `cu-lamp cu-${light}`, role: "img", "aria-label": lights[light] }, LAMPS[light]);

/** @param {...Child} inside */
export const quiet = (...inside) => make("p", { class: "st-quiet" }, ...inside);

/**
 * Why a page is empty, and where to go on.
 * @param {string} title
 * @param {string} text
 * @param {HTMLElement} way
 */
export const empty = (title, text, way) => [
  make("p", { class: "empty-title" }, title),
  make("p", {}, text),
  way,
];
