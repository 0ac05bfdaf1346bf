// Teaching the engine one's own defects: starts a training, shows how far it is and what it paints meanwhile, and the
// adapters that came of it, with Use and Drop. Asks the server only while its panel is open.

import { find, make, renew } from "../shared/dom.js";
import { small } from "../shared/parts.js";
import { editName } from "../shared/renaming.js";
import { once, sentence } from "../shared/server.js";
import { counted } from "../shared/words.js";
import { bar, pause } from "./parts.js";
import { withDefault, withMissing } from "./settings.js";

/**
 * @typedef {import("./state.js").Studio} Studio
 *
 * @typedef {object} Adapter
 * @property {string} name
 * @property {number} images
 * @property {string} dataset
 * @property {number} best step that was kept, 0 where none was better than no adapter
 * @property {number} before loss on held-out defects without it
 * @property {number} after
 * @property {boolean} inUse
 * @property {string[]} samples
 *
 * @typedef {object} Teaching
 * @property {string} engine
 * @property {string} setting its control that names what was taught
 * @property {string} missing what is to be done before it can paint, or ""
 * @property {string} problem why nothing can be taught, "" where something can
 * @property {string} surface
 * @property {string} trigger
 * @property {{ id: string, title: string, active: boolean, text: string, fraction: number, samples: string[] } | null} job
 * @property {string} inUse
 * @property {Adapter[]} adapters
 */

const BETWEEN = 1500; // milliseconds

/** @type {Record<string, string>} */
const ABOUT = {
  sdxl:
    "Learns the marked defects of the training split, which takes long, especially without a GPU. Paintings wait in " +
    "the meantime. Prompts then read: surface with trigger word and type.",
  learned:
    "Learns the normal surface and the marked defects of the training split, about 20 minutes without a GPU. " +
    "Paintings wait in the meantime.",
};

/** @param {Studio} studio */
export function teachingPane(studio) {
  const { root, store, call, attempt, say } = studio;
  const panel = find(root, ".st-teach", HTMLDetailsElement);
  const form = formOf(once((surface, trigger) => act("teach", { ...ours(), surface, trigger })));
  const list = listOf((name, given) => act(name, given));
  const ours = () => ({ engine: store.get().engine });
  let watching = false;
  let shown = ""; // the engine that the panel is about

  const show = (/** @type {Teaching} */ { engine, problem, job, ...told }) => {
    form.fill({ engine, ...told });
    const running = job?.active;
    list.fill(engine, told.adapters);
    const content = [
      problem && !running && make("p", { class: "st-quiet st-cannot" }, problem),
      !problem && !running && form.node,
      job && jobOf(job, (id) => act("cancel_job", { id })),
      list.node,
    ].filter((one) => one instanceof Node);
    renew(find(panel, ".st-taught"), content);
    noteUse(store, engine, told);
  };
  const refresh = async () => {
    /** @type {Teaching} */
    const answer = await call("teaching", ours());
    shown = answer.engine;
    show(answer);
    return Boolean(answer.job?.active);
  };
  const act = attempt(async (/** @type {string} */ name, /** @type {object} */ given) => {
    await call(name, given);
    await watch();
  });
  const watch = async () => {
    if (watching) return void (await refresh());
    watching = true;
    try {
      while (panel.open && root.isConnected && (await refresh())) await pause(BETWEEN);
    } catch (error) {
      say(sentence(error));
    } finally {
      watching = false;
    }
  };
  panel.addEventListener("toggle", () => panel.open && watch());
  store.subscribe(["engine", "engines"], ({ engine, engines }) => {
    panel.hidden = !engines.some((one) => one.name === engine && one.teaches);
    if (!panel.hidden && panel.open && shown !== engine) watch();
  });
}

/**
 * Let the engine's settings name the adapter in use, and what it lacks.
 * @param {Studio["store"]} store
 * @param {string} engine
 * @param {Pick<Teaching, "missing" | "setting" | "inUse">} told
 */
