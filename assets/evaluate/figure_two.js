// Figure 2: image, truth and each method's heatmap, a row for each image that methods disagree on or that is
// chosen.

import { find, make, save } from "../shared/dom.js";
import { once } from "../shared/server.js";
import { made } from "./making.js";
import { button, card, said, space, switchOf } from "./parts.js";
import { thumbnailUrl } from "./words.js";

/** @typedef {import("./state.js").Pane} Pane */
/** @typedef {import("./state.js").Opened} Opened */

const ABOUT =
  "Image, truth and each method's heatmap on one scale. Largest disagreement: where the methods' scores " +
  "differ most.";
const NO_FOLD_BANKS =
  "Every fold had its own banks, which are gone; Figure 2 needs a measurement on the test split.";
const NO_BANKS = "Its bank versions have been deleted, so its heatmaps can no longer be drawn.";
const SHEET = "Figure 2: image, truth and each method's heatmap, a row for each image";

/** @param {Pane} pane */
export function showFigureTwo(pane) {
  const place = find(pane.page, ".ev-figure");
  pane.store.subscribe(["shown"], ({ shown: opened }) => {
    if (opened) place.replaceChildren(opened.shown.kind === "sweep" ? "" : figureCard(pane, opened));
  });
}

/** @param {Pane} pane @param {Opened} opened */
function figureCard(pane, opened) {
  const { rows, banks, shown } = opened;
  const { node, head } = card("Figure 2");
  if (!rows.length) {
    node.append(said(Object.keys(banks).length || shown.spec.folds ? NO_FOLD_BANKS : NO_BANKS));
    return node;
  }
  const count = make("input", {
    type: "text",
    inputmode: "numeric",
    class: "ev-rows",
    value: "4",
    "aria-label": "Rows",
  });
  const counted = make("label", { class: "st-field" }, count, "rows");
  const { grid, chosen } = picker(opened);
  const modes = modeSwitch((isByHand) => {
    grid.hidden = !isByHand;
    counted.hidden = isByHand;
  });
  const making = make("div");
  const sheet = make("div");
  const draw = once(
    pane.voice.attempt(async () => {
      const images = grid.hidden ? [] : chosen();
      if (!grid.hidden && !images.length) {
        const words = "No row is chosen; click the images to show in the figure.";
        return pane.voice.say(words, "info");
      }
      const asked = { id: pane.store.get().at, images, count: grid.hidden ? count.value : "1" };
      const files = await made(pane.call, "figure", asked, making);
      if (files.length) showSheet(sheet, head, files);
    }),
  );
  head.append(modes, counted, button("Draw", draw, { class: "ms-button ev-draw" }), space());
  node.append(said(ABOUT), grid, making, sheet);
  return node;
}

/** @param {(isByHand: boolean) => void} show */
function modeSwitch(show) {
  const buttons = ["Largest disagreement", "Chosen by hand"].map((words, at) =>
    button(words, () => choose(at), { class: null }),
  );
  /** @param {number} chosen */
  const choose = (chosen) => {
    buttons.forEach((one, at) => one.setAttribute("aria-pressed", String(at === chosen)));
    show(chosen === 1);
  };
  choose(0);
  return switchOf("Rows", ...buttons);
}

/**
 * A grid of all images that can be a row; a click chooses one or lets it go, and a number says which row it
 * becomes.
 * @param {Opened} opened
 */
function picker({ rows, shown }) {
  const { id: ids, label, defect_type } = shown.result.per_image;
  /** @param {string} id */
  const typeOf = (id) => {
    const at = ids.indexOf(id);
    return label[at] === "defect" ? defect_type[at] || "defect" : "normal";
  };
  /** @type {string[]} */
  let chosen = [];
  /** @param {string} id */
  const pick = (id) => {
    chosen = chosen.includes(id) ? chosen.filter((one) => one !== id) : [...chosen, id];
    for (const choice of choices) {
      const place = chosen.indexOf(choice.dataset.id || "");
      choice.setAttribute("aria-pressed", String(place >= 0));
      choice.querySelector(".ev-number")?.remove();
      if (place >= 0) choice.prepend(make("span", { class: "ev-number" }, String(place + 1)));
    }
  };
  const choices = rows.map((id) =>
    make(
      "button",
      {
        type: "button",
        class: "ev-choice",
        "data-id": id,
        "aria-pressed": "false",
        title: id,
        onclick: () => pick(id),
      },
      make("img", { src: thumbnailUrl(id), alt: "", loading: "lazy" }),
      make("span", {}, typeOf(id)),
    ),
  );
  const grid = make("div", { class: "ev-pick", role: "group", "aria-label": "Rows by hand" }, ...choices);
  return { grid, chosen: () => chosen };
}

/** @param {HTMLElement} sheet @param {HTMLElement} head @param {import("./making.js").SavedFile[]} files */
function showSheet(sheet, head, files) {
  const fresh = `${files[0].address}?${Date.now()}`;
  sheet.replaceChildren(make("img", { class: "ev-sheet", src: fresh, alt: SHEET }));
  head.querySelectorAll(".ev-file").forEach((one) => one.remove());
  const buttons = files.map((file) => {
    const ending = (file.name.split(".").pop() || "").toUpperCase();
    return button(`${ending} ↓`, () => save(file), { class: "ms-button ev-file" });
  });
  head.append(...buttons);
}
