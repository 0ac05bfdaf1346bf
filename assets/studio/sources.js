// Which normal image is painted on: the strip of thumbnails, and what opens another one. The mask
// stays, as a share of the image. Knows the store; does not know what is made of the image.

import { find, make } from "../shared/dom.js";
import { WHOLE } from "./geometry.js";
import { all, mark } from "./parts.js";

/** @typedef {import("./state.js").Studio} Studio */

/**
 * Open another image, and leave behind what was edited from.
 * @param {Studio} studio
 * @param {string} id
 * @param {Partial<import("./state.js").State>} [more] what changes with it
 */
export async function openSource({ call, store }, id, more = {}) {
  const picture = await call("source", { id });
  store.patch({ parent: "", ...more, source: id, picture, zoom: WHOLE });
}

/** A function that opens the next image, or the one before. @param {Studio} studio */
export const stepper = (studio) =>
  studio.attempt(async (/** @type {number} */ by) => {
    const { sources, source } = studio.store.get();
    const place = sources.findIndex(({ id }) => id === source);
    const next = sources[(place + by + sources.length) % sources.length];
    if (next) await openSource(studio, next.id);
  });

/** A function that opens any other image. @param {Studio} studio */
export const shuffler = (studio) =>
  studio.attempt(async () => {
    const { sources, source } = studio.store.get();
    const others = sources.filter(({ id }) => id !== source);
    if (others.length) await openSource(studio, others[Math.floor(Math.random() * others.length)].id);
  });

/** @param {Studio} studio */
export function sourcesPane(studio) {
  const { root, store, attempt } = studio;
  const strip = find(root, ".st-sources");
  const field = find(root, ".st-find", HTMLInputElement);
  const open = attempt((/** @type {string} */ id) => openSource(studio, id));
  const showStrip = () => {
    const words = field.value.trim().toLowerCase();
    const shown = store.get().sources.filter(({ name }) => name.toLowerCase().includes(words));
    const none = make("span", { class: "st-quiet" }, `No normal training image has "${words}" in its name.`);
    strip.replaceChildren(...(shown.length ? shown.map((source) => tile(source, open)) : [none]));
    markSource();
  };
  const markSource = () => {
    const { sources, source } = store.get();
    const place = sources.findIndex(({ id }) => id === source);
    const tiles = all(strip, "[data-id]");
    mark(tiles, "aria-selected", (one) => one.dataset.id === source);
    const current = tiles.find((one) => one.dataset.id === source);
    if (current) {
      const margin = (strip.clientWidth - current.clientWidth) / 2;
      strip.scrollLeft = current.offsetLeft - strip.offsetLeft - margin;
    }
    const number = sources.length.toLocaleString("en");
    find(root, ".st-position").textContent =
      place < 0 ? "" : `${(place + 1).toLocaleString("en")} of ${number}`;
    const name = find(root, ".st-name");
    name.textContent = name.title = sources[place]?.name ?? source.split("/").slice(1).join("/");
  };
  store.subscribe(["sources"], showStrip);
  store.subscribe(["picture"], markSource);
  field.addEventListener("input", showStrip);
  const step = stepper(studio);
  find(root, ".st-prev").addEventListener("click", () => step(-1));
  find(root, ".st-next").addEventListener("click", () => step(1));
  find(root, ".st-random").addEventListener("click", shuffler(studio));
}

/** @param {{ id: string, name: string }} source @param {(id: string) => void} open */
function tile({ id, name }, open) {
  const src = `/thumbnail?image=${encodeURIComponent(id)}&outline=0`;
  const properties = { role: "option", class: "st-tile", "data-id": id, title: name };
  return make(
    "button",
    { type: "button", ...properties, "aria-selected": "false", onclick: () => open(id) },
    make("img", { loading: "lazy", alt: "", src }),
  );
}
