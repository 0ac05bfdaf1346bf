// A gallery of small pictures with scores, the first of them until somebody asks for all. Knows no threshold.

import { make } from "../shared/dom.js";
import { button } from "./parts.js";

/** @typedef {import("./counting.js").Judged} Judged */

// Pictures before "Show all".
const FIRST = 15;

/**
 * A function that shows items in `node`. A picture that is there already stays the same element.
 * @param {string} words what its items are
 * @param {(item: Judged) => HTMLElement} thumbOf
 */
export function gallery(words, thumbOf) {
  const title = make("h3");
  const box = make("div", { class: "ms-gallery" });
  const more = make("div");
  /** @type {Judged[]} */
  let items = [];
  let isOpen = false;

  const fill = () => {
    const number = items.length.toLocaleString("en");
    const first = isOpen ? items : items.slice(0, FIRST);
    title.textContent = `${words}: ${number}`;
    const open = () => {
      isOpen = true;
      fill();
    };
    more.replaceChildren(items.length > first.length ? button(`Show all ${number}`, open) : "");
    const there = new Map([...box.children].map((node) => [node.getAttribute("data-id"), node]));
    const nodes = first.map((item) => there.get(item.id) || thumbOf(item));
    const shown = nodes.length ? nodes : [make("p", { class: "ms-said" }, "None.")];
    const isSame =
      nodes.length === box.childElementCount && nodes.every((node, at) => box.children[at] === node);
    if (!isSame || !nodes.length) box.replaceChildren(...shown);
  };
  return {
    parts: [title, box, more],
    /** @param {Judged[]} given */
    show(given) {
      items = given;
      fill();
    },
    /** Forget the pictures: their scores are another method's. */
    clear() {
      isOpen = false;
      box.replaceChildren();
    },
  };
}

/**
 * @param {Judged} item
 * @param {string} source address of its picture, or ""
 * @param {string} [address] where the image can be looked at
 */
export function thumb({ id, type, score }, source, address) {
  const name = id.slice(id.indexOf("/") + 1);
  const title = address ? `${name}: open in Inspect` : name;
  return make(
    address ? "a" : "span",
    { class: "ms-thumb", "data-id": id, href: address, title },
    source
      ? make("img", { src: source, alt: name, loading: "lazy" })
      : make("span", { class: "ms-nopicture" }, name),
    make("span", {}, score.toFixed(2).replace("-", "−"), type && ` · ${type}`),
  );
}
