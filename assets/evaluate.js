// The Evaluate page: start a measurement, choose one of those that are kept, compare two, take files along.
// pages/evaluate.py puts it on its page, and Gradio calls it once with the component's element and its functions on
// the server. What one measurement looks like is measured.js's; this keeps which one is shown and the list's filters.

window.exddEvaluate = (element, server) => {

const { make, note, counted, sentence, caller, save } = exddParts;
const measured = exddMeasured(), { percent, signed, card } = measured;
const call = caller(server);
const $ = (selector) => element.querySelector(selector);
const ABOUT = {
  table1: "PatchCore, ExDD with real defects, and ExDD with the accepted synthetic ones too, side by side.",
  sweep: "ExDD with more and more of the accepted synthetic defects, several draws of each count.",
  evaluate: "A bank version as it stands, beside PatchCore with the same normal bank, on its test split.",
};
const SORTS = [["newest", "Newest first"], ["oldest", "Oldest first"], ["best", "Highest image AUROC first"]];
const QUICK = 700, SLOW = 3000; // milliseconds between two looks at what is measured

const view = { kind: "", of: "", sort: "newest" };
const state = { runs: [], kinds: {}, at: "", shown: null, kind: "table1", stamp: "", watched: [], timer: 0, chosen: [] };

function say(words, kind = "error") {
  const box = $(".st-message");
  box.hidden = !words;
  box.replaceChildren(words ? note(words, kind, () => say("")) : "");
  if (words) box.scrollIntoView({ block: "nearest" });
}
const attempt = (action) => async (...given) => {
  try { say(""); return await action(...given); } catch (error) { say(sentence(error)); }
};
const button = (words, onclick, properties = {}) => make("button", { type: "button", class: "plain-button", onclick, ...properties }, words);
const when = (created) => new Date(created).toLocaleString("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const lasted = (seconds) => (seconds < 60 ? `${Math.max(1, Math.round(seconds))} s` : seconds < 3600 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`);
const inspect = (id, bank) => `/?image=${encodeURIComponent(id)}${bank ? `&bank=${encodeURIComponent(bank)}` : ""}`;
const small = (id) => `/thumbnail?image=${encodeURIComponent(id)}`;

// ---------------------------------------------------------------------- what to measure

const form = $(".ev-form"), fields = form.elements;
const options = (select, entries, selected) => select.replaceChildren(...entries.map(([value, words]) => make("option", { value, selected: value === selected }, words)));

function showForm(answer) {
  $(".ev-kinds").replaceChildren(...Object.entries({ table1: "Table 1", sweep: "Table 2", evaluate: "One bank" }).map(([kind, words]) =>
    make("button", { type: "button", role: "radio", "data-kind": kind, title: ABOUT[kind], onclick: () => chooseKind(kind) }, words)));
  options(fields.dataset, answer.datasets.map((name) => [name, name]), answer.dataset);
  options(fields.bank, answer.banks.map(({ id, title }) => [id, title]), answer.banks.find(({ title }) => title.endsWith("active"))?.id);
  options(fields.fusion, [["", "as built"], ...answer.fusions.map((name) => [name, name.replaceAll("_", " ")])], "");
  fields.counts.value = answer.counts.join(", ");
  $(".ev-accepted").replaceChildren(`${counted(answer.accepted, "synthetic defect")} of ${answer.dataset} ${answer.accepted === 1 ? "is" : "are"} accepted. `, answer.accepted ? "" : make("a", { href: "/curate" }, "Accept some in Curate"));
  chooseKind(state.kind);
}
function chooseKind(kind) {
  state.kind = kind;
  for (const one of $(".ev-kinds").children) one.setAttribute("aria-checked", String(one.dataset.kind === kind));
  $(".ev-about").textContent = ABOUT[kind];
  fields.fusion.options[0].textContent = kind === "evaluate" ? "as built" : "the default";
  showFields();
}
function showFields() {
  const folds = fields.how.value === "folds";
  for (const one of form.querySelectorAll("[data-for]")) one.hidden = !one.dataset.for.split(" ").includes(state.kind) || ("folds" in one.dataset && !folds);
}
fields.how.addEventListener("change", showFields);

const begin = attempt(async () => {
  const typed = Object.fromEntries(["dataset", "bank", "rate", "fusion", "seed", "counts", "seeds"].map((name) => [name, fields[name].value]));
  const folds = state.kind === "table1" && fields.how.value === "folds" ? fields.folds.value || "none" : "";
  watch((await call("start", { kind: state.kind, folds, ...typed })).job);
});
form.addEventListener("submit", (event) => { event.preventDefault(); begin(); });

// ---------------------------------------------------------------------- what is being measured

function watch(job, compared = "") {
  state.watched.push({ id: job.id, mine: true, compared });
  $(".ev-work").replaceChildren(jobLine(job));
  follow();
}
function jobLine(job) {
  return make("div", { class: "ev-job", "data-id": job.id }, make("b", {}, job.title), button("Cancel", attempt(async () => { await call("cancel", { id: job.id }); follow(); }), { class: "plain-button small" }),
    make("span", { class: "bar", role: "progressbar", "aria-label": job.title, "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": Math.round(100 * job.fraction) }, make("span", { style: `width: ${100 * job.fraction}%` })),
    make("span", { class: "ev-jobtext" }, job.state === "queued" ? "Waiting for its turn" : job.text));
}

let following = false;
async function follow() {
  clearTimeout(state.timer);
  if (following || !element.isConnected) return;
  following = true;
  let active = [];
  try {
    if (!document.hidden) {
      const answer = await call("work", { watched: state.watched.map(({ id }) => id) });
      active = answer.jobs.filter((job) => job.active);
      for (const job of active) if (!state.watched.some(({ id }) => id === job.id)) state.watched.push({ id: job.id, mine: false, compared: "" });
      showWork(active);
      const over = answer.jobs.filter((job) => !job.active);
      const ended = state.watched.filter(({ id }) => over.some((job) => job.id === id));
      state.watched = state.watched.filter((one) => !ended.includes(one));
      if (answer.stamp !== state.stamp || ended.length) await relist(answer.stamp);
      for (const one of ended) await finished(over.find(({ id }) => id === one.id), one);
      if (!state.at && state.runs.length) await open(state.runs[0].id);
    }
  } catch { /* a click says what is wrong; the next look may do */ }
  following = false;
  state.timer = setTimeout(follow, active.length ? QUICK : SLOW);
}
function showWork(active) {
  const focused = document.activeElement?.closest?.(".ev-job")?.dataset.id;
  $(".ev-work").replaceChildren(...active.map(jobLine));
  if (focused) $(`.ev-job[data-id="${focused}"] button`)?.focus();
}
// What was begun on this page is shown when it is done; what was begun elsewhere only comes to the list.
async function finished(job, { mine, compared }) {
  if (job.state === "done") { if (mine) await open(job.run); if (compared) await compareWith(compared); }
  else if (job.state === "failed") say(job.error);
  else say(`“${job.title}” was ${job.state}. ${job.state !== "cancelled" ? "Resume it in Jobs above." : job.kind === "sweep" ? "What it had measured is kept, as not finished." : "Nothing of it is kept."}`, "info");
}
async function relist(stamp) {
  state.runs = (await call("listed")).runs;
  state.stamp = stamp;
  showList();
}

// ---------------------------------------------------------------------- what was measured

function showList() {
  const { runs } = state, kinds = [...new Set(runs.map(({ kind }) => kind))], sets = [...new Set(runs.map(({ dataset }) => dataset))];
  const [kind, of, sort] = [...$(".ev-filters").children];
  options(kind, [["", "Every kind"], ...kinds.map((value) => [value, `${state.kinds[value]} (${runs.filter((run) => run.kind === value).length})`])], view.kind);
  options(of, [["", "Every data set"], ...sets.map((name) => [name, name])], view.of);
  options(sort, SORTS, view.sort);
  $(".ev-filters").hidden = !runs.length;
  const best = (run) => Math.max(...run.figures.map(([, value]) => value ?? -1), -1);
  let found = runs.filter((run) => (!view.kind || run.kind === view.kind) && (!view.of || run.dataset === view.of));
  if (view.sort === "oldest") found = found.toReversed();
  if (view.sort === "best") found = found.toSorted((a, b) => best(b) - best(a));
  $(".ev-count").textContent = found.length === runs.length ? runs.length.toLocaleString("en") : `${found.length} of ${runs.length}`;
  $(".ev-runs").replaceChildren(...found.map(runLine), runs.length && !found.length ? make("div", { class: "empty" }, make("p", {}, "No measurement passes the filters."), button("Show all", () => { Object.assign(view, { kind: "", of: "" }); showList(); })) : "");
  $(".ev-none").hidden = runs.length > 0;
  $(".ev-one").hidden = !runs.length || !state.shown;
  if (!runs.length) $(".ev-none").replaceChildren(make("p", { class: "empty-title" }, "Nothing measured yet"),
    make("p", {}, "Table 1 compares PatchCore and ExDD on test images that no bank has seen, with intervals, so that nobody celebrates noise."),
    make("button", { type: "button", class: "main-button", onclick: () => { chooseKind("table1"); begin(); } }, "Measure Table 1"));
  showOthers();
}
function runLine(run) {
  const told = run.figures.filter(([, value]) => value !== null && value !== undefined).map(([name, value]) => `${name.replace("ExDD ", "")}${run.kind === "sweep" ? ":" : ""} ${percent(value)}`).join(" · ");
  return make("button", { type: "button", role: "option", class: "ev-run", "data-id": run.id, "aria-selected": String(run.id === state.at), onclick: attempt(() => open(run.id)) },
    make("span", { class: "ev-runhead" }, make("b", {}, run.title), make("span", { class: "st-quiet" }, when(run.created))),
    make("span", { class: "st-quiet" }, `${run.dataset} · ${run.how}${run.complete ? "" : " · not finished"}`),
    told && make("span", { class: "ev-runfigures", title: "Image AUROC, percent" }, told));
}
for (const one of $(".ev-filters").children) one.addEventListener("change", () => { view[one.name] = one.value; showList(); });

async function open(id) {
  state.at = id;
  showList();
  const answer = await call("run", { id });
  await exddParts.plotly();
  if (state.at !== id) return;
  const address = new URL(location);
  address.searchParams.set("run", id);
  history.replaceState(null, "", address);
  state.shown = answer;
  state.chosen = [];
  $(".ev-one").hidden = false;
  $(".ev-compared").replaceChildren();
  $(".ev-making").replaceChildren();
  const { line, shown, banks } = answer, { result } = shown;
  $(".ev-title").textContent = `${line.title}: ${line.dataset}`;
  $(".ev-facts").textContent = [line.how, result.images && `${counted(result.images, "image")}, ${result.defective} with a defect`, result.synthetic !== undefined && counted(Array.isArray(result.synthetic) ? result.synthetic.length : result.synthetic, "synthetic defect"),
    `measured ${when(line.created)} in ${lasted(line.seconds)}`].filter(Boolean).join(" · ");
  showOthers();
  measured.show($(".ev-measured"), shown, { picture: small, link: (image, method) => inspect(image, banks[method] || Object.values(banks)[0]) });
  showFigure();
  showRecord();
}

function showRecord() {
  const { record, command } = state.shown;
  $(".ev-record").replaceChildren(make("details", { class: "ms-card" }, make("summary", {}, "Record: settings, bank versions, libraries"),
    make("p", { class: "ms-said" }, "One command measures the same again:"),
    make("div", { class: "ev-command" }, make("code", {}, command), button("Copy", async (event) => { const { target } = event; await navigator.clipboard.writeText(command); target.textContent = "Copied"; }, { class: "plain-button small" })),
    make("dl", { class: "ev-pairs" }, ...record.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]))));
}