function noteUse(store, engine, { missing, setting, inUse }) {
  const { engines } = store.get();
  const ready = withMissing(engines, engine, missing);
  const changed = withDefault(ready || engines, setting, inUse) || ready;
  if (changed) store.patch({ engines: changed });
}

/** @param {(surface: string, trigger: string) => unknown} teach */
function formOf(teach) {
  const surface = make("input", { type: "text", class: "st-surface", maxlength: "200", required: true });
  const trigger = make("input", { type: "text", class: "st-trigger", maxlength: "40" });
  const submit = (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    teach(surface.value.trim(), trigger.value.trim());
  };
  const words = [
    make("label", { class: "st-typed-as" }, make("b", {}, "Surface"), surface),
    make("label", { class: "st-typed-as" }, make("b", {}, "Trigger word"), trigger),
  ];
  const about = make("p", { class: "st-quiet" });
  const begin = make("button", { type: "submit", class: "plain-button st-begin" }, "Teach");
  const node = make("form", { class: "st-teachform", onsubmit: submit }, ...words, about, begin);
  let isFilled = false;
  const fill = (/** @type {Pick<Teaching, "engine" | "surface" | "trigger">} */ told) => {
    about.textContent = ABOUT[told.engine];
    for (const label of words) label.hidden = told.engine !== "sdxl";
    if (isFilled) return;
    isFilled = true;
    surface.value = told.surface;
    trigger.value = told.trigger;
  };
  return { node, fill };
}

/** @param {NonNullable<Teaching["job"]>} job @param {(id: string) => unknown} cancel */
function jobOf({ id, title, active, text, fraction, samples }, cancel) {
  const words = make("span", { title }, active ? text : `${title}: ${text}`);
  return make(
    "div",
    { class: "st-job st-training", "data-id": id },
    active ? bar(title, fraction) : "",
    make("div", { class: "st-joblines" }, words, active && small("Cancel", () => cancel(id))),
    pictures(samples, "painted by the training"),
  );
}

/**
 * The adapters, made anew where any of them changed: else a name that is typed and a button that asks stay.
 * @param {(name: string, given: object) => unknown} act
 */
function listOf(act) {
  const node = make("div", { class: "st-adapters" });
  let shown = "";
  const fill = (/** @type {string} */ engine, /** @type {Adapter[]} */ adapters) => {
    const now = JSON.stringify([engine, adapters]);
    if (now !== shown) node.replaceChildren(...adapters.map((one) => adapterOf(one, engine, act)));
    shown = now;
  };
  return { node, fill };
}

/** @param {Adapter} adapter @param {string} engine @param {(name: string, given: object) => unknown} act */
function adapterOf({ name, images, dataset, best, before, after, inUse, samples }, engine, act) {
  const use = () => act("use_adapter", { engine, id: inUse ? "" : name });
  const rename = (/** @type {string} */ other) => act("rename_adapter", { id: name, name: other });
  const gain = best
    ? `held-out loss ${before.toFixed(4)} → ${after.toFixed(4)} after ${counted(best, "step")}`
    : "no step helped on held-out defects";
  const dropping = small("Drop", () => {
    if (dropping.dataset.sure) act("drop_adapter", { id: name });
    dropping.dataset.sure = "yes";
    dropping.textContent = "Drop permanently";
  });
  const title = make("b", {}, name);
  return make(
    "div",
    { class: "st-adapter", "data-name": name },
    make(
      "div",
      { class: "st-joblines" },
      title,
      small(inUse ? "Stop using" : "Use", use, {
        title: "Whether paintings use it unless they specify otherwise",
      }),
      small("Rename", () => editName(title, rename), { class: "plain-button small st-rename" }),
      dropping,
    ),
    make(
      "p",
      { class: "st-quiet" },
      `${counted(images, "image")} of ${dataset}; ${gain}${inUse ? "; in use" : ""}`,
    ),
    pictures(samples, `painted by ${name}`),
  );
}

/** @param {string[]} urls @param {string} alt */
const pictures = (urls, alt) =>
  urls.length > 0 && make("div", { class: "st-samples" }, ...urls.map((src) => make("img", { src, alt })));
