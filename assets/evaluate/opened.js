// The measurement that is open: its title, the measurement itself, its record, and its buttons.

import { find, make, save } from "../shared/dom.js";
import { copyButton } from "../shared/parts.js";
import { editName } from "../shared/renaming.js";
import { once } from "../shared/server.js";
import { knownName, rememberName } from "../shared/who.js";
import { nameInAddress } from "./address.js";
import { made } from "./making.js";
import { show as showMeasurement } from "./measured.js";
import { factsOf, inspectUrl, thumbnailUrl } from "./words.js";

/** @typedef {import("./state.js").Pane} Pane */
/** @typedef {import("./state.js").Opened} Opened */

// Milliseconds for which a deleted measurement can be taken back.
const UNDO = 15_000;

/**
 * @param {Pane} pane
 * @param {(job: import("./words.js").Job, compared: string) => void} watch
 */
export function showOpened(pane, watch) {
  const { page, store, call, voice } = pane;
  store.subscribe(["shown"], ({ shown: opened }) => {
    if (!opened) return;
    const { line, shown, banks } = opened;
    find(page, ".ev-making").replaceChildren();
    find(page, ".ev-called").textContent = line.title;
    find(page, ".ev-of").textContent = `: ${line.called}`;
    find(page, ".ev-facts").textContent = factsOf(line, shown.result);
    showMeasurement(find(page, ".ev-measured"), shown, {
      picture: thumbnailUrl,
      isOwned: (method) => method !== "patchcore" && method in banks,
      use: voice.attempt(async (/** @type {string} */ method, /** @type {number} */ value) => {
        const who = rememberName(knownName() || prompt("Your name is stored with the threshold:") || "");
        if (!who) return;
        const { said } = await call("use_threshold", { id: line.id, method, value, who });
        await pane.open(line.id); // whose scores have it at 1 now
        voice.toast(said);
      }),
      link: (image, method) => inspectUrl(image, banks[method] || Object.values(banks)[0]),
    });
    find(page, ".ev-record").replaceChildren(recordOf(opened));
  });
  /** They act on what is seen, while another one is on its way. @param {string} selector @param {(at: string) => Promise<void>} action */
  const wire = (selector, action) =>
    find(page, selector).addEventListener(
      "click",
      once(
        voice.attempt(async () => {
          const { shown } = store.get();
          if (shown) await action(shown.line.id);
        }),
      ),
    );
  wire(".ev-delete", (at) => remove(pane, at));
  wire(".ev-rename", async (at) => {
    const keep = voice.attempt(async (/** @type {string} */ name) => {
      store.patch({ runs: (await call("rename", { id: at, name })).runs });
      if (store.get().at === at) await pane.open(at);
    });
    editName(find(page, ".ev-called"), keep);
  });
  wire(".ev-again", async (at) => watch((await call("again", { id: at })).job, at));
  wire(".ev-report", async (at) => {
    const [file] = await made(call, "report", { id: at }, find(page, ".ev-making"));
    if (file) save(file);
  });
}

/** @param {Opened} opened */
function recordOf({ record, command }) {
  const line = make("code", {}, command);
  const pairs = record.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]);
  return make(
    "details",
    { class: "ms-card" },
    make("summary", {}, "Record: settings, bank versions, libraries"),
    make("p", { class: "ms-said" }, "Run this command to repeat the measurement:"),
    make("div", { class: "ev-command" }, line, copyButton(line)),
    make("dl", { class: "ev-pairs" }, ...pairs),
  );
}

/** Take a measurement off the list, and offer it back. @param {Pane} pane @param {string} at */
async function remove({ store, call, voice, open }, at) {
  const run = store.get().runs.find(({ id }) => id === at);
  const { runs } = await call("delete", { id: at });
  store.patch({ runs, at: "", shown: null });
  if (runs.length) await open(runs[0].id);
  else nameInAddress("");
  const undo = async () => {
    store.patch({ runs: (await call("restore", { id: at })).runs });
    await open(at);
  };
  voice.toast(`Deleted ${run?.title} of ${run?.called}`, undo, UNDO);
}
