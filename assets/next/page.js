// The strip below every page's header: what is worth doing next, why, and the button for it. What that is the server
// says (pages/next_steps.py); which kinds nobody wants to see this browser remembers.

import { find, make } from "../shared/dom.js";
import { recall, remember } from "../shared/memory.js";
import { caller, latest } from "../shared/server.js";
import { chosenStep, dismissedOf } from "./steps.js";

/** @typedef {import("./steps.js").Step} Step */

const DISMISSED = "exdd.next.dismissed";
/** Milliseconds after a click or key until it is asked again: what was done needs a moment. */
const SETTLED = 1500;
/** Milliseconds until a server is asked again that did not answer, or that updates a bank. */
const AGAIN = 5000;

/**
 * Called by Gradio once the strip stands.
 * @param {HTMLElement} element
 * @param {import("../shared/server.js").Server} server
 */
export function start(element, server) {
  const call = caller(server);
  /** @type {Step[]} */
  let steps = [];
  let timer = 0;
  const show = () => showStep(element, steps, dismissedOf(recall(DISMISSED)));
  const ask = latest(async () => {
    if (document.hidden || !element.isConnected) return;
    try {
      const answer = await call("next_steps");
      steps = answer.steps;
      if (answer.soon) askSoon(AGAIN);
    } catch {
      askSoon(AGAIN); // the page's own calls say what is wrong
    }
    show();
  });
  const askSoon = (wait = SETTLED) => {
    clearTimeout(timer);
    timer = window.setTimeout(ask, wait);
  };
  find(element, ".next-later").addEventListener("click", () => {
    const kinds = dismissedOf(recall(DISMISSED));
    const step = chosenStep(steps, kinds);
    if (step) remember(DISMISSED, JSON.stringify([...kinds, step.kind]));
    show();
  });
  find(element, ".next-all").addEventListener("click", () => {
    remember(DISMISSED, "");
    show();
  });
  for (const kind of ["click", "keyup"]) document.addEventListener(kind, () => askSoon());
  // The header noticed that something has changed, or a page did something without a press.
  for (const kind of ["exdd-active", "exdd-done"]) document.addEventListener(kind, () => askSoon());
  document.addEventListener("visibilitychange", ask);
  requestAnimationFrame(() => setTimeout(ask)); // the page is painted first
}

/**
 * @param {HTMLElement} element
 * @param {Step[]} steps
 * @param {string[]} dismissed kinds
 */
function showStep(element, steps, dismissed) {
  const step = chosenStep(steps, dismissed);
  const link = find(element, ".next-do", HTMLAnchorElement);
  find(element, ".next-said").textContent = step ? step.said : "Nothing is waiting for you.";
  find(element, ".next-said").title = step?.said || "";
  find(element, ".next-later").hidden = !step;
  link.hidden = !step?.link || new URL(step.link, location.href).href === location.origin + location.pathname; // one is there
  find(element, ".next-all").hidden = Boolean(step) || !steps.length;
  const ticks = find(element, ".next-ticks");
  ticks.hidden = !step?.ticks.length;
  ticks.replaceChildren(...(step?.ticks || []).map(tick));
  if (!step) return;
  link.textContent = step.button;
  link.href = step.link;
}

/** @param {Step["ticks"][number]} tick */
function tick({ title, done }) {
  const sign = make("span", { "aria-hidden": "true" }, done ? "✓" : "○");
  return make(
    "li",
    { class: done ? "next-done" : "", title, "aria-label": `${title}, ${done ? "done" : "to do"}` },
    sign,
    ` ${title}`,
  );
}
