// The Studio page: which image, which mask, which prompt and settings; preview, comparison, batch; what came of them.
// pages/studio.py puts it on its page, and Gradio calls it once with the component's element, its functions on the
// server and its upload. It keeps what a person typed and painted (also over a reload, in this browser); every picture,
// mask and number comes from the server. The panes are ExddPanes', the two dialogs exddStudioDialogs'.

window.exddStudio = (element, server, upload) => {

const { make, counted, sentence, caller, latest, voice } = exddParts;
const call = caller(server);
const $ = (selector) => element.querySelector(selector);
const $$ = (selector) => [...element.querySelectorAll(selector)];
const studio = $(".studio");
const STORED = "exdd.studio", PAGE = 48;
const KINDS = {
  drawn: "Paint where the defect goes.",
  real: "A real defect's mask: drag, turn and scale it on the image.",
  generated: "A shape by sliders: drag it to its place.",
  uploaded: "A mask file: white where the defect goes.",
};
const SEEDS = 2 ** 32;

const FRESH = {
  source: "", kind: "drawn", vary: false, fromTest: false,
  drawn: { layer: "", base: "" },
  real: { image: null, x: 0.5, y: 0.5, angle: 0, scale: 1, flip: false },
  generated: { shape: "scratch", x: 0.5, y: 0.5, seed: 1 },
  uploaded: { file: "", name: "" },
  prompt: "", negative: "", promptId: "", engine: "", settings: {}, donor: "",
  seed: 1, newSeed: false, count: 50, where: "random", parent: "", type: "",
};
const copy = (value) => JSON.parse(JSON.stringify(value));
let form = copy(FRESH);
const view = { tool: "brush", brush: 24, share: 0.08, outlined: false, against: "original", moreSettings: false, shown: "", closed: "", compared: "", job: "", status: "all", engine: "", prompt: "" };
const state = {
  dataset: "", sources: [], engines: [], prompts: [], donors: null, shapes: {},  borrowed: [], picture: null, piece: null,
  problem: "", note: "", expanded: { prompts: [], each: true, total: 0, problem: "", error: "" }, results: [], total: 0, counts: {}, shown: null, previous: null, run: null, jobs: [], comparison: null,
};

let storing = 0;
function remember() {
  clearTimeout(storing);
  storing = setTimeout(store, 250);
}
function store() {
  try { localStorage.setItem(STORED, JSON.stringify({ form, view, dataset: state.dataset })); } catch { /* a private window, or no room */ }
}
window.addEventListener("pagehide", store);

// ---------------------------------------------------------------------- sentences

const { say, attempt, toast } = voice(element);
function settled(action, wait) {
  let timer = 0;
  return (...given) => { clearTimeout(timer); timer = setTimeout(() => action(...given), wait); };
}

// ---------------------------------------------------------------------- which image

function showSources() {
  const find = $(".st-find").value.trim().toLowerCase();
  const shown = state.sources.filter((source) => source.name.toLowerCase().includes(find));
  $(".st-sources").replaceChildren(...(shown.length ? shown.map((source) => make("button", {
    type: "button", role: "option", class: "st-tile", "data-id": source.id, title: source.name, "aria-selected": String(source.id === form.source),
    onclick: () => openSource(source.id),
  }, make("img", { loading: "lazy", alt: "", src: `/thumbnail?image=${encodeURIComponent(source.id)}&outline=0` })))
    : [make("span", { class: "st-quiet" }, `No normal training image has "${find}" in its name.`)]));
  markSource();
}

function markSource() {
  const strip = $(".st-sources"), place = state.sources.findIndex((source) => source.id === form.source);
  strip.querySelectorAll("[data-id]").forEach((tile) => {
    const is = tile.dataset.id === form.source;
    tile.setAttribute("aria-selected", String(is));
    if (is) strip.scrollLeft = tile.offsetLeft - strip.offsetLeft - (strip.clientWidth - tile.clientWidth) / 2;
  });
  $(".st-position").textContent = place < 0 ? "" : `${(place + 1).toLocaleString("en")} of ${state.sources.length.toLocaleString("en")}`;
  $(".st-name").textContent = $(".st-name").title = place < 0 ? form.source.split("/").slice(1).join("/") : state.sources[place].name;
}

// Another image; the mask stays, as a share of the image, and what was edited from is left behind.
const openSource = attempt(async (id, keep = {}) => {
  const picture = await call("source", { id });
  form.source = id;
  if (!keep.parent) form.parent = "";
  state.picture = picture;
  panes.setPicture(picture);
  markSource();
  showActions();
  await showMask();
  remember();
});
function step(by) {
  const place = state.sources.findIndex((source) => source.id === form.source);
  const next = state.sources[(place + by + state.sources.length) % state.sources.length];
  if (next) openSource(next.id);
}
function random() {
  const others = state.sources.filter((source) => source.id !== form.source);
  if (others.length) openSource(others[Math.floor(Math.random() * others.length)].id);
}

// ---------------------------------------------------------------------- mask

const panes = new ExddPanes(element, {
  painted: () => { // a stroke, an undo: what is on the canvas is the mask now
    form.drawn = panes.editor.empty ? { ...FRESH.drawn } : { ...form.drawn, layer: panes.editor.toPng() };
    remember();
    measure();
    showUndo();
  },
  placed: () => form[form.kind],
  place: (change) => {
    const spec = form[form.kind];
    for (const [name, value] of Object.entries(change)) {
      const { minimum, maximum } = maskControls().find((one) => one.name === name);
      spec[name] = Math.min(Math.max(value, minimum), maximum);
    }
    placed();
    showSliders();
  },
  settled: () => settleMask(),
  slid: (share) => { view.share = share; remember(); },
});
panes.brush = view.brush;

const maskControls = () => (form.kind === "generated" ? state.shapes[form.generated.shape] : state.borrowed);

// The mask as the server is to make it.
function maskSpec() {
  const shared = { source: form.kind, vary: form.vary, from_test: form.fromTest };
  if (form.kind === "drawn") return { ...shared, layer: form.drawn.layer, base: form.drawn.base };
  if (form.kind === "uploaded") return { ...shared, file: form.uploaded.file };
  return form.kind === "real" ? { ...shared, ...form.real, image: form.real.image || "" } : { ...shared, ...form.generated };
}

// Show the mask of the chosen kind, and its tools.
async function showMask() {
  $$(".st-kinds button").forEach((button) => button.setAttribute("aria-selected", String(button.dataset.kind === form.kind)));
  $(".st-kindhelp").textContent = KINDS[form.kind];
  $(".st-vary").checked = form.vary;
  panes.editor.piece = null;
  state.piece = null;
  const still = !form.vary, moving = form.kind === "generated" || (form.kind === "real" && form.real.image !== null);
  panes.setTool(still && form.kind === "drawn" ? view.tool : still && moving ? "place" : "none");
  showTools();
  if (!state.picture) return;
  if (form.kind === "drawn" && still) {
    if (form.drawn.layer) panes.editor.load(await picture(form.drawn.layer));
    else panes.editor.load(EMPTY);
    showUndo();
    return measure();
  }
  if (form.kind === "real" && form.real.image && still) {
    state.piece = await call("piece", { id: form.real.image });
    state.piece.picture = await picture(state.piece.mask);
    placed();
  } else panes.editor.load(EMPTY);
  await measure();
}

const EMPTY = Object.assign(document.createElement("canvas"), { width: 1, height: 1 });
const picture = (address) => new Promise((done, failed) => {
  const image = new Image();
  image.onload = () => done(image);
  image.onerror = () => failed(new exddParts.Sentence("A picture of this page could not be shown; reload it."));
  image.src = address;
});

// Move what is on the screen at once; the server's own pixels follow when the hand rests.
function placed() {
  remember();
  if (form.kind === "real" && state.piece) {
    const { editor } = panes, spec = form.real, factor = state.piece.width / state.piece.picture.width / panes.reduction;
    editor.place(state.piece.picture, { ...spec, x: spec.x * editor.width, y: spec.y * editor.height, scale: spec.scale * factor });
    panes.drawFrame();
    settleMask();
  } else measure();
}
const settleMask = settled(() => measure(), 160);

// What the server makes of the mask: its pixels, its size, or why nothing can be painted into it.
const measure = latest(async () => {
  if (!form.source) return;
  let answer;
  const kind = form.kind;
  try { answer = await call("mask", { source: form.source, mask: maskSpec(), seed: Number(form.seed) || 0 }); }
  catch (error) { answer = { problem: sentence(error), share: 0 }; }
  if (kind !== form.kind) return;
  Object.assign(state, { problem: answer.problem, note: answer.problem ? "" : answer.note || "", box: answer.share ? answer.box : null });
  $(".st-close").disabled = !state.box;
  if (answer.layer && (form.kind !== "drawn" || form.vary)) {
    panes.editor.load(await picture(answer.layer));
    panes.drawFrame();
  }
  $(".st-share").textContent = answer.share ? `${percent(answer.share)} of the image · ${answer.box[2]} × ${answer.box[3]} px` : "";
  showUnderMask();
});
const percent = (share) => `${(100 * share).toFixed(share < 0.001 ? 3 : share < 0.1 ? 2 : 1)} %`;

function showUnderMask() {
  const untouched = form.kind === "drawn" && !form.drawn.layer;
  const lines = [];
  if (state.problem) {
    lines.push(make("p", { class: "st-told st-warn" }, make("span", { class: "st-sign", "aria-hidden": "true" }, "i"),
      make("span", {}, untouched ? "Paint on the image where the defect goes, then press Preview." : state.problem)));
  } else if (state.note) {
    lines.push(make("p", { class: "st-told st-warn" }, make("span", { class: "st-sign", "aria-hidden": "true" }, "i"), make("span", {}, state.note)));
  } else if (form.vary) {
    lines.push(make("p", { class: "st-quiet" }, "One of many: each painting gets its own, and a preview this one. ", link("Show another", () => { reseed(); measure(); })));
  }
  if (form.parent) lines.push(make("p", { class: "st-quiet" }, `Edited from ${form.parent.slice(0, 6)}. `, link("Start afresh", () => { form.parent = ""; remember(); showUnderMask(); })));
  $(".st-undermask").replaceChildren(...lines);
}
const link = (words, onclick) => make("button", { type: "button", class: "st-reset", onclick }, words);
function reseed() { form.seed = Math.floor(Math.random() * SEEDS); $(".st-seed").value = form.seed; remember(); }

// ---- tools of each kind

const TOOLS = { drawn: drawTools, real: borrowTools, generated: shapeTools, uploaded: uploadTools };
function showTools() {
  $(".st-tools").replaceChildren(...[TOOLS[form.kind]()].flat());
  showSliders();
  panes.layout();
}
const plain = (words, onclick, properties = {}) => make("button", { type: "button", class: "plain-button", onclick, ...properties }, words);

function drawTools() {
  const size = make("label", { class: "st-slider st-brushsize" }, make("span", {}, "Size"), make("output", { class: "st-brushpx" }),
    make("input", { type: "range", class: "st-brushrange", min: 0, max: 100, step: 1, "aria-label": "Size of the brush, pixels of the image", oninput: (event) => brushSize(brushOf(Number(event.target.value))) }));
  return make("div", { class: "st-row" },
    make("div", { class: "st-switch", role: "group", "aria-label": "Tool" },
      ...[["brush", "Brush", "B"], ["eraser", "Eraser", "E"]].map(([tool, words, letter]) => make("button", { type: "button", "data-tool": tool, title: `${words} (${letter})`, onclick: () => pickTool(tool) }, words))),
    size, make("span", { class: "st-space" }),
    plain("Undo", () => panes.editor.undo(), { class: "plain-button st-undo", title: "Undo the last stroke (Ctrl+Z)" }),
    plain("Redo", () => panes.editor.redo(), { class: "plain-button st-redo", title: "Paint it again (Ctrl+Shift+Z)" }),
    plain("Clear", () => panes.editor.clear(), { class: "plain-button st-clear", title: "Empty the mask; Undo brings it back" }));
}
const largest = () => Math.max(2, Math.max(state.picture?.width || 64, state.picture?.height || 64) / 4);
const smallest = () => Math.max(1, Math.ceil(panes.reduction));
const brushOf = (place) => Math.round(smallest() * (largest() / smallest()) ** (place / 100));
function brushSize(size) {
  view.brush = Math.round(Math.min(largest(), Math.max(smallest(), size)));
  showSliders();
  remember();
}
function pickTool(tool) {
  if (form.kind !== "drawn") chooseKind("drawn");
  view.tool = tool;
  panes.setTool(tool);
  showSliders();
}
function showUndo() {
  const { editor } = panes;
  for (const [name, usable] of [["undo", editor.past.length], ["redo", editor.future.length], ["clear", form.drawn.layer]]) {
    const button = $(`.st-${name}`);
    if (button) button.disabled = !usable;
  }
}

function borrowTools() {
  const strip = make("div", { class: "st-strip st-donors", role: "listbox", "aria-label": "Real defects" });
  if (state.donors === null) {
    strip.append(make("span", { class: "st-quiet" }, "Looking for real defects…"));
    loadDonors();
  } else if (!state.donors.length) strip.append(make("span", { class: "st-quiet" }, "No defect of the training split has a mask. Draw one, generate one or upload one."));
  else {
    strip.append(make("button", { type: "button", role: "option", class: "st-tile st-any", title: "Any of them, drawn by the seed", "aria-selected": String(form.real.image === ""), onclick: () => lend("") }, "Any"),
      ...state.donors.map((donor) => make("button", {
      type: "button", role: "option", class: "st-tile", "data-id": donor.id, title: `${donor.name} · ${donor.type}${donor.split === "test" ? " · test split" : ""}`,
      "aria-selected": String(donor.id === form.real.image), onclick: () => lend(donor.id),
    }, make("img", { loading: "lazy", alt: "", src: `/defect?image=${encodeURIComponent(donor.id)}` }), make("span", { class: "st-flag" }, donor.split === "test" ? `test · ${donor.type}` : donor.type))));
  }
  return [strip, make("div", { class: "st-row" },
    make("div", { class: "st-sliders" }, ...sliders()),
    make("label", { class: "st-check" }, make("input", { type: "checkbox", class: "st-flip", onchange: (event) => { form.real.flip = event.target.checked; placed(); } }), "Flip"),
    make("label", { class: "st-check", title: "Recorded with every candidate: a mask of the test split makes figures on that split too good" },
      make("input", { type: "checkbox", class: "st-fromtest", onchange: (event) => fromTest(event.target.checked) }), "Masks of the test split too"),
    plain("Paint on it", paintOnIt, { title: "Go on with brush and eraser" }))];
}
async function loadDonors() {
  try { Object.assign(state, await call("donors", { from_test: form.fromTest })); } catch (error) { state.donors = []; say(sentence(error)); }
  if (form.kind === "real") {
    if (form.real.image === null && state.donors.length) return lend(state.donors[0].id);
    showTools();
  }
}
const fromTest = attempt(async (on) => {
  form.fromTest = on;
  state.donors = null;
  if (!on) form.real.image = null;
  remember();
  await showMask();
});
const lend = attempt(async (id) => {
  const { x, y } = id ? await call("piece", { id }) : { x: 0.5, y: 0.5 };
  Object.assign(form.real, { image: id, x, y, angle: 0, scale: 1, flip: false });
  remember();
  await showMask();
});

function shapeTools() {
  return [make("div", { class: "st-row" },
    make("div", { class: "st-switch", role: "group", "aria-label": "Shape" }, ...Object.keys(state.shapes).map((shape) => make("button", {
      type: "button", "data-shape": shape, onclick: () => chooseShape(shape) }, shape[0].toUpperCase() + shape.slice(1)))),
    make("span", { class: "st-space" }),
    plain("Another", () => { form.generated.seed = Math.floor(Math.random() * SEEDS); placed(); }, { title: "The same sliders, drawn anew" }),
    plain("Paint on it", paintOnIt, { title: "Go on with brush and eraser" })),
  make("div", { class: "st-row", style: "margin-top: 8px" }, make("div", { class: "st-sliders" }, ...sliders()))];
}
function chooseShape(shape) {
  const { x, y, seed } = form.generated;
  form.generated = { ...starts(shape), shape, x, y, seed };
  showSliders();
  placed();
}

function uploadTools() {
  const files = make("input", { type: "file", class: "st-file", hidden: true, onchange: (event) => uploadMask(event.target.files[0]) });
  return make("div", { class: "st-row" }, plain("Choose a mask file…", () => files.click()), files,
    make("span", { class: "st-quiet" }, form.uploaded.name || "PNG, BMP, TIFF or JPEG, as large as the image; or drop it on the image."),
    make("span", { class: "st-space" }), form.uploaded.file && plain("Paint on it", paintOnIt, { title: "Go on with brush and eraser" }));
}
const uploadMask = attempt(async (file) => {
  if (!file) return;
  const { path } = await upload(file);
  const kept = await call("keep_mask", { path, name: file.name, source: form.source });
  form.uploaded = { file: kept.file, name: file.name };
  form.kind = "uploaded";
  remember();
  await showMask();
});

// Make a drawn mask of the one on the screen, to go on with brush and eraser; its finer pixels are kept.
const paintOnIt = attempt(async () => {
  const answer = await call("mask", { source: form.source, mask: maskSpec(), seed: Number(form.seed) || 0, keep: true });
  form.drawn = { layer: answer.layer, base: answer.file };
  form.vary = false;
  form.kind = "drawn";
  remember();
  await showMask();
});

// What is dragged on the image, ticked or drawn anew has no slider.
const OTHERWISE = ["x", "y", "flip", "seed"];
const sliders = () => maskControls().filter(({ name }) => !OTHERWISE.includes(name)).map((one) => make("label", { class: "st-slider", "data-slider": one.name, title: one.help },
  make("span", {}, one.title), make("output", {}),
  make("input", { type: "range", min: one.minimum, max: one.maximum, step: one.step, oninput: (event) => { form[form.kind][one.name] = Number(event.target.value); showSliders(); placed(); } })));
const starts = (shape) => Object.fromEntries(state.shapes[shape].map((one) => [one.name, one.default]));
function showSliders() {
  for (const node of $$("[data-slider]")) {
    const one = maskControls().find(({ name }) => name === node.dataset.slider), value = form[form.kind][one.name] ?? one.default;
    node.querySelector("input").value = value;
    node.querySelector("input").disabled = form.vary && form.kind === "real";
    node.querySelector("output").textContent = withUnit(Number(value).toFixed(one.step < 0.1 ? 2 : one.step < 1 ? 1 : 0).replace("-", "−"), one.unit);
  }
  const flip = $(".st-flip"), test = $(".st-fromtest"), range = $(".st-brushrange");
  if (flip) flip.checked = form.real.flip;
  if (test) test.checked = form.fromTest;
  $$("[data-shape]").forEach((button) => button.setAttribute("aria-pressed", String(button.dataset.shape === form.generated.shape)));
  $$("[data-tool]").forEach((button) => button.setAttribute("aria-pressed", String(button.dataset.tool === panes.tool)));
  if (range) {
    const size = Math.min(largest(), Math.max(smallest(), view.brush));
    panes.brush = size;
    range.value = 100 * Math.log(size / smallest()) / Math.log(largest() / smallest());
    $(".st-brushpx").textContent = `${Math.round(size)} px`;
    panes.showBrush();
  }
}
const withUnit = (words, unit) => (unit === "°" ? `${words}°` : unit ? `${words} ${unit}` : words);
const chooseKind = attempt(async (kind) => { form.kind = kind; remember(); await showMask(); });

// ---------------------------------------------------------------------- prompt

const chosenPrompt = () => state.prompts.find((prompt) => prompt.id === form.promptId);
// A prompt of the library counts what was made with its own words, not with those typed over it.
const untouched = () => { const chosen = chosenPrompt(); return chosen && chosen.prompt === form.prompt.trim() && chosen.negative_prompt === form.negative.trim(); };

function showPrompts() {
  const chosen = chosenPrompt();
  $(".st-prompts").replaceChildren(make("option", { value: "" }, state.prompts.length ? "From the library…" : "The library is empty"),
    ...state.prompts.map((prompt) => make("option", { value: prompt.id, selected: prompt.id === form.promptId, title: prompt.prompt },
      prompt.name + (prompt.id === form.promptId && !untouched() ? " *" : ""))));
  $(".st-prompts").title = chosen && !untouched() ? `${chosen.name}, edited here and not saved` : "";
  if (!chosen) $(".st-prompts").value = "";
}
function loadPrompt(id) {
  const prompt = state.prompts.find((one) => one.id === id), before = copy(form);
  if (!prompt) { form.promptId = ""; showForm(); return; }
  Object.assign(form, { promptId: id, prompt: prompt.prompt, negative: prompt.negative_prompt });
  if (prompt.engine && state.engines.some((engine) => engine.name === prompt.engine)) {
    form.engine = prompt.engine;
    form.settings[prompt.engine] = { ...prompt.settings };
  }
  showForm();
  if (before.prompt && before.prompt !== form.prompt) toast(`Loaded "${prompt.name}".`, () => { form = before; showForm(); });
}
const savePrompt = attempt(async (name) => {
  const chosen = name ? null : chosenPrompt();
  if (!name && !chosen) return dialogs.askName(form.prompt, savePrompt);
  const before = chosen && copy(chosen);
  const answer = await call("save_prompt", {
    id: chosen?.id || "", name: name || chosen.name, prompt: form.prompt, negative_prompt: form.negative, tags: chosen?.tags || [], engine: form.engine, settings: changedSettings(form.engine),
  });
  state.prompts = answer.prompts;
  form.promptId = answer.saved;
  showForm();
  toast(`Saved "${name || chosen.name}".`, before && (async () => { state.prompts = (await call("save_prompt", before)).prompts; showPrompts(); }));
});
const expand = latest(async () => {
  try { state.expanded = await call("expand", { prompt: form.prompt, count: Number(form.count) || 1, seed: Number(form.seed), engine: form.engine }); }
  catch (error) { state.expanded = { prompts: [], each: true, total: 0, error: sentence(error) }; }
  showExpanded();
});
const expandSoon = settled(() => expand(), 200);

function showExpanded() {
  const { prompts, each, total, error } = state.expanded, box = $(".st-expanded");
  box.hidden = prompts.length < 2;
  box.querySelector("summary").textContent = each ? `${counted(prompts.length, "prompt")} from the alternatives` : "Drawn from many alternatives, such as";
  box.querySelector("ul").replaceChildren(...prompts.map((prompt) => make("li", {}, prompt)));
  const where = form.where === "this" ? "on this image" : "on random normal images";
  const mask = form.vary ? "each with another mask" : "with this mask";
  const many = each && prompts.length > 1 ? `${Number(form.count).toLocaleString("en")} for each of ${prompts.length} prompts: ` : "";
  $(".st-sum").textContent = error || `${many}${counted(total, "candidate")} ${where}, ${mask}.`;
  $(".st-sum").title = $(".st-sum").textContent;
  $(".st-queue").textContent = error ? "Queue" : `Queue ${total.toLocaleString("en")}`;
}

// ---------------------------------------------------------------------- engine and its settings

const engineNow = () => state.engines.find((engine) => engine.name === form.engine) || state.engines[0];
const settingsNow = () => (form.settings[form.engine] ||= {});
// What differs from the engine's defaults; the rest follows the engine.
function changedSettings(name) {
  const engine = state.engines.find((one) => one.name === name), given = form.settings[name] || {};
  return Object.fromEntries((engine?.controls || []).filter(({ name, default: normal }) => name in given && given[name] !== normal).map(({ name }) => [name, given[name]]));
}
const BESIDE = 6; // settings always in sight; the others are one click away

function showEngine() {
  const engine = engineNow();
  if (!engine) return;
  form.engine = engine.name;
  $(".st-engines").replaceChildren(...state.engines.map((one) => make("button", {
    type: "button", role: "radio", "data-engine": one.name, "aria-checked": String(one.name === form.engine), title: one.about,
    onclick: () => { form.engine = one.name; remember(); showEngine(); expand(); },
  }, one.title)));
  $(".st-about").textContent = $(".st-about").title = engine.missing ? "" : engine.about;
  $(".st-aboutwords").hidden = Boolean(engine.missing);
  $(".st-aboutwords").replaceChildren(engine.words ? link("Words it knows", () => dialogs.words()) : "");
  $(".st-missing").replaceChildren(engine.missing ? missingNote(engine) : "");
  const near = engine.controls.filter((one) => one.kind !== "text").slice(0, BESIDE), rest = engine.controls.filter((one) => !near.includes(one));
  $(".st-controls").replaceChildren(...(engine.lends ? [lenderChoice()] : []), ...near.map(control), ...(rest.length ? [make("details", {
    class: "st-moresettings", open: view.moreSettings, ontoggle: (event) => { view.moreSettings = event.target.open; remember(); } },
  make("summary", {}, `More settings (${rest.length})`), make("div", { class: "st-controls" }, ...rest.map(control)))] : []));
  showActions();
  showLoading();
  warm(engine);
}
function missingWords({ missing, command }) { // the command by itself, to be copied
  const [before, after] = command ? missing.split(command) : [missing];
  if (after === undefined) return [make("p", {}, missing)];
  const copied = plain("Copy", async (event) => { await navigator.clipboard?.writeText(command); event.target.textContent = "Copied"; }, { class: "plain-button small" });
  return [make("p", {}, before.trim()), make("div", { class: "st-command" }, make("code", {}, command), copied), make("p", {}, after.replace(/^[.\s]+/, ""))];
}
function missingNote(engine) {
  const others = state.engines.filter((one) => !one.missing);
  return make("div", { class: "note info", role: "status" }, make("span", { class: "note-icon", "aria-hidden": "true" }, "i"),
    make("div", { style: "flex: 1" }, ...missingWords(engine),
      others.length && make("p", { class: "st-do", style: "margin-top: 8px" }, ...others.map((one) => plain(`Use ${one.title}`, () => { form.engine = one.name; remember(); showEngine(); }, { class: "plain-button small" })))));
}

// Which real defect is transplanted: a borrowed mask brings its own.
function lenderChoice() {
  const borrowed = form.kind === "real" && form.real.image;
  if (state.donors === null) loadDonors().then(() => { if (engineNow().lends) showEngine(); });
  return make("div", { class: "st-control st-wider" }, make("label", { for: "st-donor" }, "Defect"), make("span"),
    make("select", { id: "st-donor", disabled: Boolean(borrowed), onchange: (event) => { form.donor = event.target.value; remember(); } },
      make("option", { value: "" }, "Any of the training split, drawn by the seed"),
      ...(state.donors || []).map((donor) => make("option", { value: donor.id, selected: donor.id === (borrowed || form.donor) }, `${donor.name} · ${donor.type}`))),
    make("span", { class: "st-help" }, borrowed ? "the one whose mask is borrowed" : "cut out by its mask and turned to fit yours"));
}

let warming = "";
async function warm(engine) { // a model loads while the mask is drawn
  if (!engine.loads || engine.missing || warming === engine.name) return;
  warming = engine.name;
  try {
    for (;;) {
      const answer = await call("warm", { engine: engine.name });
      engine.loading = answer.over ? null : answer;
      showLoading();
      if (answer.failure) say(answer.failure);
      if (answer.over) return;
      await new Promise((done) => setTimeout(done, 500));
    }
  } catch (error) { say(sentence(error)); } finally { warming = ""; }
}
function showLoading() {
  const { loading } = engineNow();
  $(".st-loading").hidden = !loading;
  if (!loading) return;
  $(".st-loading").replaceChildren(make("span", { class: "bar", role: "progressbar", "aria-label": loading.text }, make("span", { style: `width: ${100 * loading.fraction}%` })),
    `${loading.text}. You may draw meanwhile.`);
}

function control(one) {
  const value = settingsNow()[one.name] ?? one.default, id = `st-setting-${one.name}`;
  const change = (given) => { settingsNow()[one.name] = given; remember(); mark(); };
  const reset = make("button", { type: "button", class: "st-reset", title: `Back to ${shownValue(one, one.default)}`, onclick: () => { delete settingsNow()[one.name]; remember(); box.replaceWith(control(one)); } }, "reset");
  const mark = () => { reset.hidden = (settingsNow()[one.name] ?? one.default) === one.default; };
  const label = make("label", { for: id }, one.title, one.unit && make("span", { class: "st-unit" }, one.unit), reset);
  let parts;
  if (one.kind === "number" || one.kind === "integer") {
    const read = (text) => (text === "" || Number.isNaN(Number(text)) ? one.default : Number(text));
    const number = make("input", { type: "number", id, min: one.minimum, max: one.maximum, step: one.step ?? (one.kind === "integer" ? 1 : "any"), value,
      oninput: (event) => { if (range) range.value = event.target.value; change(read(event.target.value)); } });
    const range = one.minimum !== null && one.maximum !== null && make("input", { type: "range", min: one.minimum, max: one.maximum, step: one.step ?? (one.kind === "integer" ? 1 : "any"), value,
      "aria-label": one.title, oninput: (event) => { number.value = event.target.value; change(read(event.target.value)); } });
    if (range) range.value = value;
    parts = [number, range];
  } else if (one.kind === "switch") {
    parts = [make("input", { type: "checkbox", id, checked: value, onchange: (event) => change(event.target.checked) })];
  } else if (one.kind === "choice") {
    parts = [make("span"), make("select", { id, onchange: (event) => change(event.target.value) }, ...one.choices.map((choice) => make("option", { value: choice, selected: choice === value }, choice)))];
  } else parts = [make("span"), make("input", { type: "text", id, value, spellcheck: "false", oninput: (event) => change(event.target.value) })];
  const box = make("div", { class: `st-control ${one.kind === "text" ? "st-wider" : ""}`, "data-control": one.name }, label, ...parts.filter(Boolean), make("span", { class: "st-help", title: one.help }, rangeWords(one) + one.help));
  mark();
  return box;
}
const shownValue = (one, value) => (one.kind === "switch" ? (value ? "on" : "off") : value === "" ? "none" : String(value));
const rangeWords = (one) => (["number", "integer"].includes(one.kind) && one.minimum !== null && one.maximum !== null ? `${one.minimum} to ${one.maximum}${one.help ? ": " : ""}` : "");

// ---------------------------------------------------------------------- preview, batch, comparison

// Everything a painting needs. The server makes it whole and checks it.
function order() {
  return {
    dataset: state.dataset, source: form.source, where: form.where, mask: maskSpec(), engine: form.engine, settings: changedSettings(form.engine),
    template: form.prompt, negative_prompt: form.negative, prompt_id: untouched() ? form.promptId : "", seed: Number(form.seed), count: Math.round(Number(form.count)),
    parent: form.parent, donor: form.donor, defect_type: form.type,
  };
}

const preview = attempt(async () => {
  if (state.run) return;
  if (form.newSeed) reseed();
  state.run = { text: "Starting", fraction: 0 };
  showRunning();
  let began;
  try { began = await call("preview", order()); }
  catch (error) { state.run = null; showRunning(); throw error; }
  await follow(began.run);
});
let followed = Promise.resolve(); // the end of the preview that runs
function follow(id) {
  followed = followToItsEnd(id);
  return followed;
}
async function followToItsEnd(id) {
  state.run = { id, text: "Starting", fraction: 0 };
  showRunning();
  let seen = 0;
  try {
    for (let wait = 60; ; wait = Math.min(400, wait + 40)) {
      await new Promise((done) => setTimeout(done, wait));
      const answer = await call("look", { run: id, seen });
      Object.assign(state.run, answer);
      if (answer.picture) { seen = answer.seen; panes.showGrowing(answer.picture); }
      if (answer.state !== "over") { showRunning(); continue; }
      if (answer.result) await shown(answer.result, true);
      else if (state.shown) await shown(state.shown);
      else emptyResult();
      if (answer.failure) say(answer.failure);
      break;
    }
  } finally { state.run = null; showRunning(); }
  refresh();
}
function showRunning() {
  const box = $(".st-running"), { run } = state;
  box.hidden = !run;
  $(".st-preview").disabled = Boolean(run) || !ready();
  if (!run) return;
  box.replaceChildren(make("span", { class: "bar", role: "progressbar", "aria-label": "Preview" }, make("span", { style: `width: ${100 * (run.fraction || 0)}%` })),
    make("div", { class: "st-joblines" }, make("span", {}, run.text || "Painting"), plain("Cancel", attempt(() => call("stop", { run: run.id })), { class: "plain-button small st-stop" })));
}
const ready = () => Boolean(form.source && engineNow() && !engineNow().missing);
function showActions() {
  const usable = ready();
  for (const name of ["preview", "compare", "queue"]) {
    $(`.st-${name}`).disabled = !usable || (name === "preview" && Boolean(state.run));
  }
}
const queue = attempt(async () => {
  const answer = await call("queue", order());
  toast(`Queued ${counted(answer.count, "candidate")}. They land below as they are made; you may close this page.`);
  await refresh();
});
const compare = async (axes) => { // what is wrong with them is said in the dialog

  const answer = await call("compare", { ...order(), axes });
  Object.assign(view, { closed: "", compared: answer.job });
  remember();
  await refresh();
  await showComparison(answer.job);
  $(".st-compared").scrollIntoView({ behavior: "smooth", block: "nearest" });
};

// ---------------------------------------------------------------------- one result

const address = (id, what) => `/candidate?id=${encodeURIComponent(id)}&what=${what}`;

async function shown(result, fresh = false) {
  const record = typeof result === "string" ? await call("candidate", { id: result }) : result;
  if (fresh || record.id !== state.shown?.id) state.previous = state.shown && state.shown.id !== record.id ? state.shown : state.previous;
  state.shown = record;
  view.shown = record.id;
  remember();
  showResult();
  markResult();
}
function showResult() {
  const { shown: record, previous } = state;
  if (!record) return emptyResult();
  const comparable = previous && previous.id !== record.id && previous.width === record.width && previous.height === record.height;
  const against = view.against === "previous" && comparable ? "previous" : "original";
  panes.share = view.share;
  panes.showResult({
    before: against === "previous" ? address(previous.id, "image") : address(record.id, "source"), label: against === "previous" ? "Previous" : "Original",
    after: address(record.id, "image"), width: record.width, height: record.height, outline: record.outline,
  });
  $(".st-against").hidden = !comparable;
  $$(".st-against button").forEach((button) => button.setAttribute("aria-pressed", String(button.dataset.against === against)));
  $(".st-outline").hidden = false;
  $(".st-outline").setAttribute("aria-pressed", String(view.outlined));
  panes.setOutlined(view.outlined);
  $(".st-facts").textContent = `${record.title} · seed ${record.seed}`;
  $(".st-facts").title = `${record.id} · ${record.created} · ${record.version}`;
  const source = state.sources.some((one) => one.id === record.source);
  $(".st-underresult").replaceChildren(
    make("div", { class: "st-do" },
      plain("Edit from here", () => editFrom(record), { class: "plain-button small st-editfrom", title: "Load its image, mask, prompt, settings and seed", disabled: !source }),
      plain("Same settings, other seed", () => otherSeed(record), { class: "plain-button small st-otherseed", disabled: !source }),
      make("a", { class: "plain-button small", href: `${address(record.id, "image")}&full=1`, download: `${record.id}.png` }, "PNG"),
      record.status === "pending" && plain("Delete", () => remove(record), { class: "plain-button small st-delete" })),
    ...record.notes.map((words) => make("p", { class: "st-told st-warn" }, make("span", { class: "st-sign", "aria-hidden": "true" }, "i"), make("span", {}, words))),
    make("p", { class: "st-told" }, make("span", {}, record.prompt || "No prompt"), record.negative_prompt && make("span", { class: "st-quiet" }, ` · not: ${record.negative_prompt}`)),
    make("p", { class: "st-quiet" }, `${record.status}, painted in ${record.seconds < 10 ? record.seconds.toFixed(1) : Math.round(record.seconds)} s${record.parent ? `, edited from ${record.parent.slice(0, 6)}` : ""}`),
    ...changesLine(previous, record));
}
function emptyResult() {
  state.shown = null;
  panes.showEmpty(make("b", {}, "Nothing painted yet"), make("span", {}, "Mark where the defect goes, say what it looks like, then press Preview."));
  $(".st-facts").textContent = "";
  $(".st-against").hidden = $(".st-outline").hidden = true;
  $(".st-underresult").replaceChildren();
}
// What differs between the last two results: one thing, if one thing was changed.
function changesLine(before, now) {
  if (!before || before.id === now.id) return [];
  const changes = [];
  for (const [name, title] of [["source", "image"], ["prompt", "prompt"], ["negative_prompt", "negative prompt"], ["title", "engine"], ["seed", "seed"], ["mask_key", "mask"]]) {
    if (before[name] !== now[name]) changes.push([title, name === "mask_key" || name === "source" ? null : before[name], now[name]]);
  }
  if (before.engine === now.engine) {
    for (const one of now.settings_shown) {
      const old = before.settings_shown.find((other) => other.name === one.name);
      if (old && old.value !== one.value) changes.push([one.title.toLowerCase(), old.value, one.value]);
    }
  }
  if (!changes.length) return [];
  return [make("p", { class: "st-changes", title: "Against the result shown before" }, make("span", { class: "st-quiet" }, "Changed"),
    ...changes.map(([title, old, now]) => make("span", { class: "st-change", title: old === null ? title : `${title}: ${old} → ${now}` }, make("b", {}, title), old === null ? "" : ` ${old} → ${now}`)))];
}

const editFrom = attempt(async (record, andThen) => {
  const before = copy(form);
  const { mask } = record;
  Object.assign(form, {
    kind: mask.source, vary: false, fromTest: Boolean(mask.from_test), engine: record.engine, prompt: record.prompt, negative: record.negative_prompt,
    promptId: record.prompt_id, seed: record.seed, parent: record.id, donor: record.donor, type: record.defect_type,
  });
  form.settings[record.engine] = { ...record.settings };
  // The very mask, to the pixel: one that varied or was placed by hand comes as it was drawn.
  const placeable = !mask.vary && ((mask.source === "real" && mask.image) || mask.source === "generated");
  if (placeable) Object.assign(form[mask.source], Object.fromEntries(Object.keys({ ...FRESH[mask.source], ...(mask.source === "generated" && starts(mask.shape)) }).map((name) => [name, mask[name]])));
  else {
    const kept = await call("drawn", { id: record.id });
    form.kind = "drawn";
    form.drawn = { layer: kept.layer, base: kept.file };
  }
  if (form.fromTest !== before.fromTest) state.donors = null;
  await openSource(record.source, { parent: true });
  showForm();
  if (andThen) return andThen();
  toast("Loaded its image, mask, prompt, settings and seed.", async () => { form = before; await openSource(form.source, { parent: true }); showForm(); });
  studio.scrollIntoView({ behavior: "smooth", block: "start" });
});
const otherSeed = (record) => editFrom(record, async () => {
  await followed.catch(() => {}); // what it said, it said
  reseed();
  showForm();
  await preview();
});

// A cell of a comparison lends its prompt, engine, settings and seed; image and mask stay.
function reuse(record) {
  const before = copy(form);
  Object.assign(form, { engine: record.engine, prompt: record.compares_prompts ? record.prompt : form.prompt, seed: record.seed });
  if (record.compares_prompts) Object.assign(form, { negative: record.negative_prompt, promptId: record.prompt_id });
  form.settings[record.engine] = { ...record.settings };
  showForm();
  toast("Took the settings of this cell.", () => { form = before; showForm(); });
}
const remove = attempt(async (record) => {
  await call("delete", { id: record.id });
  if (state.shown?.id === record.id) { state.shown = null; view.shown = ""; }
  await refresh();
  if (state.results[0] && !state.shown) await shown(state.results[0].id);
  else if (!state.shown) emptyResult();
  toast("Deleted one candidate.", async () => { await call("restore", { id: record.id }); await refresh(); await shown(record.id); });
});

// ---------------------------------------------------------------------- all results

const asked = (limit) => ({ status: view.status === "all" ? "" : view.status, engine: view.engine, prompt: view.prompt, job: view.job, limit });
// What has come since; how many are shown stays as it is.
const refresh = latest(async () => {
  try {
    const answer = await call("results", asked(Math.max(PAGE, state.results.length)));
    take(answer);
  } catch (error) { say(sentence(error)); }
});
function take(answer) {
  const same = answer.items.length === state.results.length && answer.items.every((item, index) => item.id === state.results[index].id && item.status === state.results[index].status);
  Object.assign(state, { results: answer.items, total: answer.total, counts: answer.counts, jobs: answer.jobs, stamp: answer.stamp });
  if (!same) showResults();
  showFilters();
  showJobs();
}
function showAll() {
  Object.assign(view, { status: "all", engine: "", prompt: "", job: "" });
  history.replaceState(history.state, "", location.pathname);
  remember();
  refresh();
}
function card(item) {
  return make("button", { type: "button", role: "option", class: "st-result", "data-id": item.id, title: `${item.prompt}\n${item.title} · seed ${item.seed}`, "aria-selected": String(item.id === state.shown?.id),
    onclick: attempt(async () => { await shown(item.id); reveal(); }) },
  make("img", { loading: "lazy", alt: "", src: address(item.id, "close") }),
  make("span", {}, item.prompt || "No prompt"),
  make("span", { class: "st-quiet", style: "font-size: 12px" }, `${item.title} · seed ${item.seed}${item.status === "pending" ? "" : ` · ${item.status}`}`));
}
function reveal() { // the pane may be scrolled away
  const box = panes.result.view.getBoundingClientRect();
  if (box.top < 64 || box.top > window.innerHeight - 160) $(".st-panes").scrollIntoView({ behavior: "smooth", block: "center" });
}
function showResults() {
  const box = $(".st-results");
  const filtered = view.status !== "all" || view.engine || view.prompt || view.job;
  if (!state.results.length) {
    box.replaceChildren(make("div", { class: "empty" }, make("p", { class: "empty-title" }, filtered ? "No result passes the filters" : "No results yet"),
      make("p", {}, filtered ? "Show all of them again." : "Everything you paint lands here, as pending, and stays when you leave."),
      filtered ? make("button", { type: "button", class: "main-button", onclick: showAll }, "Show all")
        : make("button", { type: "button", class: "main-button", disabled: !ready(), onclick: preview }, "Preview one")));
  } else {
    const known = new Map([...box.querySelectorAll("[data-id]")].map((node) => [node.dataset.id + node.title, node]));
    box.replaceChildren(...state.results.map((item) => {
      const old = known.get(`${item.id}${item.prompt}\n${item.title} · seed ${item.seed}`);
      return old && item.status === "pending" ? old : card(item);
    }));
  }
  markResult();
  $(".st-more").replaceChildren(state.results.length < state.total ? plain(`Show ${Math.min(PAGE, state.total - state.results.length)} more`, attempt(async () => take(await call("results", asked(state.results.length + PAGE))))) : "");
}
function markResult() {
  const mark = (node, attribute) => node.setAttribute(attribute, String(node.dataset.id === state.shown?.id));
  $$(".st-results [data-id]").forEach((node) => mark(node, "aria-selected"));
  $$(".st-grid [data-id]").forEach((node) => mark(node, "aria-current"));
}
function showFilters() {
  $(".st-count").replaceChildren(state.total ? counted(state.total, "candidate") : "", view.job ? make("span", {}, " of one job ", link("Show all", showAll)) : "");
  const chips = [["all", "All"], ["pending", "Pending"], ["accepted", "Accepted"], ["rejected", "Rejected"]].filter(([key]) => key === "all" || key === view.status || state.counts[key]);
  $(".st-chips").replaceChildren(...(chips.length > 2 || view.status !== "all" ? chips : []).map(([key, words]) => make("button", { type: "button", class: "st-chip", "aria-pressed": String(view.status === key),
    onclick: () => { view.status = key; remember(); refresh(); } }, `${words} `, make("b", {}, key === "all" ? "" : (state.counts[key] || 0).toLocaleString("en")))));
  const choose = (selector, name, first, options) => {
    const select = $(selector);
    select.hidden = options.length < 2 && !view[name];
    if (document.activeElement === select) return;
    select.replaceChildren(make("option", { value: "" }, first), ...options.map(([value, words]) => make("option", { value, selected: value === view[name] }, words)));
  };
  choose(".st-byengine", "engine", "Every engine", state.engines.map(({ name, title }) => [name, title]));
  choose(".st-byprompt", "prompt", "Every prompt", state.prompts.map(({ id, name }) => [id, name]));
}
function showJobs() {
  $(".st-jobs").replaceChildren(...state.jobs.map((job) => make("div", { class: "st-job" },
    make("span", { class: "bar", role: "progressbar", "aria-label": job.title }, make("span", { style: `width: ${100 * job.fraction}%` })),
    make("div", { class: "st-joblines" }, make("span", { title: job.title }, job.state === "running" ? job.text : `${job.title}: ${job.text}`),
      plain("Cancel", attempt(async () => { await call("cancel_job", { id: job.id }); await refresh(); }), { class: "plain-button small" })))));
}

// ---------------------------------------------------------------------- a comparison

async function showComparison(id) {
  const answer = id ? await call("comparison", { job: id }) : null;
  state.comparison = answer && answer.job !== view.closed ? answer : null;
  const box = $(".st-compared");
  if (!state.comparison) { box.replaceChildren(); return; }
  const [across, down] = answer.axes;
  const heads = across.values.map((value) => make("th", { scope: "col", title: value }, value));
  const rows = answer.cells.map((cells, row) => make("tr", {}, down && make("th", { scope: "row", title: down.values[row] }, down.values[row]), ...cells.map((id) => make("td", {},
    make("button", { type: "button", class: "st-cell", "data-id": id || "", disabled: !id, title: id ? "Show it and reuse its settings" : "Not painted yet",
      onclick: attempt(async () => { await shown(id); reuse(state.shown); }) }, id && make("img", { alt: "", src: address(id, "close") }))))));
  box.replaceChildren(make("section", { class: "st-comparison", "aria-label": "Comparison" },
    make("div", { class: "st-bar" }, make("h2", { class: "st-title" }, "Comparison"), make("span", { class: "st-quiet" }, answer.text), make("span", { class: "st-space" }),
      make("span", { class: "st-quiet" }, "A click shows a result and reuses its settings."), plain("Close", () => { view.closed = answer.job; remember(); showComparison(""); }, { class: "plain-button small" })),
    make("div", { class: "st-gridbox" }, make("table", { class: "st-grid" },
      make("thead", {}, make("tr", {}, down && make("th", { class: "st-axis" }, down.title), make("th", { class: "st-axis", colspan: across.values.length }, across.title)), make("tr", {}, down && make("th"), ...heads)),
      make("tbody", {}, ...rows)))));
  markResult();
}

// ---------------------------------------------------------------------- the whole form

function showForm() {
  $(".st-prompt").value = form.prompt;
  $(".st-negative").value = form.negative;
  $(".st-type").value = form.type;
  $(".st-seed").value = form.seed;
  $(".st-newseed").checked = form.newSeed;
  $(".st-number").value = form.count;
  $(".st-where").value = form.where;
  showPrompts();
  showEngine();
  showUnderMask();
  expand();
  remember();
}

const dialogs = exddStudioDialogs(element, {
  call, attempt, toast, state, upload, loadPrompt, compare, engineNow,
  takeText: (words) => { Object.assign(form, { prompt: words, promptId: "" }); showForm(); },
  form: () => form, value: (control) => settingsNow()[control.name] ?? control.default,
  changed: (prompts) => { state.prompts = prompts; if (!chosenPrompt()) form.promptId = ""; showPrompts(); },
});

// ---------------------------------------------------------------------- beginning, and what goes on meanwhile

const enter = attempt(async () => {
  let kept = {};
  try { kept = JSON.parse(localStorage.getItem(STORED) || "{}"); } catch { /* a fresh start */ }
  Object.assign(view, kept.view || {});
  form = { ...copy(FRESH), ...(kept.form || {}) };
  const address = new URL(location).searchParams;
  const wanted = address.get("image") || form.source;
  view.job = address.get("job") || "";
  const answer = await call("open_page", asked(PAGE));
  const { need } = answer;
  $(".st-need").hidden = !need;
  $(".st-body").hidden = Boolean(need);
  if (need) {
    $(".st-need").replaceChildren(make("p", { class: "empty-title" }, need.title), make("p", {}, need.text), make("a", { class: "main-button", href: need.link }, need.button));
    return;
  }
  for (const name of ["dataset", "sources", "engines", "prompts", "shapes", "borrowed", "cells"]) state[name] = answer[name];
  $("#st-types").replaceChildren(...answer.types.map((value) => make("option", { value })));
  if (kept.dataset !== state.dataset) { // masks and images of another data set mean nothing here
    Object.assign(form, { drawn: { ...FRESH.drawn }, real: { ...FRESH.real }, uploaded: { ...FRESH.uploaded }, parent: "" });
    view.shown = "";
  }
  form.generated = { ...starts(form.generated.shape), ...form.generated };
  if (!state.engines.some((engine) => engine.name === form.engine)) form.engine = answer.engine;
  if (!form.prompt && !form.promptId && state.prompts.length) {
    const first = state.prompts[0];
    Object.assign(form, { promptId: first.id, prompt: first.prompt, negative: first.negative_prompt });
  }
  panes.share = view.share;
  showForm();
  showSources();
  const there = state.sources.some((source) => source.id === wanted);
  await openSource(there ? wanted : state.sources[0].id, { parent: there && wanted === form.source });
  take(answer.results);
  showResults();
  const known = view.shown && await call("candidate", { id: view.shown }).catch(() => null);
  if (known) await shown(known);
  else if (state.results[0]) await shown(state.results[0].id);
  else emptyResult();
  await showComparison(view.closed === answer.results.comparison ? "" : answer.results.comparison || view.compared);
  if (answer.run) follow(answer.run);
  watch();
});

let watching = false;
async function watch() { // asked often while something is made, seldom else
  if (watching) return;
  watching = true;
  while (studio.isConnected) {
    await new Promise((done) => setTimeout(done, state.jobs.length ? 800 : 2500));
    if (document.hidden || !studio.offsetParent || state.run) continue;
    try {
      const answer = await call("news", { stamp: state.stamp });
      if (answer.dataset !== state.dataset) { await enter(); continue; }
      if (answer.changed && !state.run) { // else its end brings everything
        await refresh();
        if (state.comparison) await showComparison(state.comparison.job);
        if (!state.shown && state.results[0]) await shown(state.results[0].id);
      }
    } catch { /* the next click says it */ }
  }
}

// The settings end at the lower edge of the window, so that the buttons are always in sight.
function fitSettings() {
  const right = $(".st-right"), top = Math.max(72, right.getBoundingClientRect().top);
  right.style.setProperty("--st-room", `${Math.max(400, window.innerHeight - top - 16)}px`);
}

function wire() {
  window.addEventListener("scroll", fitSettings, { passive: true });
  new ResizeObserver(fitSettings).observe(document.body);
  window.addEventListener("resize", fitSettings);
  $(".st-find").addEventListener("input", showSources);
  $(".st-prev").addEventListener("click", () => step(-1));
  $(".st-next").addEventListener("click", () => step(1));
  $(".st-random").addEventListener("click", random);
  $$(".st-kinds button").forEach((button) => button.addEventListener("click", () => chooseKind(button.dataset.kind)));
  $(".st-vary").addEventListener("change", attempt(async (event) => { form.vary = event.target.checked; remember(); await showMask(); showExpanded(); }));
  $(".st-prompts").addEventListener("change", (event) => loadPrompt(event.target.value));
  $(".st-library").addEventListener("click", () => dialogs.library());
  $$("[data-save]").forEach((button) => button.addEventListener("click", () => {
    button.closest("details").open = false;
    if (button.dataset.save === "as") dialogs.askName(form.prompt, savePrompt);
    else savePrompt();
  }));
  const typed = (selector, name, then = () => {}) => $(selector).addEventListener("input", (event) => { form[name] = event.target.type === "checkbox" ? event.target.checked : event.target.value; remember(); then(); });
  typed(".st-prompt", "prompt", () => { showPrompts(); expandSoon(); });
  typed(".st-negative", "negative", showPrompts);
  typed(".st-type", "type");
  typed(".st-seed", "seed", () => { if (form.vary) settleMask(); });
  typed(".st-newseed", "newSeed");
  typed(".st-number", "count", expandSoon);
  typed(".st-where", "where", showExpanded);
  $(".st-preview").addEventListener("click", preview);
  $(".st-queue").addEventListener("click", queue);
  $(".st-compare").addEventListener("click", () => dialogs.compare());
  $$(".st-against button").forEach((button) => button.addEventListener("click", () => { view.against = button.dataset.against; remember(); showResult(); }));
  $(".st-outline").addEventListener("click", outline);
  $(".st-close").addEventListener("click", closer);
  $(".st-byengine").addEventListener("change", (event) => { view.engine = event.target.value; remember(); event.target.blur(); refresh(); });
  $(".st-byprompt").addEventListener("change", (event) => { view.prompt = event.target.value; remember(); event.target.blur(); refresh(); });
  document.addEventListener("keydown", key);
  document.addEventListener("keyup", (event) => { if (event.code === "Space") panes.setSpace(false); });
  document.addEventListener("pointerdown", (event) => { $$("details.st-menu[open]").forEach((menu) => { if (!menu.contains(event.target)) menu.open = false; }); });
  for (const kind of ["dragenter", "dragover", "dragleave", "drop"]) {
    panes.mask.view.addEventListener(kind, (event) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      $(".st-drop").hidden = kind === "dragleave" || kind === "drop";
      $(".st-drop").textContent = "Drop a mask file: white where the defect goes";
      if (kind === "drop") uploadMask(event.dataTransfer.files[0]);
    });
  }
}
function closer() { // to the mask and its surroundings, and back
  if (panes.zoom.k > 1 || !state.box) panes.reset();
  else panes.zoomTo(state.box);
}
function outline() { view.outlined = !view.outlined; remember(); $(".st-outline").setAttribute("aria-pressed", String(view.outlined)); panes.setOutlined(view.outlined); }

