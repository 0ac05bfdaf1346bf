// Pictures that are drawn on a canvas. Knows no page.

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
