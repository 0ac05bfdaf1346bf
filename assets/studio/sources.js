// Which normal image is painted on: the strip of thumbnails, and what opens another one. The mask
// stays, as a share of the image. Knows the store; does not know what is made of the image.

import { find, make } from "../shared/dom.js";
import { refill, roving } from "../shared/roving.js";
import { latest, newest } from "../shared/server.js";
import { WHOLE } from "./geometry.js";
import { all, mark } from "./parts.js";

/** @typedef {import("./state.js").Studio} Studio */
/** @typedef {{ id: string, name: string }} Source */

/** Images of the strip before the one that is open, and how close to its ends that one may come. */
const AROUND = 100;
const MARGIN = 20;

/**
 * Open another image, and leave behind what was edited from.
 * @param {Studio} studio
 * @param {string} id
 * @param {Partial<import("./state.js").State>} [more] what changes with it
 */
export const openSource = (studio, id, more = {}) => openWhich(studio, { id }, more);

const opened = newest();

/**
 * Open an image by its id or its number; `instead`: or the first, where it may not be painted on any more.
 * @param {Studio} studio
 * @param {{ id?: string, number?: number, instead?: boolean }} which
 * @param {Partial<import("./state.js").State>} [more]
 */
export async function openWhich({ call, store }, which, more = {}) {
  const picture = await opened(call("source", which));
  if (picture) store.patch({ parent: "", ...more, source: picture.id, picture, zoom: WHOLE });
}

/** A function that opens the next image, or the one before. @param {Studio} studio */
export const stepper = (studio) =>
  studio.attempt(async (/** @type {number} */ by) => {
    const { sourceCount, picture } = studio.store.get();
    const number = ((picture?.number ?? 0) + by + sourceCount) % sourceCount;
    await openWhich(studio, { number });
  });

/** A function that opens any other image. @param {Studio} studio */
export const shuffler = (studio) =>
  studio.attempt(async () => {
    const { sourceCount, picture } = studio.store.get();
    if (sourceCount < 2) return;
    const drawn = Math.floor(Math.random() * (sourceCount - 1));
    const number = drawn < (picture?.number ?? 0) ? drawn : drawn + 1;
    await openWhich(studio, { number });
  });

/** @param {Studio} studio */
export function sourcesPane(studio) {
  const { root, store } = studio;
  const field = find(root, ".st-find", HTMLInputElement);
  const strip = stripOf(studio, () => field.value.trim());
  store.subscribe(["dataset", "sourceCount"], strip.fill);
  store.subscribe(["picture"], strip.follow);
  field.addEventListener("input", strip.fill);
  const step = stepper(studio);
  find(root, ".st-prev").addEventListener("click", () => step(-1));
  find(root, ".st-next").addEventListener("click", () => step(1));
  find(root, ".st-random").addEventListener("click", shuffler(studio));
}

/**
 * The strip of small pictures: some around the image that is open, or those whose names hold the words.
 * @param {Studio} studio
 * @param {() => string} wordsOf what is searched for
 */
function stripOf(studio, wordsOf) {
  const { root, store, call, attempt } = studio;
  const strip = find(root, ".st-sources");
  const open = attempt((/** @type {string} */ id) => openSource(studio, id));
  const rove = roving(strip, "[aria-selected=true]");
  const place = () => {
    showPlace(root, strip, store.get());
    rove();
  };
  /** The numbers of the images that the strip holds. */
  let held = { start: 0, end: 0, words: "" };
  const ask = latest(async () => {
    const [words, { picture }] = [wordsOf(), store.get()];
    const start = words ? 0 : Math.max(0, (picture?.number ?? 0) - AROUND);
    const answer = await call("sources", { words, start });
    held = { start: answer.start, end: answer.start + answer.sources.length, words };
    refill(strip, () => strip.replaceChildren(...tiles(answer, words, open)));
    place();
  });
  const fill = () => ask().catch(() => {}); // a failure is shown on the next click
  /** Near an end of the strip it is filled anew. */
  const follow = () => {
    const { sourceCount, picture } = store.get();
    const number = picture?.number ?? -1;
    const isNear =
      (held.start > 0 && number < held.start + MARGIN) ||
      (held.end < sourceCount && number >= held.end - MARGIN);
    if (!held.words && number >= 0 && isNear) fill();
    else place();
  };
  return { fill, follow };
}

/**
 * @param {{ sources: Source[], total: number }} answer
 * @param {string} words
 * @param {(id: string) => void} open
 */
function tiles({ sources, total }, words, open) {
  const quiet = (/** @type {string} */ told) => make("span", { class: "st-quiet" }, told);
  if (!sources.length) return [quiet(`No normal training image has "${words}" in its name.`)];
  const rest = total - sources.length;
  const more = words && rest > 0 ? [quiet(`and ${rest.toLocaleString("en")} more`)] : [];
  return [...sources.map((one) => tile(one, open)), ...more];
}

/**
 * Mark the image that is open and say which one it is.
 * @param {ParentNode} root
 * @param {HTMLElement} strip
 * @param {Readonly<import("./state.js").State>} state
 */
function showPlace(root, strip, { sourceCount, source, picture }) {
  const shown = all(strip, "[data-id]");
  mark(shown, "aria-selected", (one) => one.dataset.id === source);
  const current = shown.find((one) => one.dataset.id === source);
  if (current) {
    const margin = (strip.clientWidth - current.clientWidth) / 2;
    strip.scrollLeft = current.offsetLeft - strip.offsetLeft - margin;
  }
  const number = picture?.number ?? -1;
  find(root, ".st-position").textContent =
    number < 0 ? "" : `${(number + 1).toLocaleString("en")} of ${sourceCount.toLocaleString("en")}`;
  const name = find(root, ".st-name");
  name.textContent = name.title = picture?.name ?? source.split("/").slice(1).join("/");
}

/** @param {Source} source @param {(id: string) => void} open */
function tile({ id, name }, open) {
  const src = `./thumbnail?image=${encodeURIComponent(id)}&outline=0`;
  const properties = { role: "option", class: "st-tile", "data-id": id, title: name };
  return make(
    "button",
    { type: "button", ...properties, "aria-selected": "false", onclick: () => open(id) },
    make("img", { loading: "lazy", alt: "", src }),
  );
}
