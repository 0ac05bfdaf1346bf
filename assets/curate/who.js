// Who decides: one name a browser.

import { find, make } from "../shared/dom.js";
import { rememberName } from "../shared/who.js";
import { dialogOf, sheet } from "./sheet.js";

/** @typedef {import("./state.js").Pane} Pane */

const ABOUT =
  "Your name is stored with every decision, and shows others what you have open. This browser remembers it.";

/** Ask for a name; where there is one already it can stay. @param {Pane} pane @returns {Promise<string>} */
function ask({ page, store }) {
  const { who } = store.get();
  const dialog = dialogOf(page);
  const field = make("input", {
    ...{ type: "text", class: "cu-askwho", maxlength: "40", value: who, autocomplete: "name" },
    "aria-label": "Your name",
  });
  const go = make(
    "button",
    { type: "submit", class: "main-button", form: "cu-whoform", disabled: !who },
    who ? "Save" : "Start",
  );
  field.addEventListener("input", () => (go.disabled = !field.value.trim()));
  return new Promise((done) => {
    /** @param {SubmitEvent} event */
    const onsubmit = (event) => {
      event.preventDefault();
      const name = field.value.trim().replace(/\s+/g, " ");
      if (!name) return;
      dialog.onclose = null;
      done(name);
      dialog.close();
    };
    const form = make("form", { id: "cu-whoform", onsubmit }, field);
    sheet(page, "Who decides?", [make("p", {}, ABOUT), form], [go]);
    // Not a cancel event, of which a browser lets no second one in a row be stopped.
    dialog.onclose = () => (who ? done(who) : dialog.showModal());
    field.focus();
  });
}

/** Ask who decides where nobody knows yet; who may only look has no name. @param {Pane} pane */
export async function knowWho(pane) {
  if (getComputedStyle(find(pane.page, ".cu-you")).display === "none") pane.store.patch({ who: "" });
  else if (!pane.store.get().who) keep(pane, await ask(pane));
}

/** @param {Pane} pane @param {string} who */
function keep({ store }, who) {
  store.patch({ who });
  rememberName(who);
}

/** @param {Pane} pane */
export async function changeWho(pane) {
  const { store, call, desk } = pane;
  const before = store.get().who;
  const name = await ask(pane);
  if (name === before) return;
  const { held, at } = store.get();
  if (held) await call("leave", { id: held, who: before });
  keep(pane, name);
  store.patch({ times: [] });
  await desk.refresh();
  if (at) await desk.show(at);
}
