// Small elements and helpers that several panes of the Studio use.

import { make } from "../shared/dom.js";

/** A button that reads like a link. @param {string} words @param {() => unknown} onclick */
export const link = (words, onclick) => make("button", { type: "button", class: "st-reset", onclick }, words);

/** How far something is. @param {string} label @param {number} fraction 0 to 1 */
export const bar = (label, fraction) =>
  make(
    "span",
    { class: "bar", role: "progressbar", "aria-label": label },
    make("span", { style: `width: ${100 * fraction}%` }),
  );

/**
 * @param {Iterable<HTMLElement>} buttons
 * @param {string} attribute
 * @param {(node: HTMLElement) => boolean} is
 */
export function mark(buttons, attribute, is) {
  for (const button of buttons) button.setAttribute(attribute, String(is(button)));
}

/** @param {ParentNode} root @param {string} selector */
export const all = (root, selector) => /** @type {HTMLElement[]} */ ([...root.querySelectorAll(selector)]);

/**
 * Call an action once no call has come for `wait` milliseconds.
 * @param {() => unknown} action
 * @param {number} wait
 */
export function settled(action, wait) {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = window.setTimeout(action, wait);
  };
}

/** @param {number} milliseconds */
export const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

/** Another seed. @param {ParentNode} root its seed field tells the largest */
export function drawSeed(root) {
  const field = /** @type {HTMLInputElement} */ (root.querySelector(".st-seed"));
  return Math.floor(Math.random() * (Number(field.max) + 1));
}
