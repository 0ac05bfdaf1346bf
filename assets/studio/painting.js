// Orders paintings: a preview and its end, a batch, a comparison. Knows the store and the server.

import { once } from "../shared/server.js";
import { counted } from "../shared/words.js";
import { showing } from "./candidate.js";
import { maskSpec } from "./masks.js";
import { drawSeed, pause } from "./parts.js";
import { isUntouched, isVaried } from "./prompts.js";
import { loadComparison, refresher } from "./results.js";
import { changedSettings } from "./settings.js";

/**
 * A preview that is painted; picture: what it looks like by now, "" before the first step.
 * @typedef {{ id: string, text: string, fraction: number, picture: string }} Run
 * @typedef {import("./state.js").Studio} Studio
 * @typedef {ReturnType<typeof painter>} Painter
 */

/**
 * Everything a painting needs. The server completes and checks it.
 * @param {Readonly<import("./state.js").State>} state
 */
const orderOf = (state) => ({
  dataset: state.dataset,
  source: state.source,
  where: state.where,
  mask: maskSpec(state),
  engine: state.engine,
  settings: changedSettings(state),
  template: state.prompt,
  negative_prompt: state.negative,
  prompt_id: isUntouched(state) ? state.promptId : "",
  seed: Number(state.seed),
  count: Math.round(Number(state.count)),
  parent: state.parent,
  donor: state.donor,
  defect_type: state.type,
});

/** An order that was just queued. @param {string} id @param {string} title */
const waiting = (id, title) => ({ id, title, state: "queued", text: "Waiting for its turn", fraction: 0 });

/** @param {Studio} studio */
export function painter(studio) {
  const { root, store, call, attempt, toast } = studio;
  const refresh = refresher(studio);
  /** The end of the preview that runs. @type {Promise<void>} */
  let followed = Promise.resolve();

  /** @param {string} id */
  const follow = (id) => (followed = followRun(studio, id).then(() => void refresh()));

  const preview = attempt(async () => {
    if (store.get().run) return;
    if (store.get().newSeed) store.patch({ seed: drawSeed(root) });
    store.patch({ run: { id: "", text: "Starting", fraction: 0, picture: "" } });
    let began;
    try {
      began = await call("preview", orderOf(store.get()));
    } catch (error) {
      store.patch({ run: null });
      throw error;
    }
    await follow(began.run);
  });

  const queue = once(
    attempt(async () => {
      const state = store.get();
      const vary = isVaried(state, state.expanded.total);
      const { job, count } = await call("queue", orderOf({ ...state, vary }));
      const many = counted(count, "candidate");
      store.patch({ jobs: [...store.get().jobs, waiting(job, many)] });
      toast(`Queued ${many}. They appear below as they are painted; you can close this page.`);
      void refresh();
    }),
  );

  /**
   * Paint a grid. What is wrong with it is said in the dialog.
   * @param {{ name: string, values: unknown[] }[]} axes
   */
  const compare = async (axes) => {
    const { job } = await call("compare", { ...orderOf(store.get()), axes });
    store.patch({ closed: "", compared: job });
    await refresh();
    await loadComparison(studio, job);
    root.querySelector(".st-compared")?.scrollIntoView({ behavior: "smooth", block: "nearest" });
  };

  const search = searcher(studio, refresh);
  return { preview, queue, compare, search, follow, ended: () => followed.catch(() => {}) };
}

/**
 * A function that spends paintings on what proves useful of a grid and of the prompt's alternatives. What is wrong
 * with them is said in the dialog.
 * @param {Studio} studio
 * @param {() => Promise<unknown>} refresh
 */
const searcher =
  ({ store, call, toast }, refresh) =>
  /** @param {{ name: string, values: unknown[] }[]} axes @param {number} count */
  async (axes, count) => {
    const state = store.get();
    const order = orderOf({ ...state, vary: isVaried(state, count) });
    const { job } = await call("search", { ...order, count, axes });
    const many = counted(count, "candidate");
    store.patch({ jobs: [...store.get().jobs, waiting(job, `Search with ${many}`)] });
    toast(`Searching with ${many}. They appear below as they are painted; you can close this page.`);
    await refresh();
  };

/**
 * Follow a preview to its end and show what came of it.
 * @param {Studio} studio
 * @param {string} id
 */
async function followRun({ store, call, say }, id) {
  /** @type {Run} */
  let run = { id, text: "Starting", fraction: 0, picture: "" };
  let seen = 0;
  store.patch({ run });
  try {
    for (let wait = 60; ; wait = Math.min(400, wait + 40)) {
      await pause(wait);
      const answer = await call("look", { run: id, seen });
      if (answer.picture) ({ seen } = answer);
      if (answer.state === "over") {
        store.patch({ run: null, ...(answer.result && showing(store.get(), answer.result)) });
        if (answer.failure) say(answer.failure);
        return;
      }
      run = { ...run, text: answer.text, fraction: answer.fraction, picture: answer.picture || run.picture };
      store.patch({ run });
    }
  } finally {
    store.patch({ run: null });
  }
}
