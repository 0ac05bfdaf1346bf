// Which engine paints, and its settings; what it misses, and how far its model is loaded. Knows the
// store and the server.

import { find, make } from "../shared/dom.js";
import { copyButton, small } from "../shared/parts.js";
import { sentence } from "../shared/server.js";
import { controlRow } from "./control.js";
import { bar, link, pause } from "./parts.js";
import { engineOf, missingParts, splitControls, valueOf, withSetting } from "./settings.js";

/**
 * @typedef {import("./state.js").Studio} Studio
 * @typedef {import("./settings.js").Engine} Engine
 */

/**
 * @param {Studio} studio
 * @param {() => unknown} loadDonors asks for the real defects that an engine transplants
 * @param {() => unknown} showWords shows the words that an engine knows
 */
export function enginePane(studio, loadDonors, showWords) {
  const { root, store } = studio;
  const warm = warmer(studio);
  const choose = (/** @type {string} */ engine) => store.patch({ engine });
  /** What was changed here is shown already. @type {unknown} */
  let own = null;
  const change = (/** @type {string} */ name, /** @type {unknown} */ value) => {
    const settings = withSetting(store.get(), name, value);
    own = settings;
    store.patch({ settings });
  };
  const show = () => {
    const state = store.get();
    const engine = engineOf(state);
    if (!engine) return;
    find(root, ".st-engines").replaceChildren(...state.engines.map((one) => button(one, engine, choose)));
    const about = find(root, ".st-about");
    about.textContent = engine.missing ? "" : engine.about;
    const words = find(root, ".st-aboutwords");
    words.hidden = Boolean(engine.missing);
    words.replaceChildren(engine.words ? link("Words it knows", showWords) : "");
    const others = state.engines.filter((one) => !one.missing);
    find(root, ".st-missing").replaceChildren(engine.missing ? missingNote(engine, others, choose) : "");
    showControls(studio, engine, change);
    if (engine.lends) loadDonors();
    warm(engine);
  };
  store.subscribe(["engine", "engines", "settings"], ({ settings }) => {
    if (settings !== own) show();
    own = null;
  });
  store.subscribe(["donors", "kind", "real"], (state) => {
    const holder = root.querySelector(".st-lender");
    if (!holder || !engineOf(state)?.lends) return;
    if (state.donors === null) loadDonors();
    if (holder.getAttribute("data-for") !== lenderKey(state)) holder.replaceWith(lenderRow(studio));
  });
}

/** @param {Engine} engine @param {Engine} chosen @param {(name: string) => void} choose */
function button({ name, title, about }, chosen, choose) {
  const properties = { role: "radio", "data-engine": name, "aria-checked": String(name === chosen.name) };
  return make("button", { type: "button", ...properties, title: about, onclick: () => choose(name) }, title);
}

/** @param {Studio} studio @param {Engine} engine @param {(name: string, value: unknown) => void} change */
function showControls(studio, engine, change) {
  const { root, store } = studio;
  const row = (/** @type {import("./settings.js").Control} */ one) =>
    controlRow(one, valueOf(store.get(), one), change);
  const { first, rest } = splitControls(engine.controls);
  const more = make(
    "details",
    { class: "st-moresettings", open: store.get().moreSettings },
    make("summary", {}, `More settings (${rest.length})`),
    make("div", { class: "st-controls" }, ...rest.map(row)),
  );
  more.addEventListener("toggle", () => store.patch({ moreSettings: more.open }));
  const rows = [...(engine.lends ? [lenderRow(studio)] : []), ...first.map(row)];
  find(root, ".st-controls").replaceChildren(...rows, ...(rest.length ? [more] : []));
}

/** @param {Engine} engine @param {Engine[]} others @param {(name: string) => void} choose */
function missingNote(engine, others, choose) {
  const [before, command, after] = missingParts(engine);
  const line = make("code", {}, command);
  const buttons = others.map(({ name, title }) => small(`Use ${title}`, () => choose(name)));
  return make(
    "div",
    { class: "note info", role: "status" },
    make("span", { class: "note-icon", "aria-hidden": "true" }, "i"),
    make(
      "div",
      { style: "flex: 1" },
      make("p", {}, before),
      ...(command
        ? [make("div", { class: "st-command" }, line, copyButton(line)), make("p", {}, after)]
        : []),
      buttons.length > 0 && make("p", { class: "st-do", style: "margin-top: 8px" }, ...buttons),
    ),
  );
}

/** With another one, the lender's row is made anew. @param {Readonly<import("./state.js").State>} state */
const lenderKey = ({ donors, kind, real }) => `${donors?.length} ${kind === "real" && real.image}`;

/** Which real defect is transplanted: a borrowed mask brings its own. @param {Studio} studio */
function lenderRow({ store }) {
  const { kind, real, donors, donor } = store.get();
  const borrowed = kind === "real" && real.image;
  const options = (donors || []).map(({ id, name, type }) =>
    make("option", { value: id, selected: id === (borrowed || donor) }, `${name} · ${type}`),
  );
  const any = make("option", { value: "" }, "Any of the training split, chosen by the seed");
  const select = make("select", { id: "st-donor", disabled: Boolean(borrowed) }, any, ...options);
  select.addEventListener("change", () => store.patch({ donor: select.value }));
  const help = borrowed ? "the one whose mask is borrowed" : "cut out by its mask and turned to fit yours";
  return make(
    "div",
    { class: "st-control st-wider st-lender", "data-for": lenderKey(store.get()) },
    make("label", { for: "st-donor" }, "Defect"),
    make("span"),
    select,
    make("span", { class: "st-help" }, help),
  );
}

/**
 * A function that loads an engine's model while the mask is drawn, and tells how far that is.
 * @param {Studio} studio
 */
function warmer({ root, store, call, say }) {
  /** What is loaded by the engines' names. @type {Map<string, { text: string, fraction: number }>} */
  const loads = new Map();
  const show = () => {
    const loading = loads.get(engineOf(store.get())?.name || "");
    const box = find(root, ".st-loading");
    box.hidden = !loading;
    if (!loading) return;
    box.replaceChildren(
      bar(loading.text, loading.fraction),
      `${loading.text}. You can draw in the meantime.`,
    );
  };
  let warming = "";
  return async (/** @type {Engine} */ { name, loads: hasModel, missing }) => {
    show();
    if (!hasModel || missing || warming === name) return;
    warming = name;
    try {
      for (;;) {
        const answer = await call("warm", { engine: name });
        if (answer.over) loads.delete(name);
        else loads.set(name, answer);
        show();
        if (answer.failure) say(answer.failure);
        if (answer.over) return;
        await pause(500);
      }
    } catch (error) {
      say(sentence(error));
    } finally {
      warming = "";
    }
  };
}
