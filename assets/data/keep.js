// The row below the image: who changes the region, Remove and Save. Knows the store; the change itself
// is `change`'s.

import { make } from "../shared/dom.js";
import { knownName, rememberName } from "../shared/who.js";

/**
 * @param {import("./state.js").RegionStore} store
 * @param {(action: "save" | "remove", who: string) => void} change called with "" where no name is typed
 */
export function keepPane(store, change) {
  const who = nameField();

  /** @param {"save" | "remove"} action */
  const ask = (action) => {
    if (store.get().busy || (action === "save" && keep.disabled)) return;
    const name = rememberName(who.value);
    if (!name) {
      who.focus();
      who.classList.add("rg-wanted");
    }
    change(action, name);
  };

  const away = make(
    "button",
    {
      type: "button",
      class: "plain-button",
      title: "The whole image counts again",
      onclick: () => ask("remove"),
    },
    "Remove",
  );
  const keep = make("button", { type: "button", class: "main-button", onclick: () => ask("save") }, "Save");
  const show = () => {
    const { busy, region, proposal, drawn } = store.get();
    away.disabled = Boolean(busy) || !region;
    keep.disabled = Boolean(busy || proposal) || drawn.empty || !drawn.undoable;
    keep.textContent = busy === "save" ? "Saving…" : "Save";
  };
  store.subscribe(["busy", "region", "proposal", "drawn"], show);
  store.subscribe(["picture"], () => (who.value ||= knownName()));
  show();
  const row = make(
    "div",
    { class: "rg-bar rg-keep" },
    make("label", { class: "rg-field" }, "By", who),
    make("span", { class: "rg-space" }),
    away,
    keep,
  );
  return { row, ask };
}

function nameField() {
  const field = make("input", {
    type: "text",
    maxlength: "40",
    placeholder: "your name",
    autocomplete: "name",
    title: "Your name is stored with the change; this browser remembers it",
  });
  field.addEventListener("input", () => field.classList.remove("rg-wanted"));
  return field;
}