// ---------------------------------------------------------------------- taking one off the list

let fading = 0;
$(".ev-delete").addEventListener("click", attempt(async () => {
  const { at } = state, box = $(".st-toast"), { title, dataset } = state.runs.find(({ id }) => id === at);
  await without((await call("delete", { id: at })).runs);
  clearTimeout(fading);
  box.hidden = false;
  box.replaceChildren(make("span", {}, `Deleted ${title} of ${dataset}`), make("button", { type: "button", onclick: attempt(async () => {
    box.hidden = true;
    state.runs = (await call("restore", { id: at })).runs;
    await open(at);
  }) }, "Undo"));
  fading = setTimeout(() => { box.hidden = true; }, 15_000);
}));
async function without(runs) {
  Object.assign(state, { runs, at: "", shown: null });
  showList();
  if (runs.length) await open(runs[0].id);
}

// ---------------------------------------------------------------------- comparing two

function showOthers() {
  const others = state.runs.filter(({ id }) => id !== state.at), select = $(".ev-other");
  options(select, [["", others.length ? "choose one" : "no other yet"], ...others.map((run) => [run.id, `${run.title}, ${run.dataset}, ${when(run.created)}`])], "");
  select.disabled = !others.length;
}
const compareWith = attempt(async (id) => {
  if (!id) { $(".ev-compared").replaceChildren(); return; }
  $(".ev-other").value = id;
  const answer = await call("compare", { first: id, second: state.at });
  const [first, second] = answer.lines.map((run) => `${run.title}, ${when(run.created)}`);
  const table = (items, row) => make("div", { class: "ms-wide" }, make("table", { class: "ms-table" }, make("thead", {}, make("tr", {}, make("th", {}, ""), ...[first, second].map((words) => make("th", { class: row ? "ms-number" : "" }, words)), row && make("th", { class: "ms-number" }, "Difference, points"))),
    make("tbody", {}, ...items.map((one) => make("tr", {}, make("th", { scope: "row" }, one.name), ...(row ? row(one) : [make("td", {}, one.first), make("td", {}, one.second)]))))));
  const numbers = ({ first: a, second: b }) => [a, b].map((value) => make("td", { class: "ms-number" }, percent(value))).concat(make("td", { class: "ms-number" }, typeof a === "number" && typeof b === "number" ? signed(b - a) : "–"));
  const { node, head } = card("Compared");
  head.append(make("span", { class: "st-quiet" }, `${first} → ${second}`), button("Close", () => { $(".ev-compared").replaceChildren(); $(".ev-other").value = ""; }, { class: "ms-button" }));
  const nothing = !answer.images && ![...answer.settings, ...answer.only.flat()].length && !answer.figures.length && !answer.others.length;
  if (answer.images) node.append(make("p", { class: "ms-note" }, answer.images));
  node.append(nothing ? make("p", {}, "They do not differ: every setting and every figure is the same.") : "",
    ...(answer.figures.length ? [make("h3", { class: "st-label" }, "Figures, percent"), table(answer.figures, numbers)] : nothing ? [] : [make("p", {}, "Every figure that both have is the same.")]),
    ...answer.only.map((names, at) => names.length > 0 && make("p", { class: "ms-said" }, `Only ${[first, second][at]}: ${names.join(", ")}.`)).filter(Boolean),
    ...Object.entries(answer.changed).flatMap(([name, changed]) => [make("h3", { class: "st-label" }, `${name}: other verdicts at its own threshold`), turned(changed)]),
    ...(answer.settings.length ? [make("h3", { class: "st-label" }, "Settings"), table(answer.settings)] : []),
    answer.others.length ? make("details", {}, make("summary", {}, `${counted(answer.others.length, "other figure")}`), table(answer.others)) : "");
  $(".ev-compared").replaceChildren(node);
});
function turned(changed) {
  const words = { found: "now found", lost: "now missed", new_alarms: "new false alarm", ended_alarms: "no longer a false alarm" };
  return make("ul", { class: "ev-links" }, ...Object.entries(words).flatMap(([what, said]) => changed[what].map((id) => make("li", {}, make("a", { href: inspect(id, Object.values(state.shown.banks)[0]) }, id.slice(id.indexOf("/") + 1)), ` ${said}`))));
}
$(".ev-other").addEventListener("change", (event) => compareWith(event.target.value));
$(".ev-again").addEventListener("click", attempt(async () => { const { at } = state; watch((await call("again", { id: at })).job, at); }));

