// The Studio's dialogs: the prompt library with its scoreboard, a comparison's axes, a name, the vocabulary.
// It shows and asks; what is to be done it leaves to the functions of `page`, and every number comes from the server.

window.exddStudioDialogs = (element, page) => {

const { make, counted, save, note, sentence } = exddParts;
const { call, attempt, toast, state } = page;
const dialog = element.querySelector(".st-dialog");
dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
dialog.addEventListener("close", () => element.querySelector(".studio").append(element.querySelector(".st-toast")));

function open(title, inside, footer = [], narrow = false) {
  dialog.classList.toggle("st-narrow", narrow);
  const close = make("button", { type: "button", class: "plain-button", onclick: () => dialog.close() }, "Close");
  dialog.querySelector(".st-sheet")?.remove();
  dialog.prepend(make("div", { class: "st-sheet" },
    make("header", {}, make("h2", { class: "st-title" }, title), make("span", { class: "st-space" }), close),
    make("div", { class: "st-inside" }, make("div", { class: "st-dialogmessage" }), ...[inside].flat()), footer.length ? make("footer", {}, ...footer) : ""));
  if (!dialog.open) dialog.showModal();
}
// What goes wrong in a dialog is said in it.
const within = (action) => async (...given) => {
  const box = dialog.querySelector(".st-dialogmessage");
  box.replaceChildren();
  try { return await action(...given); } catch (error) {
    box.style.marginBottom = "16px";
    box.replaceChildren(note(sentence(error), "error", () => { box.replaceChildren(); box.style.marginBottom = ""; }));
  }
};
const plain = (words, onclick, more = {}) => make("button", { type: "button", class: "plain-button small", onclick, ...more }, words);

// ---------------------------------------------------------------------- a name

function askName(prompt, then) {
  const field = make("input", { type: "text", class: "st-newname", maxlength: "80", placeholder: "Fine copper scratches", value: prompt.length <= 40 ? prompt : "" });
  const form = make("form", { class: "st-form", id: "st-nameform", onsubmit: async (event) => { event.preventDefault(); dialog.close(); await then(field.value); } },
    make("label", {}, "Name"), field, make("p", { class: "st-quiet st-full" }, "Kept with its negative prompt, engine and settings."));
  open("Save the prompt as", form, [make("span", { class: "st-space" }), make("button", { type: "submit", form: "st-nameform", class: "main-button" }, "Save")], true);
  field.select();
}

// ---------------------------------------------------------------------- the library

const chosen = new Set(); // ids of prompts ticked in the library
let tag = "";

async function library() { await attempt(showLibrary)(); }

async function showLibrary() {
  const { rows } = await call("scoreboard");
  const known = rows.filter((row) => row.prompt), typed = rows.filter((row) => !row.prompt);
  [...chosen].forEach((id) => { if (!known.some((row) => row.prompt.id === id)) chosen.delete(id); });
  const tags = [...new Set(known.flatMap((row) => row.prompt.tags))].sort();
  if (!tags.includes(tag)) tag = "";
  const shown = known.filter((row) => !tag || row.prompt.tags.includes(tag));
  const chips = tags.length ? make("div", { class: "st-chips", style: "margin-bottom: 8px", role: "group", "aria-label": "Tags" },
    ...["", ...tags].map((one) => make("button", { type: "button", class: "st-chip", "aria-pressed": String(tag === one), onclick: within(async () => { tag = one; await showLibrary(); }) }, one || "All"))) : "";
  const file = make("input", { type: "file", accept: ".json,application/json", hidden: true, class: "st-importfile", onchange: (event) => importFile(event.target.files[0]) });
  const two = make("button", { type: "button", class: "plain-button st-differences", disabled: chosen.size !== 2, title: "Tick two prompts", onclick: within(showDifferences) }, "Differences");
  const given = make("button", { type: "button", class: "plain-button st-export", onclick: within(exportFile) }, chosen.size ? `Export ${chosen.size}` : "Export all");
  const tick = (id, on) => {
    if (on) chosen.add(id); else chosen.delete(id);
    two.disabled = chosen.size !== 2;
    given.textContent = chosen.size ? `Export ${chosen.size}` : "Export all";
  };
  open("Prompt library", [chips, shown.length ? scores(shown, tick) : make("div", { class: "empty" }, make("p", { class: "empty-title" }, "The library is empty"), make("p", {}, "Save a prompt that works, or import a library.")),
    typed.length ? make("details", { class: "st-typed" }, make("summary", {}, `${counted(typed.length, "prompt")} that ${typed.length === 1 ? "was" : "were"} only typed`), scores(typed)) : ""],
  [two, make("span", { class: "st-quiet" }, "of two ticked prompts"), make("span", { class: "st-space" }), plain("Import…", () => file.click(), { class: "plain-button" }), file, given]);
}

const share = (value) => (value === null ? "–" : `${Math.round(100 * value)} %`);
function scores(rows, tick) {
  const titles = ["", "Prompt", "Tags", "Made", "Accepted", "Rejected", "Pending", "Rate", "Quality", ""];
  const help = { Rate: "Accepted, of those that were decided on", Quality: "Mean of the measured quality" };
  const head = make("tr", {}, ...titles.map((title, index) => make("th", { class: index > 2 && index < 9 ? "number" : "", title: help[title] }, title)));
  return make("div", { class: "wide" }, make("table", { class: "table compact st-scores" }, make("thead", {}, head), make("tbody", {}, ...rows.map((row) => line(row, tick)))));
}
function line(row, tick) {
  const { prompt } = row, engine = prompt && state.engines.find((one) => one.name === prompt.engine);
  return make("tr", { "data-id": prompt?.id },
    make("td", {}, prompt && make("input", { type: "checkbox", checked: chosen.has(prompt.id), "aria-label": `Tick ${prompt.name}`, onchange: (event) => tick(prompt.id, event.target.checked) })),
    make("td", { class: "st-text" }, prompt && make("b", { class: "st-two" }, prompt.name, engine ? make("span", { class: "st-quiet" }, ` · ${engine.title}`) : ""), make("span", { class: "st-two st-quiet", title: row.template }, row.template || "No words")),
    make("td", {}, prompt && tagField(prompt)),
    ...[row.made, row.accepted, row.rejected, row.pending].map((value) => make("td", { class: "number" }, value.toLocaleString("en"))),
    make("td", { class: "number" }, share(row.rate)), make("td", { class: "number" }, share(row.quality)),
    make("td", { class: "end" }, make("span", { class: "actions" }, prompt ? [plain("Load", () => { dialog.close(); page.loadPrompt(prompt.id); }), plain("Delete", within(() => remove(prompt)))]
      : plain("Load", () => { dialog.close(); page.takeText(row.template); }))));
}
function tagField(prompt) {
  return make("input", { type: "text", class: "st-tags", value: prompt.tags.join(", "), placeholder: "add tags", "aria-label": `Tags of ${prompt.name}, with commas between`,
    onchange: within(async (event) => {
      const tags = event.target.value.split(",").map((one) => one.trim()).filter(Boolean);
      page.changed((await call("save_prompt", { ...prompt, tags })).prompts);
      await showLibrary();
    }) });
}
async function remove(prompt) {
  const answer = await call("delete_prompt", { id: prompt.id });
  page.changed(answer.prompts);
  await showLibrary();
  toast(`Deleted "${prompt.name}".`, async () => {
    page.changed((await call("save_prompt", answer.deleted)).prompts);
    if (dialog.open) await showLibrary();
  });
}
async function showDifferences() {
  const [a, b] = [...chosen], answer = await call("differences", { a, b });
  const cells = answer.rows.map((row) => make("tr", {}, make("th", { scope: "row" }, row.field), make("td", {}, row.a || "–"), make("td", {}, row.b || "–")));
  open(`${answer.names[0]} and ${answer.names[1]}`, answer.rows.length
    ? make("table", { class: "table compact st-difftable" }, make("thead", {}, make("tr", {}, make("th"), ...answer.names.map((name) => make("th", {}, name)))), make("tbody", {}, ...cells))
    : make("p", {}, "They are the same but for their names."),
  [plain("Back to the library", within(showLibrary), { class: "plain-button" })]);
}
async function exportFile() { save((await call("export_prompts", { ids: [...chosen] })).download); }
const importFile = within(async (file) => {
  if (!file) return;
  const { path } = await page.upload(file);
  const answer = await call("import_prompts", { path });
  page.changed(answer.prompts);
  await showLibrary();
  const number = answer.imported.after.length;
  toast(number ? `Imported ${counted(number, "prompt")}.` : "All of them are here already.", number && (async () => {
    page.changed((await call("undo_import", { imported: answer.imported })).prompts);
    if (dialog.open) await showLibrary();
  }));
});

// ---------------------------------------------------------------------- a comparison's axes

// Beside the engine's own settings.
const OTHERS = { prompt: "Prompt", negative_prompt: "Negative prompt", engine: "Engine", seed: "Seed" };
const last = { x: "", y: "" };

function compare() {
  const engine = page.engineNow(), form = page.form();
  const known = new Map(engine.controls.map((control) => [control.name, control]));
  const options = [...engine.axes.filter((name) => known.has(name)), ...Object.keys(OTHERS)];
  const title = (name) => known.get(name)?.title || OTHERS[name] || "Nothing";
  if (!options.includes(last.x)) last.x = options.includes("guidance") ? "guidance" : options.includes("strength") ? "strength" : "seed";
  if (last.y && (!options.includes(last.y) || last.y === last.x)) last.y = "";
  const axes = { x: null, y: null };
  const sum = make("p", { class: "st-quiet st-full" });
  const go = make("button", { type: "button", class: "main-button st-startcompare", onclick: within(async () => {
    const chosenAxes = [axes.x, axes.y].filter(Boolean).map(({ name, read }) => ({ name, values: read() }));
    await page.compare(chosenAxes);
    dialog.close();
  }) }, "Compare");
  const tell = () => {
    const counts = [axes.x, axes.y].filter(Boolean).map(({ read }) => read().length), cells = counts.reduce((a, b) => a * b, 1);
    const problem = counts.includes(0) ? "Each axis needs at least one value." : cells > state.cells ? `That would be ${cells} cells; a comparison has at most ${state.cells}.` : "";
    sum.textContent = problem || `${counts.join(" × ")} ${counts.length > 1 ? `= ${cells} ` : ""}${cells === 1 ? "candidate" : "candidates"}: the same image and mask, everything else as it is set. They go to the front of the queue.`;
    go.disabled = Boolean(problem);
  };
  const axis = (which, words) => {
    const holder = make("div", { class: "st-full st-axisvalues" });
    const choose = (name) => {
      last[which] = name;
      axes[which] = name ? values(name, known.get(name), form, tell) : null;
      holder.replaceChildren(...(axes[which] ? [axes[which].node] : []));
      tell();
    };
    const select = make("select", { class: `st-axis-${which}`, onchange: (event) => choose(event.target.value) },
      ...(which === "y" ? [make("option", { value: "" }, "Nothing: one row")] : []), ...options.map((name) => make("option", { value: name, selected: name === last[which] }, title(name))));
    return { parts: [make("label", {}, words), select, holder], start: () => choose(last[which]) };
  };
  const [x, y] = [axis("x", "Columns"), axis("y", "Rows")];
  open("Compare", make("div", { class: "st-form" }, ...x.parts, ...y.parts, sum), [make("span", { class: "st-space" }), go], true);
  x.start();
  y.start();
}

// How the values of an axis are chosen: { name, node, read }.
function values(name, control, form, tell) {
  if (control?.kind === "choice") return picks(name, control.choices.map((value) => [value, value]), tell);
  if (control?.kind === "switch") return picks(name, [[false, "off"], [true, "on"]], tell);
  if (name === "engine") return picks(name, state.engines.filter((one) => !one.missing).map((one) => [one.name, one.title]), tell);
  if (name === "prompt") return promptPicks(form, tell);
  if (name === "negative_prompt") return lines(name, [form.negative, ""].filter((value, index, all) => all.indexOf(value) === index), tell);
  const start = control ? spread(control, page.value(control)) : [0, 1, 2, 3].map((more) => Number(form.seed) + more);
  const field = make("input", { type: "text", class: `st-values-${name}`, value: start.join(", "), "aria-label": "Values, with commas between", oninput: tell });
  const help = control && control.minimum !== null && control.maximum !== null ? `${control.minimum} to ${control.maximum}${control.unit ? ` ${control.unit}` : ""}, with commas between` : "with commas between";
  const read = () => [...new Set(field.value.split(/[,;\s]+/).filter(Boolean).map(Number).filter((value) => !Number.isNaN(value)))];
  return { name, read, node: make("div", {}, field, make("span", { class: "st-help" }, help)) };
}
function spread({ minimum, maximum, step, kind }, now) { // four values around the one that is set
  const by = step || (kind === "integer" ? 1 : 0.1), digits = String(by).split(".")[1]?.length || 0;
  const low = minimum ?? now - 4 * by, high = maximum ?? now + 4 * by, middle = now > low ? now : (low + high) / 4;
  const tidy = (value) => Number((Math.round(Math.min(high, Math.max(low, value)) / by) * by).toFixed(digits));
  return [...new Set([middle * 0.5, middle, middle * 1.5, middle * 2].map(tidy))];
}
function picks(name, options, tell, on = () => true) {
  const boxes = options.map(([value, words], index) => [value, make("input", { type: "checkbox", checked: on(value, index), onchange: tell }), words]);
  return { name, read: () => boxes.filter(([, box]) => box.checked).map(([value]) => value), node: make("div", { class: "st-picks" }, ...boxes.map(([, box, words]) => make("label", { class: "st-check" }, box, words))) };
}
function promptPicks(form, tell) {
  const { prompts, each } = state.expanded, here = each && prompts.length > 1 ? prompts.slice(0, state.cells) : [form.prompt];
  const rest = state.prompts.map((prompt) => prompt.prompt).filter((prompt) => !here.includes(prompt));
  const options = [...new Set([...here, ...rest])].filter(Boolean);
  const made = picks("prompt", options.map((prompt) => [prompt, prompt]), tell, (value, index) => index < Math.max(2, here.length) && index < 6);
  made.node.classList.add("st-column");
  return made;
}
function lines(name, start, tell) {
  const field = make("textarea", { rows: "3", "aria-label": "Values, one a line", oninput: tell });
  field.value = start.join("\n");
  return { name, read: () => [...new Set(field.value.split("\n").map((value) => value.trim()))], node: make("div", {}, field, make("span", { class: "st-help" }, "one a line; an empty line is none")) };
}

// ---------------------------------------------------------------------- the vocabulary

const words = attempt(async () => {
  const { rows } = await call("words");
  open("Words that the procedural engine knows", make("table", { class: "table compact st-words" },
    make("thead", {}, make("tr", {}, ...["About", "Words", "Effect"].map((title) => make("th", {}, title)))),
    make("tbody", {}, ...rows.map((row, index) => make("tr", {}, make("td", {}, index && rows[index - 1].kind === row.kind ? "" : row.kind), make("td", {}, row.words.join(", ")), make("td", { class: "st-quiet" }, row.effect))))),
  [make("span", { class: "st-quiet" }, "Words of the negative prompt are excluded or reversed. Words it does not know are named beside the result.")]);
});

return { library, compare, askName, words };

};
