// What the active bank version says of the result that is shown: found or not, new or not, and its heatmap over the
// picture. Knows the store and the view of the result; who asks the server it is told.

import { find, make } from "../shared/dom.js";
import { seenWords } from "./candidate.js";

/**
 * @param {import("./state.js").Studio} studio
 * @param {{ showHeat: (map: string) => void }} view
 * @param {() => unknown} look asks what the bank says of the one that is shown
 */
export function seenPane({ root, store }, view, look) {
  const button = find(root, ".st-heat");
  button.addEventListener("click", () => store.patch({ heated: !store.get().heated }));
  const showHeat = () => {
    const { seen, heated, shown } = store.get();
    button.hidden = !shown || shown.status === "accepted";
    button.setAttribute("aria-pressed", String(heated));
    view.showHeat(heated && shown && seen?.id === shown.id ? seen.map : "");
  };
  store.subscribe(["shown"], look);
  store.subscribe(["shown", "seen", "unseen"], (state) => showWords(find(root, ".st-seen"), state));
  store.subscribe(["shown", "previous", "against", "seen", "heated"], showHeat);
  showHeat();
}

/** @param {HTMLElement} box @param {Readonly<import("./state.js").State>} state */
function showWords(box, { shown, seen, unseen }) {
  box.hidden = !shown || shown.status === "accepted";
  if (!seen || seen.id !== shown?.id) {
    box.replaceChildren(make("span", { class: "st-quiet" }, unseen || "Asking the bank…"));
    return;
  }
  const lights = seen.measures.map(({ light, text, meaning }) =>
    make("span", { class: `st-light st-${light}`, title: meaning }, text),
  );
  box.replaceChildren(make("b", {}, seenWords(seen)), ...lights);
}
