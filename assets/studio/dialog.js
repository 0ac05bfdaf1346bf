// The Studio's dialog: a title, what is inside, a footer, and what goes wrong in it. Two short dialogs
// are here as well: a name for a prompt, and the words that an engine knows.

import { find, make } from "../shared/dom.js";
import { sentence } from "../shared/server.js";
import { note } from "../shared/voice.js";

/**
 * @typedef {import("../shared/dom.js").Child} Child
 * @typedef {import("./state.js").Studio} Studio
 * @typedef {ReturnType<typeof dialogOf>} Dialog
 */

/** @param {ParentNode} root */
export function dialogOf(root) {
  const dialog = find(root, ".st-dialog", HTMLDialogElement);
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("close", () => find(root, ".studio").append(find(root, ".st-toast")));

  /** @param {string} title @param {Child[]} inside @param {Child[]} [footer] */
  const open = (title, inside, footer = [], narrow = false) => {
    dialog.classList.toggle("st-narrow", narrow);
    dialog.querySelector(".st-sheet")?.remove();
    dialog.prepend(sheet(title, inside, footer, () => dialog.close()));
    if (!dialog.open) dialog.showModal();
  };

  /**
   * Make of an action one whose errors are said in the dialog.
   * @template {unknown[]} Given
   * @param {(...given: Given) => unknown} action
   */
  const within =
    (action) =>
    /** @param {Given} given */
    async (...given) => {
      const box = find(dialog, ".st-dialogmessage");
      box.replaceChildren();
      try {
        await action(...given);
      } catch (error) {
        const close = () => {
          box.replaceChildren();
          box.style.marginBottom = "";
        };
        box.style.marginBottom = "16px";
        box.replaceChildren(note(sentence(error), "error", close));
      }
    };
  return { open, within, close: () => dialog.close(), isOpen: () => dialog.open };
}

/** @param {string} title @param {Child[]} inside @param {Child[]} footer @param {() => void} close */
function sheet(title, inside, footer, close) {
  const button = make("button", { type: "button", class: "plain-button", onclick: close }, "Close");
  const heading = make("h2", { class: "st-title" }, title);
  return make(
    "div",
    { class: "st-sheet" },
    make("header", {}, heading, make("span", { class: "st-space" }), button),
    make("div", { class: "st-inside" }, make("div", { class: "st-dialogmessage" }), ...inside),
    footer.length > 0 && make("footer", {}, ...footer),
  );
}

/**
 * A function that asks for the name of a prompt.
 * @param {Dialog} dialog
 * @returns {import("./prompt_pane.js").AskName}
 */
export const nameAsker = (dialog) => (prompt, then) => {
  const field = make("input", {
    type: "text",
    class: "st-newname",
    maxlength: "80",
    placeholder: "Fine copper scratches",
    value: prompt.length <= 40 ? prompt : "",
  });
  const save = (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    dialog.close();
    then(field.value);
  };
  const help = make(
    "p",
    { class: "st-quiet st-full" },
    "Saved with its negative prompt, engine and settings.",
  );
  const properties = { class: "st-form", id: "st-nameform", onsubmit: save };
  const form = make("form", properties, make("label", {}, "Name"), field, help);
  const submit = { type: "submit", form: "st-nameform", class: "main-button" };
  const footer = [make("span", { class: "st-space" }), make("button", submit, "Save")];
  dialog.open("Save the prompt as", [form], footer, true);
  field.select();
};

/**
 * A function that shows the words that the procedural engine knows.
 * @param {Studio} studio
 * @param {Dialog} dialog
 */
export const wordList = ({ call, attempt }, dialog) =>
  attempt(async () => {
    /** @type {{ rows: { kind: string, words: string[], effect: string }[] }} */
    const { rows } = await call("words");
    const heads = ["About", "Words", "Effect"].map((title) => make("th", {}, title));
    const lines = rows.map(({ kind, words, effect }, index) =>
      make(
        "tr",
        {},
        make("td", {}, rows[index - 1]?.kind === kind ? "" : kind),
        make("td", {}, words.join(", ")),
        make("td", { class: "st-quiet" }, effect),
      ),
    );
    const table = make(
      "table",
      { class: "table compact st-words" },
      make("thead", {}, make("tr", {}, ...heads)),
      make("tbody", {}, ...lines),
    );
    const help =
      "Words of the negative prompt are excluded or reversed. " +
      "Words that it does not know are listed next to the result.";
    dialog.open(
      "Words that the procedural engine knows",
      [table],
      [make("span", { class: "st-quiet" }, help)],
    );
  });
