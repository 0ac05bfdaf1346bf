// The Evaluate page: start a measurement, choose one of those that are kept, compare two, take files along.
// pages/evaluate.py answers its questions; what one measurement looks like is said in measured.js.

import { find, make } from "../shared/dom.js";
import { plotly } from "../shared/plotly.js";
import { caller } from "../shared/server.js";
import { createStore } from "../shared/store.js";
import { voice } from "../shared/voice.js";
import { addressed, nameInAddress } from "./address.js";
import { showCompared } from "./compared.js";
import { showFigureTwo } from "./figure_two.js";
import { fillForm, wireForm } from "./form.js";
import { showList } from "./list.js";
import { showOpened } from "./opened.js";
import { INITIAL } from "./state.js";
import { followWork } from "./work.js";

/** @typedef {import("./state.js").Pane} Pane */

/**
 * Called by Gradio once the component stands.
 * @param {HTMLElement} page
 * @param {import("../shared/server.js").Server} server
 */
export function start(page, server) {
  const call = caller(server);
  const store = createStore(INITIAL);
  const spoken = voice(page);
  /** @type {Pane} */
  const pane = { page, store, call, voice: spoken, open: opener(store, call) };
  const compareWith = showCompared(pane);
  const { watch, follow } = followWork(pane, compareWith);
  const { begin, showFields } = wireForm(pane, watch);
  const showRuns = showList(pane, begin);
  showOpened(pane, watch);
  showFigureTwo(pane);
  bringToSight(find(page, ".st-message"));
  document.addEventListener("visibilitychange", () => !document.hidden && follow());

  const enter = spoken.attempt(async () => {
    const { need, ...answer } = await call("open_page");
    find(page, ".st-need").hidden = !need;
    find(page, ".ev-body").hidden = Boolean(need);
    if (need) return showNeed(find(page, ".st-need"), need);
    store.patch({ runs: answer.runs, kinds: answer.kinds });
    fillForm(pane, answer);
    showFields();
    showRuns();
    const wanted = addressed();
    const { runs } = store.get();
    const run = runs.find(({ id }) => id === wanted) || runs[0];
    follow();
    if (run) await pane.open(run.id);
    else nameInAddress("");
    if (answer.damaged) spoken.say(answer.damaged);
  });
  enter();
}

/**
 * A function that opens a run and puts it into the address.
 * @param {Pane["store"]} store
 * @param {Pane["call"]} call
 */
function opener(store, call) {
  /** @param {string} id */
  return async (id) => {
    store.patch({ at: id });
    const shown = await call("run", { id }).catch((error) => {
      const { at, shown: before } = store.get();
      if (at === id) store.patch({ at: before?.line.id ?? "" }); // which is still seen
      throw error;
    });
    await plotly();
    if (store.get().at !== id) return;
    nameInAddress(id);
    store.patch({ shown });
  };
}

/** @param {HTMLElement} place @param {{ title: string, text: string, link: string, button: string }} need */
function showNeed(place, { title, text, link, button }) {
  place.replaceChildren(
    make("p", { class: "empty-title" }, title),
    make("p", {}, text),
    make("a", { class: "main-button", href: link }, button),
  );
}

/** What is said above a long page is brought to sight. @param {HTMLElement} message */
function bringToSight(message) {
  new MutationObserver(() => {
    if (!message.hidden) message.scrollIntoView({ block: "nearest" });
  }).observe(message, { childList: true });
}
