// Small elements that several pages use: plain buttons and a line that warns. Knows no page.

import { make } from "./dom.js";
import { linked } from "./words.js";

/**
 * @param {string} words
 * @param {(event: MouseEvent) => unknown} onclick
 * @param {import("./dom.js").Properties} [more]
 */
export const plain = (words, onclick, more = {}) =>
  make("button", { type: "button", class: "plain-button", onclick, ...more }, words);

/**
 * @param {string} words
 * @param {(event: MouseEvent) => unknown} onclick
 * @param {import("./dom.js").Properties} [more]
 */
export const small = (words, onclick, more = {}) =>
  plain(words, onclick, { class: "plain-button small", ...more });

/** A sentence whose names of other pages lead there. @param {string} words */
export const withLinks = (words) =>
  linked(words, location.pathname.split("/").pop() || "").map((piece) =>
    piece.href ? make("a", { href: piece.href }, piece.words) : piece.words,
  );

/** A line with a sign in front. @param {string} words */
export const warning = (words) =>
  make(
    "p",
    { class: "st-told st-warn" },
    make("span", { class: "st-sign", "aria-hidden": "true" }, "i"),
    make("span", {}, withLinks(words)),
  );

/**
 * A button that copies a line. A browser may refuse, as on a plain http address: then the line is selected.
 * @param {HTMLElement} line
 */
export function copyButton(line) {
  const button = small("Copy", async () => {
    try {
      await navigator.clipboard.writeText(line.textContent ?? "");
      button.textContent = "Copied";
    } catch {
      getSelection()?.selectAllChildren(line);
      button.textContent = "Selected; press Ctrl+C or ⌘C";
    }
  });
  return button;
}
