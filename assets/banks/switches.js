// What stands above the map and over it: how to read it, colours and methods to choose from, and the making
// of a map by UMAP. Knows the map's job, not how it is followed.

import { find, make, renew } from "../shared/dom.js";
import { plain, small } from "../shared/parts.js";
import { aboutLeftOut, aboutMap, COLOURINGS } from "./words.js";

/** @typedef {import("./state.js").Pane} Pane */

/** @type {[value: "pca" | "umap", title: string][]} */
const METHODS = [
  ["pca", "PCA"],
  ["umap", "UMAP"],
];

/** @param {Pane} pane */
export function showSwitches(pane) {
  const { page, store, voice, order } = pane;
  const colours = /** @type {(keyof typeof COLOURINGS)[]} */ (Object.keys(COLOURINGS));
  store.subscribe(["map", "colour"], ({ map, bank, method, colour }) => {
    if (!map || !bank) return;
    const isWanted = method === map.method;
    const left = aboutLeftOut(map, isWanted);
    find(page, ".lm-told").replaceChildren(
      aboutMap(map, isWanted),
      left,
      left && map.method === "umap" ? small("Create it again", voice.attempt(order)) : "",
    );
    find(page, ".lm-name").textContent = bank.name;
    const titles = colours.map((name) => /** @type {const} */ ([name, COLOURINGS[name].title]));
    choices(find(page, ".lm-colours"), titles, colour, (name) => store.patch({ colour: name }));
    choices(find(page, ".lm-methods"), METHODS, method, (name) => store.patch({ method: name }));
  });
  store.subscribe(["map", "made", "job", "cancelling"], () => offer(pane));
}

/**
 * @template {string} Value
 * @param {HTMLElement} place
 * @param {readonly (readonly [value: Value, title: string])[]} options
 * @param {Value} now
 * @param {(value: Value) => void} choose
 */
function choices(place, options, now, choose) {
  place.replaceChildren(
    ...options.map(([value, title]) =>
      make(
        "button",
        { type: "button", "aria-pressed": String(value === now), onclick: () => choose(value) },
        title,
      ),
    ),
  );
}

/** Over the map: what a map by UMAP takes, or how far it is. @param {Pane} pane */
function offer({ page, store, voice, order, cancel }) {
  const { method, made, job, cancelling, bank } = store.get();
  const box = find(page, ".lm-order");
  box.hidden = method !== "umap" || (made && !job);
  if (box.hidden || !bank) return;
  if (!job) {
    box.replaceChildren(
      make("p", { class: "empty-title" }, `No UMAP map of ${bank.name} yet`),
      make("p", {}, "It takes a minute or two in the background and is stored with the version."),
      make(
        "button",
        { type: "button", class: "main-button lm-make", onclick: voice.attempt(order) },
        "Create map",
      ),
    );
    return;
  }
  const percent = 100 * job.fraction;
  const bar = { class: "bar", role: "progressbar", "aria-label": "UMAP map" };
  renew(box, [
    make("p", { class: "empty-title" }, job.text),
    make(
      "span",
      { ...bar, "aria-valuenow": Math.round(percent) },
      make("span", { style: `width: ${percent}%` }),
    ),
    plain(cancelling ? "Cancelling…" : "Cancel", voice.attempt(cancel), {
      "data-id": "cancel",
      disabled: cancelling,
    }),
  ]);
}
