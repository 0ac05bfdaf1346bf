// On the Banks page: the map of both banks of one version, the image behind a dot, and histograms of both
// distances. pages/banks/map.py answers its questions: every place and every share comes from there.

import { find } from "../shared/dom.js";
import { remember } from "../shared/memory.js";
import { caller, newest, once, sentence } from "../shared/server.js";
import { createStore } from "../shared/store.js";
import { voice } from "../shared/voice.js";
import { showHistograms } from "./histograms.js";
import { showMap } from "./map.js";
import { showSide } from "./side.js";
import { initial, sameDot, STORED } from "./state.js";
import { showSwitches } from "./switches.js";

/** @typedef {import("./state.js").Pane} Pane */
/** @typedef {import("./state.js").State} State */
/**
 * What is kept of the version that is shown: the stamp of its last answer, the id of the version
 * that somebody asked for ("": the active one), and whether the page's lists know of the next change.
 * @typedef {{ stamp: string, wanted: string, own: boolean }} Known
 */

// Milliseconds between two questions for news: while a map is being made, and otherwise.
const QUICK = 700;
const SLOW = 2000;

/**
 * Called by Gradio once the component stands.
 * @param {HTMLElement} element
 * @param {import("../shared/server.js").Server} server
 * @param {(bank: string) => void} tell the rest of the page that a bank has changed
 */
export function start(element, server, tell) {
  const page = find(element, ".landscape");
  const call = caller(server);
  const store = createStore(initial());
  const spoken = voice(element);
  const hear = hearer(store, spoken.say);
  /** @type {Known} */
  const known = { stamp: "", wanted: "", own: false };
  const read = reader(page, store, call, known);
  const changed = async (/** @type {string} */ bank) => {
    tell(bank);
    await read();
  };
  const order = once(async () => hear(await call("order_map", { bank: store.get().bank?.id })));
  const cancel = async () => {
    store.patch({ cancelling: true });
    hear(await call("cancel_map", { bank: store.get().bank?.id }));
  };
  const pane = { page, store, call, voice: spoken, changed, order, cancel };
  for (const begin of [showSwitches, showMap, showSide, showHistograms]) begin(pane);
  store.subscribe(["colour", "method"], ({ colour, method }) =>
    remember(STORED, JSON.stringify({ colour, method })),
  );
  store.subscribe(["method"], spoken.attempt(read));
  new MutationObserver(() => store.patch({ theme: document.documentElement.className })).observe(
    document.documentElement,
    { attributeFilter: ["class"] },
  );
  const show = spoken.attempt(async () => {
    await read();
    page.scrollIntoView({ behavior: "smooth" });
  });
  followTable(page, known, show);
  whenNear(page, () =>
    spoken
      .attempt(read)()
      .then(() => watch(pane, known, read, hear, tell)),
  );
}

/**
 * A function that reads the version to show, then its histograms. A row that was chosen stays chosen.
 * @param {HTMLElement} page
 * @param {Pane["store"]} store
 * @param {Pane["call"]} call
 * @param {Known} known
 */
function reader(page, store, call, known) {
  const opened = newest();
  return async () => {
    const { method } = store.get();
    const answer = await opened(call("open_picture", { bank: known.wanted, method }));
    if (!answer) return;
    const { bank, map, made, stamp } = answer;
    const before = store.get();
    find(page, ".lm-picture").hidden = !bank;
    known.stamp = stamp;
    if (!bank) return store.patch({ bank: null });
    known.wanted &&= bank.id;
    store.patch({ bank, map, made, chosen: sameDot(before, bank, map) });
    /** @param {unknown} error */
    const none = (error) => ({ kinds: [], edges: {}, visible_from: 0, failed: sentence(error) });
    const histograms = await call("histograms", { bank: bank.id }).catch(none);
    if (bank.id === store.get().bank?.id) store.patch({ histograms });
  };
}

/**
 * A function that takes what the server tells of the map's job.
 * @param {Pane["store"]} store
 * @param {(words: string) => void} say
 */
function hearer(store, say) {
  /** @param {{ job: State["job"], failed: string }} answer */
  return ({ job, failed }) => {
    const { job: before, cancelling } = store.get();
    store.patch({ job, cancelling: cancelling && Boolean(job) });
    if (before && !job && failed) say(failed);
  };
}

/**
 * Ask for news as long as the page stands.
 * @param {Pane} pane
 * @param {Known} known
 * @param {() => Promise<void>} read
 * @param {(answer: { job: State["job"], failed: string }) => void} hear
 * @param {(bank: string) => void} tell
 */
async function watch({ page, store, call }, known, read, hear, tell) {
  const id = () => store.get().bank?.id || "";
  while (page.isConnected) {
    await new Promise((done) => setTimeout(done, store.get().job ? QUICK : SLOW));
    if (document.hidden || !page.offsetParent) continue;
    try {
      const answer = await call("news", { bank: id() });
      hear(answer);
      if (answer.stamp === known.stamp) continue;
      await read();
      if (!known.own) tell(id());
      known.own = false;
    } catch {
      // a failure is shown on the next click
    }
  }
}

/**
 * "Show" in the table of versions is Gradio's; the map follows it.
 * @param {HTMLElement} page
 * @param {Known} known
 * @param {() => void} show
 */
function followTable(page, known, show) {
  document.addEventListener("click", ({ target }) => {
    const button = target instanceof Element && target.closest(":is(#versions, #due) [data-act]");
    if (!(button instanceof HTMLElement) || !page.isConnected) return;
    const { act = "", id = "" } = button.dataset;
    if (["activate", "back", "align"].includes(act)) known.own = true;
    if (["rows", "activate", "back"].includes(act)) known.wanted = act === "rows" ? id : "";
    if (act === "rows") show();
  });
}

/**
 * The banks are read, and the script that draws is loaded, when somebody scrolls to them.
 * @param {HTMLElement} page
 * @param {() => void} open
 */
function whenNear(page, open) {
  const watcher = new IntersectionObserver(
    (seen) => {
      if (!seen.some((one) => one.isIntersecting)) return;
      watcher.disconnect();
      open();
    },
    { rootMargin: "400px" },
  );
  watcher.observe(page);
}
