// Small elements that several panes of the Curate page use. Knows no candidate.

import { make } from "../shared/dom.js";
import { LAMPS } from "./words.js";

/** @typedef {import("../shared/dom.js").Child} Child */

/**
 * @param {string} words
 * @param {(event: MouseEvent) => unknown} onclick
 * @param {import("../shared/dom.js").Properties} [more]
 */
export const plain = (words, onclick, more = {}) =>
  make("button", { type: "button", class: "plain-button", onclick, ...more }, words);

/** @param {import("./words.js").Light} light @param {import("./state.js").Terms} terms */
export const lamp = (light, { lights }) =>
  make("span", { class: `cu-lamp cu-${light}`, role: "img", "aria-label": lights[light] }, LAMPS[light]);

/** A line that warns. @param {string} words */
export const warning = (words) =>
  make(
    "p",
    { class: "st-told st-warn" },
    make("span", { class: "st-sign", "aria-hidden": "true" }, "i"),
    make("span", {}, words),
  );

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
