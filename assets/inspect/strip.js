// The filmstrip: a small picture of every image that is shown, fetched when it comes into sight, and its
// verdict. Knows the list's element; what a click on an image does it is given.

import { find, make } from "../shared/dom.js";
import { MOST, windowed } from "../shared/windowed.js";
import { ALL, entriesOf } from "./lists.js";
import { all, icon, lineOf, nothingPasses } from "./parts.js";
import { isBare, rearrange } from "./state.js";
import { labelOf, outcome } from "./words.js";

/** @typedef {import("./state.js").State} State */
/** @typedef {import("./words.js").Entry} Entry */

const EMPTY = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw==";
/** Whether there is room for the strip at the side, as inspect.css has it. */
const atSide = matchMedia("(min-width: 1900px)");
/** Pixels between two small pictures. */
const GAP = 4;
/** Small pictures in one question. */
const AT_ONCE = 8;

/**
 * @param {import("./state.js").Inspect} inspect
 * @param {(id: string) => unknown} select
 */
export function stripPane({ viewer, store, call }, select) {
  const strip = find(viewer, ".vw-strip");
  const { known, watch } = thumbnails(strip, call);
  const part = windowed(strip, strip, {
    sideways: () => !atSide.matches,
    room: (pixels) =>
      make("span", {
        style: `flex: none; ${atSide.matches ? "height" : "width"}: ${Math.max(0, pixels - GAP)}px`,
      }),
    filled: () => watch(all(strip, "[data-id]")),
  });
  store.subscribe(["id"], ({ id, order }) => {
    if (!strip.hidden && id !== null) part.reveal(order.indexOf(id));
  });
  /** The rows that are shown. @type {State["rows"]} */
  let rows = new Map();

  const show = (/** @type {State} */ state) => {
    strip.hidden = state.view === "table" || isBare(state);
    if (strip.hidden) return;
    rows = state.rows;
    const entries = entriesOf(state);
    const like = entries.length > MOST ? entries[0].ratio : null;
    part.show(entries.length, (number) => {
      const image = entries[number];
      return thumb(image, store.get(), known.get(image.id), select, like ?? image.ratio);
    });
    if (state.id !== null) part.reveal(state.order.indexOf(state.id));
    if (!entries.length && state.images.length)
      strip.append(
        make("p", { class: "vw-help" }, ...nothingPasses(() => rearrange(store, { filter: ALL }))),
      );
  };
  store.subscribe(["order", "view", "need", "lists"], show);
  atSide.addEventListener("change", () => show(store.get()));
  store.subscribe(["rows"], (state) => {
    if (strip.hidden || rows === state.rows) return;
    for (const shown of all(strip, "[data-id]")) {
      const image = state.byId.get(shown.dataset.id || "");
      if (!image || rows.get(image.id) === state.rows.get(image.id)) continue;
      shown.querySelectorAll(".vw-icon, .vw-marked").forEach((sign) => sign.remove());
      shown.append(...signs(image, state));
    }
    rows = state.rows;
  });
}

/**
 * @param {Entry} image
 * @param {State} state
 * @param {string | undefined} address of its small picture; "" where it cannot be read
 * @param {(id: string) => unknown} select
 * @param {number} ratio of width to height; the same for all of a long list, whose places are then known
 */
function thumb(image, state, address, select, ratio) {
  const width = Math.round(Math.min(120, Math.max(40, 72 * ratio)));
  return make(
    "button",
    {
      ...{ type: "button", role: "option", class: address === "" ? "vw-thumb vw-broken" : "vw-thumb" },
      ...{ "data-id": image.id, title: `${image.name} (${labelOf(image)})`, style: `width: ${width}px` },
      "aria-selected": String(image.id === state.id),
      tabindex: image.id === state.id ? 0 : -1,
      onclick: () => select(image.id),
    },
    make("img", { alt: "", src: address || EMPTY }),
    signs(image, state),
  );
}

/**
 * ExDD's verdict on an image, and whether somebody marked it.
 * @param {Entry} image
 * @param {State} state
 */
function signs(image, { rows, marked }) {
  const row = rows.get(image.id);
  /** @type {HTMLElement[]} */
  const shown = [];
  if (row) {
    const { kind, words } = outcome(image, row.exdd.verdict);
    const sign = icon(kind, `ExDD: ${words}${row.stale ? ", before the bank changed" : ""}`);
    sign.classList.toggle("vw-stale", row.stale);
    shown.push(sign);
  }
  if (marked.has(image.id)) shown.push(make("span", { class: "vw-marked" }, "marked"));
  return shown;
}

/**
 * Fetches the small pictures that are in sight or close to it.
 * @param {HTMLElement} strip
 * @param {import("./state.js").Inspect["call"]} call
 */
function thumbnails(strip, call) {
  /** Addresses by image. @type {Map<string, string>} */
  const known = new Map();
  /** @type {Set<string>} */
  const wanted = new Set();
  let isAsking = false;

  const fetchSome = async () => {
    const ids = [...wanted].slice(-AT_ONCE); // the latest requests are for what is on the screen now
    ids.forEach((id) => wanted.delete(id));
    const answer = await call("thumbnails", { ids });
    for (const id of ids) {
      const address = answer.thumbnails[id] || "";
      known.set(id, address);
      const shown = lineOf(strip, id);
      if (shown && address) find(shown, "img", HTMLImageElement).src = address;
      else shown?.classList.add("vw-broken");
    }
  };
  const fetchAll = async () => {
    if (isAsking) return;
    isAsking = true;
    try {
      while (wanted.size) await fetchSome();
    } catch {
      // the next scroll repeats the request
    } finally {
      isAsking = false;
    }
  };
  const watcher = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) {
        const { id = "" } = /** @type {HTMLElement} */ (target).dataset;
        if (isIntersecting && !known.has(id)) wanted.add(id);
      }
      fetchAll();
    },
    { root: strip, rootMargin: "400px" },
  );
  /** @param {HTMLElement[]} thumbs */
  const watch = (thumbs) => {
    watcher.disconnect();
    thumbs.forEach((one) => watcher.observe(one));
  };
  return { known, watch };
}