// ---------------------------------------------------------------------- files to take along

// Ask for a file until it is there: bar, count, cancel in `place`; the files, or none where it was cancelled.
async function made(question, asked, place) {
  const { making } = await call(question, asked);
  const text = make("span", { class: "ev-jobtext" }), bar = make("span", {}), stopper = button("Cancel", () => call("stop", { making }), { class: "plain-button small" });
  place.replaceChildren(make("div", { class: "ev-job" }, text, stopper, make("span", { class: "bar", role: "progressbar", "aria-label": "Making the file" }, bar)));
  try {
    for (;;) {
      const answer = await call("look", { making });
      if (answer.over) return answer.files;
      text.textContent = answer.text;
      bar.style.width = `${100 * answer.fraction}%`;
      await new Promise((done) => setTimeout(done, 250));
    }
  } finally { place.replaceChildren(); }
}
$(".ev-report").addEventListener("click", attempt(async () => { const [file] = await made("report", { id: state.at }, $(".ev-making")); if (file) save(file); }));

function showFigure() {
  const { shown, rows, banks } = state.shown;
  if (shown.kind === "sweep") { $(".ev-figure").replaceChildren(); return; }
  const { node, head } = card("Figure 2");
  $(".ev-figure").replaceChildren(node);
  if (!rows.length) {
    node.append(make("p", { class: "ms-said" }, Object.keys(banks).length || shown.spec.folds ? "Every fold had banks of its own, which are gone: Figure 2 is drawn of a measurement on the test split." : "Its bank versions are deleted, so its heatmaps cannot be drawn any more."));
    return;
  }
  const { per_image: images } = shown.result, type = new Map(images.id.map((id, at) => [id, images.label[at] === "defect" ? images.defect_type[at] || "defect" : "normal"]));
  const count = make("input", { type: "text", inputmode: "numeric", class: "ev-rows", value: "4", "aria-label": "Rows" }), making = make("div", {}), sheet = make("div", {});
  const grid = make("div", { class: "ev-pick", hidden: true, role: "group", "aria-label": "Rows by hand" });
  const choices = make("div", { class: "ms-switch", role: "group", "aria-label": "Rows" });
  const byHand = () => !grid.hidden;
  const mode = (hand) => {
    grid.hidden = !hand;
    count.parentElement.hidden = hand;
    [...choices.children].forEach((one, at) => one.setAttribute("aria-pressed", String(Boolean(at) === hand)));
    if (hand && !grid.childElementCount) grid.replaceChildren(...rows.map((id) => make("button", { type: "button", class: "ev-choice", "data-id": id, "aria-pressed": "false", title: id, onclick: () => pick(id) }, make("img", { src: small(id), alt: "", loading: "lazy" }), make("span", {}, type.get(id)))));
  };
  const pick = (id) => {
    state.chosen = state.chosen.includes(id) ? state.chosen.filter((one) => one !== id) : [...state.chosen, id];
    for (const one of grid.children) {
      const place = state.chosen.indexOf(one.dataset.id);
      one.setAttribute("aria-pressed", String(place >= 0));
      one.querySelector(".ev-number")?.remove();
      if (place >= 0) one.prepend(make("span", { class: "ev-number" }, String(place + 1)));
    }
  };
  choices.append(make("button", { type: "button", onclick: () => mode(false) }, "Largest disagreement"), make("button", { type: "button", onclick: () => mode(true) }, "Chosen by hand"));
  const draw = attempt(async () => {
    if (byHand() && !state.chosen.length) { say("No row is chosen: click the images that the figure should show.", "info"); return; }
    const files = await made("figure", { id: state.at, images: byHand() ? state.chosen : [], count: byHand() ? "1" : count.value }, making);
    if (!files.length) return;
    const fresh = `${files[0].address}?${Date.now()}`;
    sheet.replaceChildren(make("img", { class: "ev-sheet", src: fresh, alt: "Figure 2: image, truth and each method's heatmap, a row for each image" }));
    head.querySelectorAll(".ev-file").forEach((one) => one.remove());
    head.append(...files.map((file) => button(`${file.name.split(".").at(-1).toUpperCase()} ↓`, () => save(file), { class: "ms-button ev-file" })));
  });
  head.append(choices, make("label", { class: "st-field" }, count, "rows"), button("Draw", draw, { class: "ms-button ev-draw" }), make("span", { class: "ms-space" }));
  node.append(make("p", { class: "ms-said" }, "Image, truth and each method's heatmap on one scale. Largest disagreement: where the methods' scores lie farthest apart."), grid, making, sheet);
  mode(false);
}

// ---------------------------------------------------------------------- opening the page

async function start() {
  const answer = await call("open_page");
  const need = $(".st-need");
  need.hidden = !answer.need;
  $(".ev-body").hidden = Boolean(answer.need);
  if (answer.need) {
    need.replaceChildren(make("p", { class: "empty-title" }, answer.need.title), make("p", {}, answer.need.text), make("a", { class: "main-button", href: answer.need.link }, answer.need.button));
    return;
  }
  Object.assign(state, { runs: answer.runs, kinds: answer.kinds });
  showForm(answer);
  showList();
  const wanted = new URL(location).searchParams.get("run"), run = state.runs.find(({ id }) => id === wanted) || state.runs[0];
  follow();
  if (run) await open(run.id);
}
document.addEventListener("visibilitychange", () => { if (!document.hidden) follow(); });
attempt(start)();

};
