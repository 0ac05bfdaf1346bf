// The prompt library as a dialog: what became of every prompt, tags, differences, import and export.
// Knows the store and the server; every number comes from the server.

import { make, save } from "../shared/dom.js";
import { plain } from "../shared/parts.js";
import { counted } from "../shared/words.js";
import { chosenPrompt } from "./prompts.js";
import { loadPrompt } from "./prompt_pane.js";
import { scoreTable } from "./score_table.js";

/**
 * @typedef {import("./state.js").Studio} Studio
 * @typedef {import("./dialog.js").Dialog} Dialog
 * @typedef {import("./prompts.js").Prompt} Prompt
 * @typedef {import("./score_table.js").Score} Score
 */

/** A function that opens the library. @param {Studio} studio @param {Dialog} dialog */
export function libraryDialog(studio, dialog) {
  const { store, call, attempt } = studio;
  /** Ids of the prompts that are ticked. @type {Set<string>} */
  const ticked = new Set();
  let tag = "";

  /** @param {Prompt[]} prompts */
  const changed = (prompts) => {
    store.patch({ prompts });
    if (!chosenPrompt(store.get())) store.patch({ promptId: "" });
  };
  const acts = rowActs(studio, dialog, ticked, changed, () => show());

  const show = async () => {
    /** @type {{ rows: Score[] }} */
    const { rows } = await call("scoreboard");
    const known = rows.filter(({ prompt }) => prompt);
    const typed = rows.filter(({ prompt }) => !prompt);
    for (const id of ticked) if (!known.some(({ prompt }) => prompt?.id === id)) ticked.delete(id);
    const tags = [...new Set(known.flatMap(({ prompt }) => prompt?.tags || []))].sort();
    if (!tags.includes(tag)) tag = "";
    const shown = known.filter(({ prompt }) => !tag || prompt?.tags.includes(tag));
    const choose = dialog.within(async (/** @type {string} */ one) => {
      tag = one;
      await show();
    });
    const { engines } = store.get();
    const { footer, tell } = footerOf(studio, dialog, ticked, changed, show);
    const table = scoreTable(shown, engines, ticked, { ...acts, ticked: tell });
    dialog.open(
      "Prompt library",
      [
        tags.length > 0 && tagChips(tags, tag, choose),
        shown.length ? table : emptyNote(),
        typed.length > 0 && typedTable(typed, scoreTable(typed, engines, ticked, acts)),
      ],
      footer,
    );
  };
  return attempt(show);
}

/** @param {string[]} tags @param {string} chosen @param {(tag: string) => void} choose */
function tagChips(tags, chosen, choose) {
  const chips = ["", ...tags].map((one) => {
    const pressed = { class: "st-chip", "aria-pressed": String(chosen === one) };
    return make("button", { type: "button", ...pressed, onclick: () => choose(one) }, one || "All");
  });
  const properties = { class: "st-chips", style: "margin-bottom: 8px", role: "group", "aria-label": "Tags" };
  return make("div", properties, ...chips);
}

const emptyNote = () =>
  make(
    "div",
    { class: "empty" },
    make("p", { class: "empty-title" }, "The library is empty"),
    make("p", {}, "Save a prompt that works, or import a library."),
  );

/** @param {Score[]} typed @param {HTMLElement} table */
function typedTable(typed, table) {
  const words = `${counted(typed.length, "prompt")} typed but not saved`;
  return make("details", { class: "st-typed" }, make("summary", {}, words), table);
}

/**
 * What can be done with a row.
 * @param {Studio} studio
 * @param {Dialog} dialog
 * @param {Set<string>} ticked
 * @param {(prompts: Prompt[]) => void} changed
 * @param {() => Promise<void>} show
 */
