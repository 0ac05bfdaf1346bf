// Prompt, negative prompt and defect type; the library's select, Save, and what a template becomes.
// Knows the store and the server; the library itself is a dialog.

import { find, make } from "../shared/dom.js";
import { latest, sentence } from "../shared/server.js";
import { tieText } from "./fields.js";
import { all, settled } from "./parts.js";
import { chosenPrompt, expandedWords, isUntouched, loading } from "./prompts.js";
import { changedSettings } from "./settings.js";
import { formOf } from "./state.js";

/**
 * @typedef {import("./state.js").Studio} Studio
 * @typedef {(words: string, then: (name: string) => unknown) => void} AskName
 */

/** Load a prompt of the library; "" for none. @param {Studio} studio @param {string} id */
export function loadPrompt({ store, toast }, id) {
  const before = formOf(store.get());
  const prompt = store.get().prompts.find((one) => one.id === id);
  if (!prompt) {
    store.patch({ promptId: "" });
    return;
  }
  store.patch(loading(store.get(), prompt));
  if (before.prompt && before.prompt !== prompt.prompt) {
    toast(`Loaded "${prompt.name}".`, () => store.patch(before));
  }
}

/** @param {Studio} studio @param {{ askName: AskName, library: () => void }} dialogs */
export function promptPane(studio, dialogs) {
  const { root, store } = studio;
  const select = find(root, ".st-prompts", HTMLSelectElement);
  tieText(studio, ".st-prompt", "prompt");
  tieText(studio, ".st-negative", "negative");
  tieText(studio, ".st-type", "type");
  const show = () => showLibrary(select, store.get());
  store.subscribe(["prompts", "promptId", "prompt", "negative"], show);
  select.addEventListener("change", () => {
    loadPrompt(studio, select.value);
    show();
  });
  find(root, ".st-library").addEventListener("click", dialogs.library);
  const save = saver(studio, dialogs.askName);
  for (const button of all(root, "[data-save]")) {
    button.addEventListener("click", () => {
      find(root, "details.st-save", HTMLDetailsElement).open = false;
      if (button.dataset.save === "as") dialogs.askName(store.get().prompt, save);
      else save("");
    });
  }
  const expandSoon = settled(expander(studio), 200);
  store.subscribe(["prompt", "count", "engine", "seed"], expandSoon);
  store.subscribe(["expanded"], ({ expanded }) => {
    const box = find(root, ".st-expanded");
    box.hidden = expanded.prompts.length < 2;
    find(box, "summary").textContent = expandedWords(expanded);
    find(box, "ul").replaceChildren(...expanded.prompts.map((prompt) => make("li", {}, prompt)));
  });
}

/** @param {HTMLSelectElement} select @param {Readonly<import("./state.js").State>} state */
function showLibrary(select, state) {
  const { prompts, promptId } = state;
  const chosen = chosenPrompt(state);
  const isEdited = Boolean(chosen) && !isUntouched(state);
  const options = prompts.map(({ id, name, prompt }) => {
    const selected = id === promptId;
    return make("option", { value: id, selected, title: prompt }, name + (selected && isEdited ? " *" : ""));
  });
  const none = prompts.length ? "From the library…" : "The library is empty";
  select.replaceChildren(make("option", { value: "" }, none), ...options);
  select.title = chosen && isEdited ? `${chosen.name}, edited here and not saved` : "";
  if (!chosen) select.value = "";
}

/**
 * A function that saves what is typed: under a new name, or with "" over the prompt that is chosen.
 * @param {Studio} studio
 * @param {AskName} askName
 */
function saver({ store, call, attempt, toast }, askName) {
  const save = attempt(async (/** @type {string} */ name) => {
    const state = store.get();
    const chosen = name ? undefined : chosenPrompt(state);
    if (!name && !chosen) {
      askName(state.prompt, save);
      return;
    }
    const answer = await call("save_prompt", {
      id: chosen?.id || "",
      name: name || chosen?.name,
      prompt: state.prompt,
      negative_prompt: state.negative,
      tags: chosen?.tags || [],
      engine: state.engine,
      settings: changedSettings(state),
    });
    store.patch({ prompts: answer.prompts, promptId: answer.saved });
    const undo = async () => store.patch({ prompts: (await call("save_prompt", { ...chosen })).prompts });
    toast(`Saved "${name || chosen?.name}".`, chosen && undo);
  });
  return save;
}

/** A function that asks what the template becomes. @param {Studio} studio */
const expander = ({ store, call }) =>
  latest(async () => {
    const { prompt, count, seed, engine } = store.get();
    const asked = { prompt, count: Number(count) || 1, seed: Number(seed), engine };
    try {
      store.patch({ expanded: { error: "", ...(await call("expand", asked)) } });
    } catch (error) {
      store.patch({ expanded: { prompts: [], each: true, total: 0, error: sentence(error) } });
    }
  });
