// Small elements that several panes of the Inspect page use. Knows no image and no server.

import { make } from "../shared/dom.js";
import { small } from "../shared/parts.js";
import { fixed, outcome, scoreOf } from "./words.js";

/** @type {Record<import("./words.js").Kind, string>} */
const ICONS = {
  normal:
    '<circle cx="8" cy="8" r="8" fill="currentColor"/>' +
    '<path d="M4.5 8.3l2.4 2.4 4.6-5" fill="none" stroke="#fff" stroke-width="1.8"/>',
  defect:
    '<path d="M8 0l8 8-8 8-8-8z" fill="currentColor"/>' +
    '<path d="M5.5 5.5l5 5m0-5l-5 5" stroke="#fff" stroke-width="1.8"/>',
  doubt:
    '<circle cx="8" cy="8" r="8" fill="currentColor"/>' +
    '<path d="M5.7 6.3a2.3 2.3 0 1 1 3.3 2.1c-.7.3-1 .7-1 1.4m0 1.6v1.6" fill="none" stroke="#fff" ' +
    'stroke-width="1.6"/>',
  unknown:
    '<circle cx="8" cy="8" r="8" fill="currentColor"/>' +
    '<path d="M4.5 8h7" stroke="#fff" stroke-width="1.8"/>',
  wrong:
    '<path d="M8 .5L16 15H0z" fill="currentColor"/>' +
    '<path d="M8 5.5v5m0 1.2v1.6" stroke="#fff" stroke-width="1.8"/>',
};

/** @param {import("./words.js").Kind} kind @param {string} words */
export function icon(kind, words) {
  const attributes = { class: `vw-icon ${kind}`, title: words, role: "img", "aria-label": words };
  const holder = make("span", attributes);
  holder.innerHTML = `<svg viewBox="0 0 16 16" aria-hidden="true">${ICONS[kind]}</svg>`;
  return holder;
}

/**
 * A verdict against the truth, with the score where `values` says which.
 * @param {import("./words.js").Entry} image
 * @param {import("./words.js").Side} side
 * @param {import("./words.js").Values} [values]
 */
export function verdict(image, side, values) {
  const { kind, words } = outcome(image, side.verdict);
  const score = values && kind !== "unknown" ? ` ${fixed(scoreOf(side, values))}` : "";
  return make("span", { class: `vw-verdict ${kind}` }, icon(kind, words), words + score);
}

/** @param {import("../shared/dom.js").Child} words @param {import("../shared/dom.js").Properties} [more] */
export const quiet = (words, more = {}) => make("span", { class: "vw-quiet", ...more }, words);

/**
 * All elements below `root` that match a selector.
 * @param {ParentNode} root
 * @param {string} selector
 * @returns {HTMLElement[]}
 */
export const all = (root, selector) => [
  .../** @type {NodeListOf<HTMLElement>} */ (root.querySelectorAll(selector)),
];

/**
 * The element that shows an image in a list.
 * @param {ParentNode} list
 * @param {string} id
 */
export const lineOf = (list, id) =>
  /** @type {HTMLElement | null} */ (list.querySelector(`[data-id="${CSS.escape(id)}"]`));

/**
 * Press the one of several buttons whose data-`name` has this value.
 * @param {ParentNode} root
 * @param {string} name
 * @param {string} value
 */
export function press(root, name, value) {
  for (const button of all(root, `[data-${name}]`))
    button.setAttribute("aria-pressed", String(button.dataset[name] === value));
}

/**
 * What a list says that shows no image.
 * @param {() => unknown} showAll
 */
export const nothingPasses = (showAll) => [
  "No image in this list matches the filter. ",
  small("Show all", showAll, { class: "plain-button small vw-all" }),
];
