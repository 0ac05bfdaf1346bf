// The candidate that is shown: its picture, its name and status, the buttons that decide, its type, and what
// of its mask is left out of the bank. Knows one candidate; how it is decided on is said elsewhere.

import { find, make } from "../shared/dom.js";
import { counted } from "../shared/words.js";
import { changeView } from "./state.js";
import { addressOf, placeOf, SIGNS } from "./words.js";

/** @typedef {import("./state.js").Pane} Pane */
/** @typedef {import("./words.js").Candidate} Candidate */

/** @param {Pane} pane @param {import("./deciding.js").Deciding} deciding */
export function showCandidate(pane, deciding) {
  const { page, store } = pane;
  store.subscribe(["shown"], ({ shown }) => {
    showPicture(pane, shown);
    showHead(page, shown);
  });
  store.subscribe(["at", "shown"], ({ at, shown }) => {
    // Its picture is still loading; keys decide on it nevertheless.
    find(page, ".cu-decide").setAttribute("aria-busy", String(Boolean(at) && shown?.id !== at));
  });
  store.subscribe(["shown", "measured", "view", "tool"], () => showLeftOut(pane));
  store.subscribe(["view"], () => showSwitches(pane));
  showPicture(pane, null);
  showHead(page, null);
  wireType(pane, deciding);
  for (const [name, toggle] of Object.entries(switches(pane))) {
    find(page, `.cu-${name}`).addEventListener("click", toggle);
  }
}

/** What the buttons above the picture turn. @param {Pane} pane */
export const switches = ({ store }) => ({
  close: () => changeView(store, { close: !store.get().view.close }),
  outline: () => changeView(store, { outlined: !store.get().view.outlined }),
  left: () => changeView(store, { hatched: !store.get().view.hatched }),
});

/** @param {Pane} pane @param {Candidate | null} shown */
function showPicture({ page, store, viewer }, shown) {
  find(page, ".cu-view").classList.toggle("cu-none", !shown);
  if (!shown) {
    viewer.size = null;
    return;
  }
  const { id, width, height, outline } = shown;
  viewer.show({ before: addressOf(id, "source"), after: addressOf(id, "image"), width, height, outline });
  // Preload the pictures of the next two candidates.
  const { items } = store.get();
  const place = placeOf(items, id);
  for (const next of items.slice(place + 1, place + 3)) {
    new Image().src = addressOf(next.id, "source");
    new Image().src = addressOf(next.id, "image");
  }
}

/** @param {HTMLElement} page @param {Candidate | null} shown */
function showHead(page, shown) {
  const name = find(page, ".cu-name");
  name.textContent = name.title = shown ? shown.prompt || shown.title : "";
  find(page, ".cu-status").replaceChildren(shown ? tagOf(shown) : "");
  const isFree = shown?.status === "pending" && !shown.holder;
  for (const action of ["accept", "reject", "trim"]) {
    find(page, `.cu-${action}`, HTMLButtonElement).disabled = !isFree;
  }
  find(page, ".cu-skip", HTMLButtonElement).disabled = !shown;
  const field = find(page, ".cu-type", HTMLInputElement);
  field.disabled = !isFree;
  if (document.activeElement !== field) field.value = shown?.type || "";
}

/** @param {Candidate} shown */
function tagOf({ holder, status, decision, trimmed }) {
  if (holder) return make("span", { class: "tag" }, `opened by ${holder}`);
  if (status !== "pending") {
    const words = decision ? `${decision.said} by ${decision.who}` : status;
    return make("span", { class: `tag cu-tag-${status}` }, `${SIGNS[status]} ${words}`);
  }
  return trimmed ? make("span", { class: "tag" }, "mask trimmed") : "";
}

/** @param {Pane} pane */
function showSwitches({ page, store, viewer }) {
  const { close, outlined } = store.get().view;
  find(page, ".cu-close").setAttribute("aria-pressed", String(close));
  find(page, ".cu-outline").setAttribute("aria-pressed", String(outlined));
  if (viewer.close !== close) viewer.setClose(close);
  if (viewer.outlined !== outlined) viewer.setOutlined(outlined);
}

/**
 * What of the mask is too much like normal surface for the positive bank, hatched, with a word.
 * @param {Pane} pane
 */
function showLeftOut({ page, store, viewer }) {
  const { measured, view, tool } = store.get();
  const [left, all] = measured.quality?.patches || [0, 0];
  const isHatched = view.hatched && left > 0;
  const button = find(page, ".cu-left", HTMLButtonElement);
  button.disabled = !left;
  button.setAttribute("aria-pressed", String(isHatched));
  button.title = left
    ? "Part of the mask that the positive bank leaves out (L)"
    : "No part of the mask is left out";
  viewer.setLeftOut((isHatched && measured.quality?.leftOut) || []);
  const tag = find(page, ".cu-lefttag");
  tag.hidden = !isHatched || Boolean(tool);
  const many = `${left} of ${counted(all, "patch", "patches")}`;
  tag.textContent = `Hatched: left out of the bank, too similar to normal surface (${many})`;
}

/** @param {Pane} pane @param {import("./deciding.js").Deciding} deciding */
function wireType({ page, store, call, voice, desk }, { inTurn, undoLast }) {
  const field = find(page, ".cu-type", HTMLInputElement);
  /** The type that the server knows of the one that is shown. */
  let known = "";
  store.subscribe(["shown"], ({ shown }) => (known = shown?.type || ""));
  field.addEventListener("change", () => {
    const { shown, who } = store.get();
    const type = field.value.trim();
    if (!shown || shown.status !== "pending" || type === known) return;
    known = type;
    store.patch({ together: [] });
    inTurn("Setting the defect type", async () => {
      const answer = await call("name_type", { id: shown.id, type, who });
      voice.toast(answer.sentence, undoLast);
      await desk.settle();
    });
  });
  field.addEventListener("keydown", ({ key }) => {
    if (key === "Enter" || key === "Escape") field.blur();
  });
}
