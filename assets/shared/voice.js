// Shows sentences: notes, and the message and the toast of a page. Knows the classes .st-message, .st-toast and,
// where a page has one, dialog.st-dialog; knows no page.

import { find, make } from "./dom.js";
import { withLinks } from "./parts.js";
import { sentence } from "./server.js";

/** @typedef {"info" | "done" | "error"} Kind */
const ICONS = { info: "i", done: "✓", error: "!" };

/**
 * A coloured line with an icon, and a Close button where `close` is given.
 * @param {import("./dom.js").Child | import("./dom.js").Child[]} words
 * @param {Kind} kind
 * @param {() => void} [close]
 */
export function note(words, kind, close) {
  return make(
    "div",
    { class: `note ${kind}`, role: kind === "error" ? "alert" : "status" },
    make("span", { class: "note-icon", "aria-hidden": "true" }, ICONS[kind]),
    make("span", { style: "flex: 1" }, typeof words === "string" ? withLinks(words) : words),
    close && make("button", { type: "button", class: "plain-button small", onclick: close }, "Close"),
  );
}

/**
 * What a page says: `say` shows a sentence above everything, `toast` one that goes by itself and can offer an
 * Undo; `attempt` makes of an action one whose errors are shown.
 * @param {ParentNode} page
 */
export function voice(page) {
  const message = find(page, ".st-message");
  const usual = make("span", { hidden: true });
  message.before(usual);
  const dialog = /** @type {HTMLDialogElement | null} */ (page.querySelector("dialog.st-dialog"));
  dialog?.addEventListener("close", () => {
    if (usual.nextSibling === message) return;
    usual.after(message);
    message.hidden = true; // it was about what the dialog held
  });

  /**
   * @param {string | import("./dom.js").Child[]} words
   * @param {Kind} [kind]
   * @param {boolean} [over] whether it lies over the page, which it does not move: nobody pressed anything for it
   */
  const say = (words, kind = "error", over = false) => {
    message.classList.toggle("st-over", over);
    // An open dialog covers the page.
    const inside = dialog?.open && dialog.querySelector(".st-inside");
    if (inside) inside.prepend(message);
    else usual.after(message);
    message.hidden = !words.length;
    message.replaceChildren(words.length ? note(words, kind, () => say("")) : "");
  };

  /**
   * @template {unknown[]} Given
   * @template Answer
   * @param {(...given: Given) => Answer | Promise<Answer>} action
   */
  const attempt =
    (action) =>
    /** @param {Given} given @returns {Promise<Answer | undefined>} */
    async (...given) => {
      try {
        say("");
        return await action(...given);
      } catch (error) {
        say(sentence(error));
      }
    };

  return { say, attempt, toast: toaster(page, attempt) };
}

/**
 * @param {ParentNode} page
 * @param {(action: () => Promise<void>) => () => Promise<void>} attempt
 */
function toaster(page, attempt) {
  const box = find(page, ".st-toast");
  const dialog = /** @type {HTMLDialogElement | null} */ (page.querySelector("dialog.st-dialog"));
  const usual = box.parentElement;
  let fading = 0;
  /** @param {number} lasting milliseconds; longer while it is pointed at or a key would press its button */
  const fade = (lasting) => {
    clearTimeout(fading);
    fading = window.setTimeout(() => {
      if (box.matches(":hover, :focus-within")) fade(1000);
      else box.hidden = true;
    }, lasting);
  };

  const said = make("span", {});
  const button = make("button", { type: "button" }, "Undo");
  box.append(said);

  /** @param {string} words @param {() => unknown} [undo] @param {number} [lasting] milliseconds */
  return (words, undo, lasting = undo ? 9000 : 4000) => {
    const place = dialog?.open ? dialog : usual; // while a dialog is open, nothing outside it can be clicked
    if (box.parentElement !== place) place?.append(box);
    box.hidden = false;
    said.replaceChildren(...withLinks(words));
    button.onclick = attempt(async () => {
      box.hidden = true;
      await undo?.();
    });
    if (!undo) button.remove();
    else if (!button.parentElement) box.append(button);
    box.style.paddingRight = undo ? "8px" : "16px";
    fade(lasting);
  };
}