function rowActs(studio, dialog, ticked, changed, show) {
  const { store, call, toast } = studio;
  const tag = dialog.within(async (/** @type {Prompt} */ prompt, /** @type {string[]} */ tags) => {
    changed((await call("save_prompt", { ...prompt, tags })).prompts);
    await show();
  });
  const remove = dialog.within(async (/** @type {Prompt} */ prompt) => {
    const answer = await call("delete_prompt", { id: prompt.id });
    changed(answer.prompts);
    await show();
    toast(`Deleted "${prompt.name}".`, async () => {
      changed((await call("save_prompt", answer.deleted)).prompts);
      if (dialog.isOpen()) await show();
    });
  });
  const rename = dialog.within(async (/** @type {Prompt} */ prompt, /** @type {string} */ name) => {
    changed((await call("save_prompt", { ...prompt, name })).prompts);
    await show();
    toast(`"${prompt.name}" is now named "${name}".`, async () => {
      changed((await call("save_prompt", prompt)).prompts);
      if (dialog.isOpen()) await show();
    });
  });
  const load = (/** @type {Score} */ { prompt, template }) => {
    dialog.close();
    if (prompt) loadPrompt(studio, prompt.id);
    else store.patch({ prompt: template, promptId: "" });
  };
  const tick = (/** @type {string} */ id, /** @type {boolean} */ on) =>
    void (on ? ticked.add(id) : ticked.delete(id));
  return { tag, remove, rename, load, tick };
}

/**
 * The footer, and a function that tells it that another prompt was ticked.
 * @param {Studio} studio
 * @param {Dialog} dialog
 * @param {Set<string>} ticked
 * @param {(prompts: Prompt[]) => void} changed
 * @param {() => Promise<void>} show
 */
function footerOf(studio, dialog, ticked, changed, show) {
  const { call } = studio;
  const file = make("input", {
    type: "file",
    accept: ".json,application/json",
    hidden: true,
    class: "st-importfile",
  });
  const take = dialog.within((/** @type {File | undefined} */ given) =>
    importFile(studio, dialog, given, changed, show),
  );
  file.addEventListener("change", () => take(file.files?.[0]));
  const two = plain(
    "Differences",
    dialog.within(() => showDifferences(studio, dialog, [...ticked], show)),
    { class: "plain-button st-differences", title: "Tick two prompts" },
  );
  const given = plain(
    "",
    dialog.within(async () => save((await call("export_prompts", { ids: [...ticked] })).download)),
    { class: "plain-button st-export" },
  );
  const tell = () => {
    two.disabled = ticked.size !== 2;
    given.textContent = ticked.size ? `Export ${ticked.size}` : "Export all";
  };
  tell();
  const words = make("span", { class: "st-quiet" }, "of two ticked prompts");
  const choose = plain("Import…", () => file.click(), { "data-needs": "curator" });
  return { footer: [two, words, make("span", { class: "st-space" }), choose, file, given], tell };
}

/**
 * @param {Studio} studio
 * @param {Dialog} dialog
 * @param {File | undefined} file
 * @param {(prompts: Prompt[]) => void} changed
 * @param {() => Promise<void>} show
 */
async function importFile({ call, upload, toast }, dialog, file, changed, show) {
  if (!file) return;
  const { path } = await upload(file);
  const { prompts, imported } = await call("import_prompts", { path });
  changed(prompts);
  await show();
  const number = imported.after.length;
  const undo = async () => {
    changed((await call("undo_import", { imported })).prompts);
    if (dialog.isOpen()) await show();
  };
  if (number) toast(`Imported ${counted(number, "prompt")}.`, undo);
  else toast("All of them are already in the library.");
}

/**
 * @param {Studio} studio
 * @param {Dialog} dialog
 * @param {string[]} ids of two prompts
 * @param {() => Promise<void>} show
 */
async function showDifferences({ call }, dialog, [a, b], show) {
  /** @type {{ names: [string, string], rows: { field: string, a: string, b: string }[] }} */
  const { names, rows } = await call("differences", { a, b });
  const lines = rows.map((row) =>
    make(
      "tr",
      {},
      make("th", { scope: "row" }, row.field),
      make("td", {}, row.a || "–"),
      make("td", {}, row.b || "–"),
    ),
  );
  const heads = make("tr", {}, make("th"), ...names.map((name) => make("th", {}, name)));
  const table = make(
    "table",
    { class: "table compact st-difftable" },
    make("thead", {}, heads),
    make("tbody", {}, ...lines),
  );
  const same = make("p", {}, "They are the same except for their names.");
  const back = plain("Back to the library", dialog.within(show));
  dialog.open(`${names[0]} and ${names[1]}`, [rows.length ? table : same], [back]);
}
