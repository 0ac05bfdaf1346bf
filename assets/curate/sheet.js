// The dialog of the Curate page, and waiting in it for what takes longer than a moment. Knows no candidate.

import { find, make } from "../shared/dom.js";
import { plain } from "../shared/parts.js";

/** @typedef {import("../shared/dom.js").Child} Child */

/** What a question that was begun in the background tells at its end. @typedef {any} Ended */

/**
 * Show a question. Without buttons below it, it is closed at its head, and nothing moves where what is inside grows.
 * @param {HTMLElement} page
 * @param {string} title
 * @param {Child[]} inside
 * @param {HTMLElement[]} [buttons]
 */
export function sheet(page, title, inside, buttons = []) {
  const dialog = dialogOf(page);
  dialog.onclose = null; // what another question did when it was closed
  const space = make("span", { class: "st-space" });
  const footer = buttons.length > 0 && make("footer", {}, space, ...buttons);
  const ends = buttons.length ? [] : [space, plain("Close", () => dialog.close())];
  const header = make("header", {}, make("h2", { class: "st-title" }, title), ...ends);
  const body = make("div", { class: "st-inside cu-inside" }, ...inside);
  dialog.replaceChildren(make("div", { class: "st-sheet" }, header, body, footer));
  if (!dialog.open) dialog.showModal();
}

/** @param {HTMLElement} page */
export const dialogOf = (page) => find(page, ".st-dialog", HTMLDialogElement);

/**
 * A function that waits for what was begun in the background. What takes longer than a moment shows how far
 * it is.
 * @param {HTMLElement} page
 * @param {(name: string, argument: object) => Promise<any>} call
 * @param {import("./state.js").Pane["voice"]} voice
 */
export function follower(page, call, voice) {
  const dialog = dialogOf(page);
  /** @param {{ run: string }} begun @returns {Promise<Ended>} */
  return async ({ run }) => {
    const bar = make("span");
    const line = make("span", {}, "Starting");
    const began = Date.now();
    const stop = voice.attempt(() => call("stop", { run }));
    const fill = () =>
      sheet(
        page,
        "One moment",
        [
          make("span", { class: "bar", role: "progressbar", "aria-label": "Decided" }, bar),
          make("p", { class: "st-quiet" }, line),
        ],
        [plain("Cancel", stop)],
      );
    let isShown = dialog.open;
    if (isShown) fill();
    try {
      for (;;) {
        const answer = await call("look", { run });
        if (answer.over) return answer;
        if (!isShown && !dialog.open && Date.now() - began > 800) {
          isShown = true;
          fill();
        }
        bar.style.width = `${100 * answer.fraction}%`;
        line.textContent = answer.text;
        await new Promise((done) => setTimeout(done, 120));
      }
    } finally {
      if (isShown && bar.isConnected) dialog.close(); // another question may be there by now
    }
  };
}
