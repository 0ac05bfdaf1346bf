// Pictures that are drawn on a canvas, and those that Gradio puts in the place of others. Knows no page.

import { Sentence } from "./server.js";

/** A picture of nothing: an empty mask. */
export const blank = () => Object.assign(document.createElement("canvas"), { width: 1, height: 1 });

/**
 * The picture at an address, once it can be drawn. Throws a Sentence where it cannot be shown.
 * @param {string} address
 * @returns {Promise<HTMLImageElement>}
 */
export const loaded = (address) =>
  new Promise((done, fail) => {
    const image = new Image();
    image.onload = () => done(image);
    image.onerror = () => fail(new Sentence("A picture on this page could not be shown; reload the page."));
    image.src = address;
  });

/**
 * Show nothing where a picture is put in the place of another one, until it is there: Gradio keeps the element, which
 * would show the former picture under the new name.
 * @param {HTMLElement} element
 */
export function loadingHidden(element) {
  const turn = (/** @type {EventTarget | null} */ image, /** @type {string} */ visibility) => {
    if (image instanceof HTMLImageElement) image.style.visibility = visibility;
  };
  for (const kind of ["load", "error"])
    element.addEventListener(kind, ({ target }) => turn(target, ""), true);
  const hide = (/** @type {Node} */ image) =>
    turn(image, image instanceof HTMLImageElement && image.complete ? "" : "hidden");
  new MutationObserver((changes) => changes.forEach(({ target }) => hide(target))).observe(element, {
    subtree: true,
    attributeFilter: ["src"],
  });
}