const KEYS = {
  b: () => pickTool("brush"), e: () => pickTool("eraser"), "[": () => brushSize(Math.min(view.brush - 1, view.brush / 1.25)), "]": () => brushSize(Math.max(view.brush + 1, view.brush * 1.25)),
  z: closer, r: random, j: () => step(1), k: () => step(-1), o: outline, l: () => dialogs.library(), 0: () => panes.reset(),
};
function key(event) {
  if (!studio.isConnected) return document.removeEventListener("keydown", key);
  if (!studio.offsetParent || event.defaultPrevented || $(".st-dialog").open) return;
  const command = event.ctrlKey || event.metaKey;
  if (command && event.key === "Enter") { event.preventDefault(); (event.shiftKey ? queue : preview)(); return; }
  if (event.target.closest?.("input:not([type=range], [type=checkbox]), textarea, select, [contenteditable=true]")) return;
  if (command && event.key.toLowerCase() === "z" && form.kind === "drawn") { event.preventDefault(); if (event.shiftKey) panes.editor.redo(); else panes.editor.undo(); return; }
  if (command || event.altKey) return;
  if (event.code === "Space" && !event.target.closest?.("button, a, summary")) { event.preventDefault(); panes.setSpace(true); return; }
  const action = KEYS[event.key] || KEYS[event.key.toLowerCase()];
  if (!action) return;
  event.preventDefault();
  action();
}

wire();
enter().finally(() => studio.classList.add("st-ready"));

};
