// Opens the Studio: what this browser kept, what the address asks for, and what the server tells; then
// looks for news. Knows the store and the server.

import { find, make } from "../shared/dom.js";
import { recall, remember } from "../shared/memory.js";
import { sentence } from "../shared/server.js";
import { taken } from "../shared/tab.js";
import { elsewhere, fromText, toText } from "./kept.js";
import { starts } from "./masks.js";
import { beginLike } from "./more_like.js";
import { pause, settled } from "./parts.js";
import { asked, loadComparison, showCandidate, showNewest, take } from "./results.js";
import { openWhich } from "./sources.js";
import { FORM_FIELDS, VIEW_FIELDS } from "./state.js";

/** @typedef {import("./state.js").Studio} Studio */

const STORED = "exdd.studio";
// Milliseconds between two looks for news: while something is made, and otherwise.
const QUICK = 800;
const SLOW = 2500;

/** Keep form and view in this browser whenever they change. @param {Studio} studio */
export function keep({ store }) {
  const write = () => {
    if (store.get().dataset) remember(STORED, toText(store.get()));
  };
  store.subscribe([...FORM_FIELDS, ...VIEW_FIELDS], settled(write, 250));
  window.addEventListener("pagehide", write);
}

/**
 * A function that opens the page; the active data set may be another one each time.
 * @param {Studio} studio
 * @param {import("./painting.js").Painter} painter
 * @param {() => Promise<void>} maskShown ends when the mask is shown
 */
export const opener = (studio, painter, maskShown) =>
  studio.attempt(async () => {
    const { store, call } = studio;
    const kept = fromText(recall(STORED));
    const address = new URL(location.href).searchParams;
    const filter = { ...kept.view.filter, job: address.get("job") || "" };
    const answer = await call("open_page", asked(filter));
    showNeed(studio, answer.need);
    if (answer.need) return;
    const view = {
      ...kept.view,
      filter,
      ...(kept.dataset === answer.dataset ? {} : { shownId: "", compared: "" }),
    };
    const known = kept.dataset === answer.dataset ? kept.form : elsewhere(kept.form);
    const form = completed(known, answer);
    const { dataset, sourceCount, engines, prompts, shapes, borrowed, cells, page: pageSize } = answer;
    const told = { dataset, sourceCount, engines, prompts, shapes, borrowed, cells, pageSize };
    find(studio.root, "#st-types").replaceChildren(
      ...answer.types.map((/** @type {string} */ value) => make("option", { value })),
    );
    store.patch({ ...told, ...form, ...view, picture: null, donors: null, shown: null, previous: null });
    const wanted = taken("image") || form.source;
    await openWhich(studio, { id: wanted, instead: true });
    const isWanted = store.get().source === wanted && wanted === form.source;
    store.patch({ parent: isWanted ? form.parent : "" });
    await beginLike(studio).catch((error) => studio.say(sentence(error)));
    await maskShown();
    store.patch({ results: [] });
    take(store, answer.results);
    store.patch({ results: [...store.get().results] }); // render the results even if there are none
    if (view.shownId) await showCandidate(studio, view.shownId).catch(() => {});
    await showNewest(studio);
    const { comparison } = answer.results;
    await loadComparison(studio, view.closed === comparison ? "" : comparison || view.compared);
    if (answer.run) painter.follow(answer.run).catch((error) => studio.say(sentence(error)));
  });

/**
 * A form with what is missing in it: an engine that exists, a prompt, the sliders of its shape.
 * @param {import("./state.js").Form} form
 * @param {any} answer of open_page
 * @returns {import("./state.js").Form}
 */
function completed(form, { engines, engine, prompts, shapes }) {
  const isKnown = engines.some((/** @type {{ name: string }} */ { name }) => name === form.engine);
  const [first] = prompts;
  const isBlank = !form.prompt && !form.promptId && first;
  return {
    ...form,
    generated: { ...starts(shapes[form.generated.shape] || []), ...form.generated },
    engine: isKnown ? form.engine : engine,
    ...(isBlank ? { promptId: first.id, prompt: first.prompt, negative: first.negative_prompt } : {}),
  };
}

/**
 * @param {Studio} studio
 * @param {{ title: string, text: string, link: string, button: string } | null} need
 */
function showNeed({ root }, need) {
  const box = find(root, ".st-need");
  box.hidden = !need;
  find(root, ".st-body").hidden = Boolean(need);
  if (!need) return;
  box.replaceChildren(
    make("p", { class: "empty-title" }, need.title),
    make("p", {}, need.text),
    make("a", { class: "main-button", href: need.link }, need.button),
  );
}

/**
 * Look for news, often while something is made, while the page is seen.
 * @param {Studio} studio
 * @param {() => Promise<unknown>} open
 * @param {() => Promise<unknown>} refresh
 */
export async function watch(studio, open, refresh) {
  const { root, store, call } = studio;
  const page = find(root, ".studio");
  while (page.isConnected) {
    await pause(store.get().jobs.length ? QUICK : SLOW);
    const { dataset, stamp, run } = store.get();
    if (document.hidden || !page.offsetParent || run || !dataset) continue;
    try {
      const answer = await call("news", { stamp });
      if (answer.dataset !== dataset) await open();
      else if (answer.changed && !store.get().run) {
        await refresh(); // the end of a preview refreshes everything
        const { comparison } = store.get();
        if (comparison) await loadComparison(studio, comparison.job);
        await showNewest(studio);
      }
    } catch {
      // a failure is shown on the next click
    }
  }
}
