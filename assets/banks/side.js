// The pane next to the map: the image of the chosen dot with its rows, and the button that drops it from the
// bank. Knows one image; the page says how the bank is read again after a change.

import { drawing, find, make } from "../shared/dom.js";
import { knownName, rememberName } from "../shared/who.js";
import { BANKS, imageOf, nameOf, sourceOf, typeOf } from "./words.js";

/** @typedef {import("./words.js").BankImage} BankImage */
/** @typedef {import("./state.js").Bank} Bank */
/** @typedef {import("./state.js").Pane} Pane */
/**
 * As pages/banks/map.py answers `image`: `boxes` are its rows, the chosen one first; `link` leads to it.
 * @typedef {object} Found
 * @property {string} url
 * @property {number} width
 * @property {number} height
 * @property {[x0: number, y0: number, x1: number, y1: number][]} boxes
 * @property {[words: string, url: string] | null} link
 */

// Pixels of the page that an image may take.
const ROOM = [286, 256];
const HINT =
  "Point at a dot to see its patch; click to see its image and all of its rows. Drag to zoom in, " +
  "double-click to reset.";

/** @param {Pane} pane */
export function showSide(pane) {
  const { page, store, call, voice } = pane;
  const box = find(page, ".lm-side");
  const hint = () => box.replaceChildren(make("p", { class: "lm-hinted" }, HINT));

  const show = voice.attempt(async () => {
    const { map, bank, chosen } = store.get();
    if (!chosen || !map || !bank) return hint();
    const image = imageOf(map, chosen.dot);
    const place = { row: map.row[chosen.dot], column: map.column[chosen.dot] };
    /** @type {Found} */
    const found = await call("image", { bank: bank.id, image: image.id, side: image.side, ...place });
    if (store.get().chosen === chosen) fill(box, pane, image, bank, found);
  });
  store.subscribe(["chosen"], show);
  hint();
}

/**
 * @param {HTMLElement} box
 * @param {Pane} pane
 * @param {BankImage} image
 * @param {Bank} bank
 * @param {Found} found
 */
function fill(box, pane, image, bank, found) {
  const who = knownName();
  const name = who ? null : nameField();
  const drop = dropButton(image, bank);
  const asked = () => ({
    bank: bank.id,
    image: image.id,
    side: image.side,
    who: who || name?.value.trim() || "",
  });
  drop.addEventListener(
    "click",
    pane.voice.attempt(() => dropImage(pane, drop, asked())),
  );
  const inactive = `${bank.name} is not active: activate it to drop images from it.`;
  box.replaceChildren(
    pictureOf(image, found),
    make("p", { class: "lm-id" }, nameOf(image)),
    factsOf(image, found),
    name || "",
    bank.active ? "" : make("p", { class: "st-quiet" }, inactive),
    make(
      "p",
      { class: "lm-acts" },
      drop,
      found.link && make("a", { class: "plain-button", href: found.link[1] }, found.link[0]),
    ),
  );
}

const nameField = () =>
  make("input", {
    type: "text",
    class: "lm-who",
    maxlength: "40",
    placeholder: "Your name, stored with your decisions",
    "aria-label": "Your name",
  });

/** @param {BankImage} image @param {Bank} bank */
function dropButton(image, bank) {
  const title = bank.active
    ? "Removes its rows from the bank; the image stays"
    : `Activate ${bank.name} first`;
  return make(
    "button",
    { type: "button", class: "plain-button lm-drop", disabled: !bank.active, title },
    `Drop from the ${BANKS[image.side].toLowerCase()}`,
  );
}

/** @param {BankImage} image @param {Found} found */
function pictureOf(image, { url, width, height, boxes }) {
  const [own, ...others] = boxes.map(([x0, y0, x1, y1]) => `M${x0} ${y0}H${x1}V${y1}H${x0}Z`);
  const scale = Math.min(ROOM[0] / width, ROOM[1] / height);
  const size = `width: ${Math.round(width * scale)}px; height: ${Math.round(height * scale)}px`;
  const squares = drawing(width, height, ["", others.join("")], ["lm-under", own], ["lm-chosen", own]);
  const picture = make("img", { src: url, alt: nameOf(image) });
  return make("div", { class: "lm-image" }, make("span", { style: size }, picture, squares));
}

/** @param {BankImage} image @param {Found} found */
function factsOf(image, { boxes }) {
  const facts = [
    ["Bank", BANKS[image.side]],
    ["Source", sourceOf(image)],
    ["Type", image.side === "negative" ? "normal" : typeOf(image)],
    ["Part", image.group],
    ["Rows here", boxes.length.toLocaleString("en")],
  ];
  return make("dl", {}, ...facts.flatMap(([term, value]) => [make("dt", {}, term), make("dd", {}, value)]));
}

/**
 * @param {Pane} pane
 * @param {HTMLButtonElement} button
 * @param {{ bank: string, who: string }} asked
 */
async function dropImage({ call, voice, changed }, button, asked) {
  const words = button.textContent;
  button.disabled = true;
  button.textContent = "Dropping…";
  try {
    const { sentence } = await call("drop", asked);
    rememberName(asked.who);
    voice.toast(sentence, async () => {
      voice.toast((await call("put_back", asked)).sentence);
      await changed(asked.bank);
    });
    await changed(asked.bank);
  } finally {
    button.disabled = false;
    button.textContent = words;
  }
}
