// Shows sentences: notes, and the message of a page. Knows the class .st-message and, where a page has one,
// dialog.st-dialog; knows no page.

import { find, make } from "./dom.js";
import { withLinks } from "./parts.js";
import { sentence, SILENT } from "./server.js";
import { floater, toaster } from "./toast.js";

/** @typedef {"info" | "done" | "error"} Kind */
const ICONS = { info: "i", done: "✓", error: "!" };

/**
 * A coloured line with an icon, and a Close button where `close` is given. That the server is silent
 * goes by itself.
 * @param {import("./dom.js").Child | import("./dom.js").Child[]} words
 * @param {Kind} kind
 * @param {() => void} [close]
 */
export function note(words, kind, close) {
  const shown = make(
    "div",
    { class: `note ${kind}`, role: kind === "error" ? "alert" : "status" },
    make("span", { class: "note-icon", "aria-hidden": "true" }, ICONS[kind]),
    make("span", { style: "flex: 1" }, typeof words === "string" ? withLinks(words) : words),
    close && make("button", { type: "button", class: "plain-button small", onclick: close }, "Close"),
  );
  // A newer sentence may stand in its place by then.
  const end = () => shown.isConnected && close?.();
  if (words === SILENT) document.addEventListener("exdd-answers", end, { once: true });
  return shown;
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
  const float = floater(message, dialog);
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
    const isNew = message.hidden || !message.classList.contains("st-over");
    message.classList.toggle("st-over", over);
    message.style.transform = "";
    // An open dialog covers the page.
    const inside = dialog?.open && dialog.querySelector(".st-inside");
    if (inside) inside.prepend(message);
    else usual.after(message);
    message.hidden = !words.length;
    message.replaceChildren(words.length ? note(words, kind, () => say("")) : "");
    if (over) float(isNew);
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
