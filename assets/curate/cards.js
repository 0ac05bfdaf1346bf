// The cards of the queue. A card stays the same element as long as what it shows is the same.

import { find, make } from "../shared/dom.js";
import { refill } from "../shared/roving.js";
import { plain } from "../shared/parts.js";
import { empty, lamp } from "./parts.js";
import { filtering, PAGE, queueAsked, unfiltered } from "./state.js";
import { addressOf, isElsewhere, placeOf, SIGNS } from "./words.js";

/** @typedef {import("./state.js").Pane} Pane */
/** @typedef {import("./words.js").Item} Item */

/** @param {Pane} pane @param {import("./queue.js").Narrow} narrow */
export function showCards(pane, narrow) {
  const { page, store, voice, desk } = pane;
  const list = find(page, ".cu-cards");
  store.subscribe(["items", "total", "hidden"], ({ items, total, hidden, who }) => {
    const known = new Map(cardsIn(list).map((card) => [card.dataset.key, card]));
    const cards = items.map((item) => {
      const holder = isElsewhere(item, who) ? item.holder : "";
      const key = JSON.stringify([item.id, item.status, holder, item.type, item.effect, item.more]);
      return known.get(key) || cardOf(pane, item, holder, key);
    });
    const more = Math.min(PAGE, total - hidden - items.length);
    const showMore = voice.attempt(() => desk.refresh(queueAsked(store.get()).limit + PAGE));
    const button = plain(`Show ${more} more`, showMore, { class: "plain-button small cu-more" });
    const shown = cards.length ? cards : [emptyQueue(pane, narrow)];
    refill(list, () => list.replaceChildren(...shown, more > 0 ? button : ""));
  });
  store.subscribe(["items", "total", "at", "shown"], () => markCard(pane, list));
  // Counts may come before the cards, as after an undo: nothing then says that all is decided.
  store.subscribe(["counts"], ({ items }) => {
    if (!items.length) list.replaceChildren(emptyQueue(pane, narrow));
  });
}

/** @param {HTMLElement} list */
const cardsIn = (list) => /** @type {HTMLElement[]} */ ([...list.querySelectorAll("[data-id]")]);

/** Ids of the cards that can be seen. @param {HTMLElement} page */
export function seenCards(page) {
  const list = find(page, ".cu-cards");
  const end = list.scrollTop + list.clientHeight;
  return cardsIn(list)
    .filter((card) => card.offsetTop + card.offsetHeight > list.scrollTop && card.offsetTop < end)
    .map((card) => card.dataset.id || "");
}

/** @param {Pane} pane @param {Item} item @param {string} holder who else has it open @param {string} key */
function cardOf({ voice, desk, terms }, item, holder, key) {
  const held = holder ? `opened by ${holder}` : "";
  const { id, effect, status, type } = item;
  const title = [item.prompt || "No prompt", item.title, held].filter(Boolean).join("\n");
  const flag = held || (status !== "pending" && `${SIGNS[status]} ${status}`);
  const measured =
    effect &&
    make("span", { title: `Effect: ${effect.text}` }, lamp(effect.light, terms), ` ${effect.short}`);
  return make(
    "button",
    {
      ...{ type: "button", role: "option", class: `cu-card cu-${status}` },
      ...{ "data-id": id, "data-key": key, title, onclick: voice.attempt(() => desk.show(id)) },
    },
    make("img", { loading: "lazy", alt: "", src: addressOf(id, "close") }),
    flag && make("span", { class: "cu-flag" }, flag),
    item.more &&
      make("span", { class: "cu-more-alike", title: "Folded into this card" }, `+${item.more} alike`),
    make("span", { class: "cu-words" }, item.prompt || item.title),
    make("span", { class: "cu-told st-quiet" }, measured, type && make("span", {}, type)),
  );
}

/** @param {Pane} pane @param {import("./queue.js").Narrow} narrow */
function emptyQueue({ store }, narrow) {
  const { status, chosen, counts } = store.get();
  const isFiltered = filtering(chosen).length > 0;
  const isPending = status === "pending";
  // Where candidates wait and none is listed, the queue is still loading.
  if (isPending && !isFiltered && counts.pending)
    return make("p", { class: "st-quiet" }, "Loading the queue…");
  const title = isPending && !isFiltered ? "All decided" : "None here";
  const all = isPending ? "Every candidate has been decided on." : `No candidate is ${status}.`;
  const way =
    isFiltered || !isPending
      ? plain("Show all pending", () => narrow({ status: "pending" }, unfiltered(chosen)))
      : make("a", { class: "main-button", href: "./studio" }, "Paint more in Studio");
  const text = isFiltered ? "No candidate matches the filters." : all;
  return make("div", { class: "empty" }, ...empty(title, text, way));
}

/**
 * Mark the card of the candidate that is shown, and bring it to sight.
 * @param {Pane} pane
 * @param {HTMLElement} list
 */
function markCard({ page, store }, list) {
  const { at, items, total } = store.get();
  const cards = cardsIn(list);
  for (const card of cards) card.setAttribute("aria-selected", String(card.dataset.id === at));
  const current = cards.find((card) => card.dataset.id === at);
  // One stop of the Tab key for all of them: the arrow keys go from card to card.
  for (const card of cards) card.tabIndex = card === (current || cards[0]) ? 0 : -1;
  if (current) {
    if (list.contains(document.activeElement)) current.focus({ preventScroll: true });
    const { offsetTop: top, offsetHeight: height } = current;
    // Not scrollIntoView, which would scroll the window as well.
    const isAway = top < list.scrollTop || top + height > list.scrollTop + list.clientHeight;
    if (isAway) list.scrollTop = top - list.clientHeight / 3;
  }
  const place = placeOf(items, at);
  const words = `${(place + 1).toLocaleString("en")} of ${total.toLocaleString("en")}`;
  find(page, ".cu-position").textContent = place < 0 ? "" : words;
}
