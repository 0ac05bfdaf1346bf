// The pictures of the Data page: one stop of the Tab key, Space ticks, Enter opens. What is ticked shows the buttons of
// what can be done with it. Knows .tick and .thumb, which Gradio fills in anew. Does not know what the buttons do.

import { loadingHidden } from "../shared/pictures.js";
import { roving } from "../shared/roving.js";
import { knownName } from "../shared/who.js";

/**
 * Called by Gradio once the component stands.
 * @param {HTMLElement} element
 * @param {(asked: object) => void} ask with the data of a button, the ids of what is ticked, and who asks
 */
export function start(element, ask) {
  const boxes = () => /** @type {HTMLInputElement[]} */ ([...element.querySelectorAll(".tick")]);
  const ticked = () => boxes().filter((box) => box.checked);
  const stop = roving(element, ".tick");
  new MutationObserver(stop).observe(element, { childList: true, subtree: true });
  stop();
  loadingHidden(element);
  watchFilters(element);
  element.addEventListener("keydown", ({ key, target }) => {
    if (key !== "Enter" || !(target instanceof Element) || !target.matches(".tick")) return;
    const link = target.parentElement?.querySelector(".thumb");
    if (link instanceof HTMLElement) link.click();
  });
  element.addEventListener("click", (event) => {
    const button = event.target instanceof Element && event.target.closest("[data-act]");
    if (!(button instanceof HTMLElement)) return;
    event.preventDefault();
    ask({ ...button.dataset, ids: ticked().map((box) => box.value), who: knownName() });
  });
  element.addEventListener("change", ({ target }) => {
    if (target instanceof HTMLInputElement && target.matches(".tick-all"))
      for (const box of boxes()) box.checked = target.checked;
    const [bar, number] = [element.querySelector(".ticked"), ticked().length];
    bar?.classList.toggle("open", number > 0);
    bar?.querySelector("strong")?.replaceChildren(`${number} ticked`);
  });
}

/**
 * Mark images of other filters than those that are chosen, as they stay where the server does not answer.
 * @param {HTMLElement} element
 */
function watchFilters(element) {
  const section = element.closest(".section") ?? element;
  /** What is chosen, as the server names it (pages/data/gallery.py). */
  const chosen = () =>
    [...section.querySelectorAll(".filters input")]
      .filter((input) => input instanceof HTMLInputElement && (input.type !== "radio" || input.checked))
      .map((input) => /** @type {HTMLInputElement} */ (input).value)
      .join("|");
  let timer = 0;
  const check = (isLate = element.classList.contains("other-images")) => {
    clearTimeout(timer);
    const shown = element.querySelector("[data-of]");
    const isOther = shown instanceof HTMLElement && shown.dataset.of !== chosen();
    element.classList.toggle("other-images", isOther && isLate);
    if (isOther && element.isConnected) timer = window.setTimeout(() => check(true), 600);
  };
  for (const kind of ["input", "change", "click"])
    section.addEventListener(kind, () => setTimeout(() => check()));
  new MutationObserver(() => check()).observe(element, { childList: true, subtree: true });
}
