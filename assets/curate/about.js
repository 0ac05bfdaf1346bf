// What is known of the candidate that is shown: measures, the most alike real defects, how it was made.

import { find, make } from "../shared/dom.js";
import { small, warning } from "../shared/parts.js";
import { counted } from "../shared/words.js";
import { lamp } from "./parts.js";
import { addressOf, inspectUrl, isLate, named, placeOf, waitOf } from "./words.js";

/** @typedef {import("./state.js").Pane} Pane */
/** @typedef {import("./words.js").Quality} Quality */
/** @typedef {import("./words.js").Measured} Measured */

/** @param {Pane} pane */
export function showAbout(pane) {
  const box = find(pane.page, ".cu-about");
  const alike = make("p", { class: "st-quiet cu-alikehead" });
  pane.store.subscribe(["shown", "items"], ({ shown, items }) => {
    alike.replaceChildren(...(shown ? alikeOf(pane, items[placeOf(items, shown.id)]) : []));
  });
  pane.store.subscribe(["shown", "measured"], ({ shown, measured }) => {
    if (!shown) return box.replaceChildren();
    const facts = shown.facts.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]);
    box.replaceChildren(
      heading("Measures", make("span", { class: "st-quiet cu-waits", role: "status" }, waitOf(measured))),
      ...(measured.problem ? [warning(measured.problem)] : []),
      ...(measured.quality ? qualityOf(pane, measured.quality, measured.late) : []),
      alike,
      heading("How it was made"),
      make("dl", { class: "cu-facts" }, ...facts),
      ...shown.notes.map(warning),
    );
  });
}

/**
 * How many candidates are folded into the card of this one.
 * @param {Pane} pane
 * @param {import("./words.js").Item | undefined} item
 */
function alikeOf({ store, desk }, item) {
  if (!item?.more) return [];
  const unfold = () => {
    store.patch({ unfolded: new Set([...store.get().unfolded, item.alike || item.id]) });
    desk.refresh();
  };
  const words = `${counted(item.more, "near-duplicate")} in the queue. `;
  return [words, small("Unfold", unfold, { class: "plain-button small cu-unfold" })];
}

/** @param {string} words @param {...HTMLElement} more */
const heading = (words, ...more) =>
  make("div", { class: "st-bar" }, make("h2", { class: "st-title" }, words), ...more);

/** @param {Pane} pane @param {Quality} quality @param {Measured["late"]} late */
function qualityOf(pane, { measures, alike, twins }, late) {
  const lines = measures.map(({ name, light, text, meaning }) =>
    make(
      "li",
      { "data-measure": name, title: meaning, class: isLate(name, late) ? "cu-late" : "" },
      lamp(light, pane.terms),
      make("b", {}, named(name)),
      make("span", {}, text),
    ),
  );
  /** @type {HTMLElement[]} */
  const parts = [make("ul", { class: "cu-measures" }, ...lines)];
  /** @param {string} words */
  const title = (words) => make("p", { class: "st-quiet cu-alikehead" }, words);
  if (alike.length) {
    parts.push(
      title("Most similar real defects"),
      make("div", { class: "cu-alike" }, ...alike.map(likeness)),
    );
  }
  if (twins.length) {
    const first = twins.slice(0, 3).map((twin) => twinOf(pane, twin));
    parts.push(title("Nearly the same as"), make("div", { class: "cu-alike cu-twins" }, ...first));
  }
  return parts;
}

/** @param {string} image @param {string} title @param {string} words */
const realDefect = (image, title, words) =>
  make(
    "a",
    { href: inspectUrl(image), title },
    make("img", { alt: "", loading: "lazy", src: `./defect?image=${encodeURIComponent(image)}` }),
    make("span", {}, words),
  );

/** @param {Quality["alike"][number]} alike */
const likeness = ({ image, type, distance }) =>
  realDefect(image, `${image} · distance ${distance}; open in Inspect`, type || "defect");

/** @param {Pane} pane @param {Quality["twins"][number]} twin */
function twinOf({ voice, desk }, { id, name, real }) {
  if (real) return realDefect(id, `${id}; open in Inspect`, name);
  const onclick = voice.attempt(() => desk.show(id));
  return make(
    "button",
    { type: "button", title: "Show this accepted candidate", onclick },
    make("img", { alt: "", loading: "lazy", src: addressOf(id, "close") }),
    make("span", {}, `accepted ${id.slice(0, 6)}`),
  );
}
