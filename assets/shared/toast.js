// A sentence over the page that goes by itself and can offer an Undo; and what keeps a box over the page where it lies
// over neither words nor controls while there is another place. Knows the class .st-toast and, where a page has one,
// dialog.st-dialog; knows no page.

import { find, make } from "./dom.js";
import { covered, freest, taken } from "./free_place.js";
import { withLinks } from "./parts.js";

/** Pixels from the edges of the window, and of the header, which stays at the top. */
const EDGE = 16;
const HEADER = 56;

const isReached = (/** @type {Element} */ box) => box.matches(":hover, :focus-within");

/**
 * @param {ParentNode} page
 * @param {(action: () => Promise<void>) => () => Promise<void>} attempt
 */
export function toaster(page, attempt) {
  const box = find(page, ".st-toast");
  const dialog = /** @type {HTMLDialogElement | null} */ (page.querySelector("dialog.st-dialog"));
  const usual = box.parentElement;
  let fading = 0;
  /** @param {number} lasting milliseconds; longer while it is pointed at or a key would press its button */
  const fade = (lasting) => {
    clearTimeout(fading);
    fading = window.setTimeout(() => {
      if (isReached(box)) fade(1000);
      else box.hidden = true;
    }, lasting);
  };
  const said = make("span", {});
  const button = make("button", { type: "button" }, "Undo");
  // An Undo stays where somebody aims at it, also when the page scrolls.
  const float = floater(box, dialog, () => button.isConnected);
  box.append(said);

  /** @param {string} words @param {() => unknown} [undo] @param {number} [lasting] milliseconds */
  return (words, undo, lasting) => {
    const pieces = withLinks(words);
    const hasMore = Boolean(undo) || pieces.some((piece) => typeof piece !== "string");
    const home = dialog?.open ? dialog : usual; // while a dialog is open, nothing outside it can be clicked
    const stays = !box.hidden && undo && button.isConnected && box.parentElement === home;
    if (box.parentElement !== home) home?.append(box);
    const wasHidden = box.hidden;
    box.hidden = false;
    said.replaceChildren(...pieces);
    button.onclick = attempt(async () => {
      box.hidden = true;
      await undo?.();
    });
    if (!undo) button.remove();
    else if (!button.parentElement) box.append(button);
    box.style.paddingRight = undo ? "8px" : "16px";
    float(wasHidden, Boolean(stays));
    fade(lasting ?? (hasMore ? 9000 : 4000)); // a link or a button is to be reached
  };
}

/**
 * A function that puts a box of a fixed position where it covers least, unless it `stays`, and again while it is shown:
 * when something opens where it lies and, unless it is held, when the page scrolls. `anew`: it was not shown until now.
 * @param {HTMLElement} box
 * @param {HTMLDialogElement | null} dialog
 * @param {() => boolean} [isHeld]
 */
export function floater(box, dialog, isHeld = () => false) {
  const place = placer(box, () => (dialog?.open ? dialog : document.body));
  const isFloating = () => box.isConnected && !box.hidden && getComputedStyle(box).position === "fixed";
  const again = () => isFloating() && !isReached(box) && place();
  const watcher = watching(box, again);
  let timer = 0;
  const follow = () => {
    if (!isFloating()) return watcher.disconnect();
    if (!isHeld()) again();
    timer = window.setTimeout(follow, 250);
  };
  return (anew = false, stays = false) => {
    if (!stays) place(anew);
    clearTimeout(timer);
    timer = window.setTimeout(follow, 250);
    watcher.observe(document.body, { subtree: true, attributeFilter: ["hidden", "open"] });
  };
}

/**
 * Tells when something opens where the box lies.
 * @param {HTMLElement} box
 * @param {() => unknown} tell
 */
function watching(box, tell) {
  return new MutationObserver((changes) =>
    requestAnimationFrame(() => {
      const others = changes
        .map(({ target }) => /** @type {Element} */ (target))
        .filter((one) => one !== box);
      const opened = others.map((one) => one.getBoundingClientRect());
      if (covered(box.getBoundingClientRect(), opened) > 0) tell();
    }),
  );
}

/**
 * A function that puts the box where it covers least; `anew`: wherever it lay before.
 * @param {HTMLElement} box
 * @param {() => HTMLElement} rootOf what may be covered
 */
function placer(box, rootOf) {
  /** @type {import("./free_place.js").Box | null} */
  let lies = null;
  return (anew = false) => {
    const [width, height] = [window.innerWidth, window.innerHeight];
    const room = { left: EDGE, top: HEADER + EDGE, right: width - EDGE, bottom: height - EDGE };
    const size = box.getBoundingClientRect();
    lies = freest(size, room, taken(rootOf(), box), anew ? null : lies);
    // From the window's lower right corner, so that longer words move no button; not by right and bottom, by which the
    // page would count as moved.
    box.style.transform = `translate(${Math.round(lies.right - width)}px, ${Math.round(lies.bottom - height)}px)`;
  };
}
