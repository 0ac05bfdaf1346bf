// The Curate page: a queue of candidates, one of them large, the decision on it, and what was decided before.
// pages/curate.py puts it on its page, and Gradio calls it once with the component's element and its functions on the
// server. It keeps who decides, the filters and the view (in this browser); every picture, count and sentence comes from
// the server. Decisions are sent one after another while the next candidate is already shown. The picture is
// ExddCurateView's.

window.exddCurate = (element, server) => {

const { make, counted, sentence, caller, latest, voice } = exddParts;
const call = caller(server);
const $ = (selector) => element.querySelector(selector);
const page = $(".curate");
const { say, attempt, toast } = voice(element);
const STORED = "exdd.curate", WHO = "exdd.who", PAGE = 120, LINES = 60;
const SORTS = [["effect", "Most effect"], ["visible", "Most visible"], ["clean", "Cleanest"], ["plausible", "Most plausible"], ["new", "Most new"], ["newest", "Newest first"], ["oldest", "Oldest first"]];
const STATUSES = [["pending", "Pending"], ["accepted", "Accepted"], ["rejected", "Rejected"], ["all", "All"]];
const TRAITS = [["prompt", "Every prompt"], ["engine", "Every engine"], ["mask", "Every mask"], ["type", "Every type"]];
const MEASURES = ["visible", "clean", "plausible", "new", "effect"];
const FILTERS = [...TRAITS.map(([name]) => name), ...MEASURES];
const LIGHTS = { green: ["✓", "good"], amber: ["~", "so-so"], red: ["✕", "poor"], grey: ["?", "not known"] };
const SIGNS = { pending: "○", accepted: "✓", rejected: "✕" };
const MINUTE = 60_000;

const view = { status: "pending", sort: "effect", ...Object.fromEntries(FILTERS.map((name) => [name, null])), sifting: false, close: true, outlined: true, hatched: false, share: 0.5, brush: 16 };
const state = {
  dataset: "", items: [], total: 0, counts: {}, filters: {}, reasons: [], types: [], stamp: "",
  at: "", shown: null, held: "", lines: LINES, times: [], deciding: 0, doing: "", left: 0, picked: new Set(), sending: new Set(),
  together: [], // what was decided on at once and last: Undo takes all of it back
};
let who = "";

function remember() {
  try { localStorage.setItem(STORED, JSON.stringify(view)); } catch { /* a private window, or no room */ }
}

const plain = (words, onclick, properties = {}) => make("button", { type: "button", class: "plain-button", onclick, ...properties }, words);
const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

// ---------------------------------------------------------------------- the queue

const asked = (limit = Math.max(PAGE, state.items.length)) => ({ ...Object.fromEntries(["status", "sort", ...FILTERS].map((name) => [name, view[name]])), limit, who });
const refresh = latest(async (limit) => { take(await call("queue", asked(limit))); });
const elsewhere = (item) => item.holder && item.holder !== who;

function take(answer) {
  Object.assign(state, answer);
  if (view.status === "pending") state.items = state.items.filter(({ id }) => !state.sending.has(id)); // the answer may be older than a decision
  showQueue();
  const { shown } = state, item = shown && state.items.find(({ id }) => id === shown.id);
  if (shown && shown.id === state.at && !state.deciding && !viewer.tool && (item ? item.status !== shown.status || (shown.holder && !elsewhere(item)) : state.counts[shown.status] !== undefined && shown.status === view.status)) show(shown.id);
}

function showQueue() {
  $(".cu-sort").replaceChildren(...SORTS.map(([value, words]) => make("option", { value, selected: value === view.sort }, words)));
  const number = (status) => (status === "all" ? Object.values(state.counts).reduce((a, b) => a + b, 0) : state.counts[status] || 0);
  $(".st-chips").replaceChildren(...STATUSES.map(([status, words]) => make("button", { type: "button", class: "st-chip", "data-status": status, "aria-pressed": String(view.status === status),
    onclick: () => narrow({ status }) }, `${words} `, make("b", {}, number(status).toLocaleString("en")))));
  showFilters();
  showCards();
  showBulk();
  showProgress();
  $("#cu-types").replaceChildren(...state.types.map((value) => make("option", { value })));
}

function showFilters() {
  const box = $(".cu-filters");
  showLights();
  if (box.contains(document.activeElement)) return;
  box.replaceChildren(...TRAITS.filter(([name]) => state.filters[name].length > 1 || view[name] !== null).map(([name, every]) => make("select", {
    "data-filter": name, "aria-label": every.replace("Every", "Filter by"), class: view[name] === null ? "" : "cu-set",
    onchange: (event) => { event.target.blur(); narrow({ [name]: event.target.value === "*" ? null : event.target.value.slice(1) }); },
  }, make("option", { value: "*" }, every), ...state.filters[name].map(({ value, title, count }) => make("option", { value: `=${value}`, selected: value === view[name] }, `${title} (${count.toLocaleString("en")})`)))),
  make("button", { type: "button", class: `plain-button cu-sift${MEASURES.some((name) => view[name] !== null) ? " cu-set" : ""}`, "aria-expanded": String(view.sifting), "aria-controls": "cu-lights",
    onclick: (event) => { view.sifting = !view.sifting; remember(); showLights(); event.target.setAttribute("aria-expanded", String(view.sifting)); } }, "By measure"));
}
// A line for each measure, with how many candidates have which light: a click shows those alone, another one all again.
function showLights() {
  const box = $(".cu-lights"), focused = box.contains(document.activeElement) && document.activeElement.dataset.light;
  box.hidden = !view.sifting;
  if (view.sifting) box.replaceChildren(...MEASURES.map((name) => make("div", { role: "group", "aria-label": named(name) }, make("span", {}, named(name)), ...Object.keys(LIGHTS).map((light) => {
    const count = state.filters[name].find(({ value }) => value === light)?.count || 0, set = view[name] === light;
    return make("button", { type: "button", "data-light": `${name} ${light}`, "aria-pressed": String(set), disabled: !count && !set, title: `${named(name)}: ${LIGHTS[light][1]}`, onclick: () => narrow({ [name]: set ? null : light }) }, lamp(light), count.toLocaleString("en"));
  }))));
  if (focused) box.querySelector(`[data-light="${focused}"]`).focus();
}
const named = (name) => name[0].toUpperCase() + name.slice(1);

const narrow = attempt(async (change) => {
  Object.assign(view, change);
  remember();
  await refresh(PAGE);
  $(".cu-cards").scrollTop = 0;
  if (!state.items.some(({ id }) => id === state.at)) await (state.items.length ? show(firstFree(), true) : nothing());
});
const clearFilters = () => narrow({ status: "pending", ...Object.fromEntries(FILTERS.map((name) => [name, null])) });
const filtering = () => FILTERS.filter((name) => view[name] !== null);
const firstFree = () => (state.items.find((item) => item.status === "pending" && !elsewhere(item)) || state.items[0]).id;

const address = (id, what) => `/candidate?id=${encodeURIComponent(id)}&what=${what}`;
function showCards() {
  const known = new Map([...$(".cu-cards").querySelectorAll("[data-id]")].map((node) => [node.dataset.key, node]));
  const cards = state.items.map((item) => {
    const key = JSON.stringify([item.id, item.status, elsewhere(item) ? item.holder : "", item.type, item.effect]);
    return known.get(key) || card(item, key);
  });
  const more = state.items.length < state.total && plain(`Show ${Math.min(PAGE, state.total - state.items.length)} more`, attempt(async () => take(await call("queue", asked(state.items.length + PAGE)))), { class: "plain-button small cu-more" });
  $(".cu-cards").replaceChildren(...(cards.length ? cards : [emptyQueue()]), more || "");
  markCard();
}
function card(item, key) {
  const held = elsewhere(item) ? `open by ${item.holder}` : "";
  return make("button", { type: "button", role: "option", class: `cu-card cu-${item.status}`, "data-id": item.id, "data-key": key, title: `${item.prompt || "No prompt"}\n${item.title}${held ? `\n${held}` : ""}`, onclick: attempt(() => show(item.id)) },
    make("img", { loading: "lazy", alt: "", src: address(item.id, "close") }),
    held ? make("span", { class: "cu-flag" }, held) : item.status !== "pending" && make("span", { class: "cu-flag" }, `${SIGNS[item.status]} ${item.status}`),
    make("span", { class: "cu-words" }, item.prompt || item.title), (item.type || item.effect) && make("span", { class: "cu-words st-quiet" },
      item.effect && make("span", { title: `Effect: ${item.effect.text}` }, lamp(item.effect.light), ` ${item.effect.short}`), item.effect && item.type ? " · " : "", item.type));
}
const lamp = (light) => make("span", { class: `cu-lamp cu-${light}`, role: "img", "aria-label": LIGHTS[light][1] }, LIGHTS[light][0]);
function emptyQueue() {
  const filtered = filtering().length;
  return make("div", { class: "empty" }, make("p", { class: "empty-title" }, view.status === "pending" && !filtered ? "All decided" : "None here"),
    make("p", {}, filtered ? "No candidate passes the filters." : view.status === "pending" ? "Every candidate has been decided on." : `No candidate is ${view.status}.`),
    filtered || view.status !== "pending" ? plain("Show all pending", clearFilters) : make("a", { class: "main-button", href: "/studio" }, "Paint more in Studio"));
}
function markCard() {
  let current = null;
  for (const node of $(".cu-cards").querySelectorAll("[data-id]")) {
    const is = node.dataset.id === state.at;
    node.setAttribute("aria-selected", String(is));
    if (is) current = node;
  }
  const list = $(".cu-cards"); // not scrollIntoView: the window stays where it is
  if (current && (current.offsetTop < list.scrollTop || current.offsetTop + current.offsetHeight > list.scrollTop + list.clientHeight)) list.scrollTop = current.offsetTop - list.clientHeight / 3;
  const place = state.items.findIndex(({ id }) => id === state.at);
  $(".cu-position").textContent = place < 0 ? "" : `${(place + 1).toLocaleString("en")} of ${state.total.toLocaleString("en")}`;
}

function showProgress() {
  const { accepted = 0, rejected = 0, pending = 0 } = state.counts, all = accepted + rejected + pending;
  const now = Date.now();
  state.times = state.times.filter((time) => now - time < 10 * MINUTE);
  const { times } = state, span = times.length > 2 ? times.at(-1) - times[0] : 0;
  const pace = span > 0 ? ` · your pace ${Math.round((times.length - 1) / span * MINUTE).toLocaleString("en")}/min` : "";
  $(".cu-line").textContent = `${state.doing ? `${state.doing}… · ` : ""}${(accepted + rejected).toLocaleString("en")} of ${all.toLocaleString("en")} decided · ${accepted.toLocaleString("en")} accepted${pace}${state.left ? ` · ${state.left.toLocaleString("en")} to measure` : ""}`;
  $(".cu-count").textContent = state.total.toLocaleString("en");
  $(".cu-progress .bar > span").style.width = `${all ? 100 * (accepted + rejected) / all : 0}%`;
  $(".cu-who").textContent = who;
}

// ---------------------------------------------------------------------- one candidate

const viewer = new ExddCurateView($(".cu-view"), {
  painted: () => showTrim(),
  slid: (share) => { view.share = share; remember(); },
  zoomed: (close) => zoom(close),
});

// `onward`: nobody chose this one; where somebody else has it open, the next one is shown instead.
const show = latest(async (id, onward = false) => {
  state.at = id;
  markCard();
  $(".cu-decide").setAttribute("aria-busy", String(state.shown?.id !== id)); // nobody decides on what is not shown yet
  const before = state.held && state.held !== id ? state.held : "";
  const record = await call("candidate", { id, who, before });
  state.held = record.status === "pending" && !record.holder ? id : "";
  if (state.at !== id) return;
  const item = state.items.find((one) => one.id === id);
  if (item) item.holder = record.holder;
  const free = onward && record.holder && following(id);
  if (free) { show(free.id, true); return; } // not awaited: it runs when this one has ended
  const other = state.shown?.id !== id;
  if (!other) Object.assign(record, { quality: state.shown.quality, late: state.shown.late, problem: state.shown.problem });
  state.shown = record;
  if (other) closeReasons();
  viewer.show({ before: address(id, "source"), after: address(id, "image"), width: record.width, height: record.height, outline: record.outline });
  showRecord();
  ahead();
  measure().catch(() => {});
});

function showRecord() {
  $(".cu-decide").setAttribute("aria-busy", "false");
  const { shown: record } = state, open = record && record.status === "pending" && !record.holder;
  $(".cu-name").textContent = $(".cu-name").title = record ? record.prompt || `${record.title}, no prompt` : "";
  const last = record?.decision;
  $(".cu-status").replaceChildren(...(!record ? [] : record.holder ? [make("span", { class: "tag" }, `open by ${record.holder}`)]
    : record.status !== "pending" ? [make("span", { class: `tag cu-tag-${record.status}` }, `${SIGNS[record.status]} ${last ? `${last.said} by ${last.who}` : record.status}`)]
    : record.trimmed ? [make("span", { class: "tag" }, "mask trimmed")] : []));
  for (const name of ["accept", "reject", "trim"]) $(`.cu-${name}`).disabled = !open;
  $(".cu-skip").disabled = !record;
  const field = $(".cu-type");
  field.disabled = !open;
  if (document.activeElement !== field) field.value = record?.type || "";
  showTrim();
  showAbout();
  showLeftOut();
  markCard();
}

function nothing() {
  Object.assign(state, { at: "", shown: null });
  if (state.held) call("leave", { id: state.held, who }).catch(() => {});
  state.held = "";
  viewer.size = null;
  $(".cu-view").classList.add("cu-none");
  showRecord();
}

// The pictures of the next two, so that they are there when it is their turn.
function ahead() {
  $(".cu-view").classList.remove("cu-none");
  const place = state.items.findIndex(({ id }) => id === state.at);
  for (const { id } of state.items.slice(place + 1, place + 3)) for (const what of ["source", "image"]) new Image().src = address(id, what);
}

function showAbout() {
  const { shown: record } = state;
  if (!record) { $(".cu-about").replaceChildren(); return; }
  $(".cu-about").replaceChildren(...showMeasures(record),
    make("div", { class: "st-bar" }, make("h2", { class: "st-title" }, "How it was made")),
    make("dl", { class: "cu-facts" }, ...record.facts.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)])),
    ...record.notes.map((words) => make("p", { class: "st-told st-warn" }, make("span", { class: "st-sign", "aria-hidden": "true" }, "i"), make("span", {}, words))));
}

function showMeasures({ quality, late, problem }) {
  const wait = problem || late === "" ? "" : late === "effect" && quality ? "measuring the effect…" : "measuring…";
  return [make("div", { class: "st-bar" }, make("h2", { class: "st-title" }, "Measures"), make("span", { class: "st-quiet cu-waits", role: "status" }, wait)),
    problem && make("p", { class: "st-told st-warn" }, make("span", { class: "st-sign", "aria-hidden": "true" }, "i"), make("span", {}, problem)),
    ...(quality ? [
      make("ul", { class: "cu-measures" }, ...quality.measures.map(({ name, light, text, meaning }) => make("li", { "data-measure": name, title: meaning, class: late && (name === "effect" || (late === "all" && name === "new")) ? "cu-late" : "" }, lamp(light), make("b", {}, named(name)), make("span", {}, text)))),
      quality.alike.length && make("p", { class: "st-quiet cu-alikehead" }, "Most alike real defects"),
      quality.alike.length && make("div", { class: "cu-alike" }, ...quality.alike.map(({ image, type, distance }) => make("a", { href: `/?image=${encodeURIComponent(image)}`, title: `${image} · distance ${distance}; look at it in Inspect` },
        make("img", { alt: "", loading: "lazy", src: `/defect?image=${encodeURIComponent(image)}` }), make("span", {}, type || "defect")))),
      quality.twins.length && make("p", { class: "st-quiet cu-alikehead" }, "Nearly repeats"),
      quality.twins.length && make("div", { class: "cu-alike cu-twins" }, ...quality.twins.slice(0, 3).map(twin)),
    ] : [])].filter(Boolean);
}
const twin = ({ id, name, real }) => (real
  ? make("a", { href: `/?image=${encodeURIComponent(id)}`, title: `${id}; look at it in Inspect` }, make("img", { alt: "", loading: "lazy", src: `/defect?image=${encodeURIComponent(id)}` }), make("span", {}, name))
  : make("button", { type: "button", title: "An accepted candidate; show it", onclick: attempt(() => show(id)) }, make("img", { alt: "", loading: "lazy", src: address(id, "close") }), make("span", {}, `accepted ${id.slice(0, 6)}`)));
const link = (words, onclick) => make("button", { type: "button", class: "st-reset", onclick }, words);

// Measures are taken beside the page: asked for again until they hold for the bank as it is.
let asking = 0;
const measure = latest(async () => {
  const { shown: record } = state;
  clearTimeout(asking);
  if (!record) return;
  const answer = await call("measures", { id: record.id, screen: onScreen(), have: record.quality?.stamp || "" });
  for (const item of state.items) if (item.id in answer.screen) item.effect = answer.screen[item.id];
  showCards();
  const finished = state.left && !answer.left;
  state.left = answer.left;
  showProgress();
  if (state.shown === record) {
    const { late, problem } = answer;
    if (answer.known || late !== record.late || problem !== record.problem) {
      Object.assign(record, { late, problem, quality: answer.known || record.quality });
      showAbout();
      showLeftOut();
    }
  }
  if (answer.left) asking = setTimeout(() => measure().catch(() => {}), 700);
  else if (finished && !state.deciding) await refresh(); // in the order that the measures say
});
function onScreen() { // ids of the cards that can be seen
  const list = $(".cu-cards"), end = list.scrollTop + list.clientHeight;
  return [...list.querySelectorAll("[data-id]")].filter((node) => node.offsetTop + node.offsetHeight > list.scrollTop && node.offsetTop < end).map((node) => node.dataset.id);
}

function step(by) {
  const place = state.items.findIndex(({ id }) => id === state.at), next = state.items[place + by];
  if (next) attempt(show)(next.id);
}
// The next one that waits for a decision and that nobody else has open, further down or else from the top.
function following(id) {
  const place = state.items.findIndex((item) => item.id === id), round = [...state.items.slice(place + 1), ...state.items.slice(0, Math.max(0, place))];
  return round.find((item) => item.status === "pending" && !elsewhere(item));
}
function skip() {
  const next = state.shown && following(state.shown.id);
  if (next) attempt(show)(next.id, true);
  else toast("There is no other candidate that waits for a decision here.");
}

// ---------------------------------------------------------------------- deciding

let sent = Promise.resolve(); // the end of the last decision that was sent
function inTurn(doing, action) { // doing: in words, for what takes longer than a moment
  const slow = setTimeout(() => { state.doing = doing; showProgress(); }, 400);
  const mine = sent.then(async () => {
    state.deciding += 1;
    try { return await action(); } catch (error) { say(sentence(error)); } finally {
      state.deciding -= 1;
      state.doing = "";
      clearTimeout(slow);
      showProgress();
    }
  });
  sent = mine;
  return mine;
}
const settle = async () => { await refresh(); await showPast(); measure().catch(() => {}); };

function decide(action, given = {}) {
  const { shown: record } = state;
  if (!record || record.status !== "pending" || record.holder || viewer.tool || record.id !== state.at) return;
  say("");
  closeReasons();
  const { id } = record, next = following(id);
  state.together = [];
  state.sending.add(id);
  state.held = ""; // stays ours until the decision has counted
  if (view.status === "pending") state.items = state.items.filter((item) => item.id !== id);
  else state.items.find((item) => item.id === id).status = action === "accept" ? "accepted" : "rejected";
  showCards();
  if (next) attempt(show)(next.id, true);
  else nothing();
  inTurn(action === "accept" ? "Accepting" : "Rejecting", async () => {
    try {
      const answer = await call(action, { id, who, ...given });
      state.times.push(Date.now());
      toast(answer.sentence, () => takeBack([id]));
    } finally {
      state.sending.delete(id);
      await call("leave", { id, who });
      await settle();
    }
    if (!state.at && state.items.length && view.status === "pending") await show(firstFree(), true);
  });
}

const undoLast = () => (state.together.length ? takeBack(state.together) : inTurn("Taking back", async () => {
  const answer = await call("undo_last", { who });
  toast(answer.sentence);
  await settle();
  await back(answer.ids);
}));
const undoOne = (line) => inTurn("Taking back", async () => {
  const answer = await call("undo", { decision: line.id, who });
  toast(answer.sentence);
  await settle();
  if (!line.real) await back(answer.ids);
});
const takeBack = (ids) => inTurn("Taking back", async () => {
  state.together = [];
  const answer = await followed(await call("undo_all", { ids, who }));
  toast(answer.sentence);
  await settle();
  await back(answer.ids);
});
// Show what was decided again; where the filters would hide it, it is shown nonetheless.
async function back(ids) { if (ids.length) await show(ids[0]); }

// ---- why not

function openReasons() {
  const { shown: record } = state;
  if (!record || record.id !== state.at || record.status !== "pending" || record.holder) return;
  const box = $(".cu-reasons"), own = make("input", { type: "text", class: "cu-own", maxlength: "40", placeholder: "own reason, then Enter", "aria-label": "Own reason",
    onkeydown: (event) => {
      event.stopPropagation();
      if (event.key === "Enter") { event.preventDefault(); giveReasons(own.value.trim()); }
      if (event.key === "Escape") closeReasons();
    } });
  state.picked = new Set();
  box.replaceChildren(make("span", { class: "cu-why" }, "Why?"), ...state.reasons.map((reason, index) => make("button", { type: "button", class: "plain-button small", "data-reason": reason, "aria-pressed": "false",
    title: "Reject for this; with Shift add it to others", onclick: (event) => pick(reason, event.shiftKey) }, index < 9 && make("kbd", {}, index + 1), reason)), own,
  plain("No reason", () => giveReasons(), { class: "plain-button small cu-noreason", title: "Reject without a reason, or with those that were added (Enter)" }));
  box.hidden = false;
  $(".cu-reject").setAttribute("aria-expanded", "true");
}
function closeReasons() {
  $(".cu-reasons").hidden = true;
  $(".cu-reject").setAttribute("aria-expanded", "false");
}
function pick(reason, several) {
  if (!reason) return;
  if (!several) return giveReasons(reason);
  if (!state.picked.delete(reason)) state.picked.add(reason);
  for (const button of $(".cu-reasons").querySelectorAll("[data-reason]")) button.setAttribute("aria-pressed", String(state.picked.has(button.dataset.reason)));
  $(".cu-noreason").textContent = state.picked.size ? `Reject for ${counted(state.picked.size, "reason")}` : "No reason";
}
function giveReasons(further) {
  decide("reject", { reasons: [...state.picked, ...(further && !state.picked.has(further) ? [further] : [])] });
}

function nameType() {
  const { shown: record } = state, type = $(".cu-type").value.trim();
  if (!record || record.status !== "pending" || type === record.type) return;
  record.type = type;
  state.together = [];
  inTurn("Naming the defect", async () => { toast((await call("name_type", { id: record.id, type, who })).sentence, undoLast); await settle(); });
}

// ---------------------------------------------------------------------- trimming the mask

const picture = (source) => new Promise((done, failed) => {
  const image = new Image();
  image.onload = () => done(image);
  image.onerror = () => failed(new exddParts.Sentence("A picture of this page could not be shown; reload it."));
  image.src = source;
});
const startTrim = attempt(async () => {
  const { shown: record } = state;
  if (!record || record.id !== state.at || record.status !== "pending" || record.holder) return;
  if (viewer.tool) return stopTrim();
  const answer = await call("mask", { id: record.id });
  viewer.brush = view.brush;
  viewer.trim(await picture(answer.layer), answer.width, answer.height);
  showTrim();
  showLeftOut();
});
function stopTrim() { viewer.stop(); showTrim(); showLeftOut(); }
const keepTrim = attempt(async () => {
  const { id } = state.shown, button = $(".cu-keep");
  if (button.disabled) return;
  button.disabled = true;
  try { await call("trim", { id, layer: viewer.editor.toPng(), who }); } finally { showTrim(); }
  state.together = [];
  viewer.stop();
  await settle();
  await show(id);
  toast("Only what is left of the mask counts.", () => undoOne({ id: lastTrim(), real: false }));
});
const lastTrim = () => state.past.find((line) => line.action === "trim" && line.subject === state.at && !line.undone)?.id;

function showTrim() {
  const box = $(".cu-trimbar"), { tool, editor } = viewer;
  $(".cu-trim").setAttribute("aria-pressed", String(Boolean(tool)));
  if (Boolean(tool) === box.hidden) fillTrim(box, tool);
  box.hidden = !tool;
  $(".cu-decide").hidden = Boolean(tool);
  if (!tool) return;
  for (const button of box.querySelectorAll("[data-tool]")) button.setAttribute("aria-pressed", String(button.dataset.tool === tool));
  box.querySelector(".cu-back").disabled = !editor.past.length;
  box.querySelector(".cu-again").disabled = !editor.future.length;
  box.querySelector(".cu-keep").disabled = !editor.past.length;
  box.querySelector("output").textContent = `${view.brush} px`;
  box.querySelector("input[type=range]").value = view.brush;
}
function fillTrim(box, tool) {
  if (!tool) return;
  const most = Math.max(8, Math.round(Math.max(state.shown.width, state.shown.height) / 6));
  box.replaceChildren(
    make("div", { class: "st-switch", role: "group", "aria-label": "Tool" }, ...[["eraser", "Eraser", "E"], ["brush", "Brush", "B"]].map(([name, words, letter]) => make("button", { type: "button", "data-tool": name, title: `${words} (${letter})`, onclick: () => pickTool(name) }, words))),
    make("label", { class: "st-slider cu-size" }, make("span", {}, "Size"), make("output", {}), make("input", { type: "range", min: 1, max: most, step: 1, "aria-label": "Size of the brush, pixels of the image", oninput: (event) => size(Number(event.target.value)) })),
    plain("Undo", () => viewer.editor.undo(), { class: "plain-button cu-back", title: "Undo the last stroke (Ctrl+Z)" }),
    plain("Redo", () => viewer.editor.redo(), { class: "plain-button cu-again" }),
    make("span", { class: "st-space" }),
    plain("Cancel", stopTrim, { title: "Leave the mask as it was (Esc)" }),
    make("button", { type: "button", class: "main-button cu-keep", title: "Let only what is left count (Enter)", onclick: keepTrim }, "Keep"));
}
function pickTool(tool) { viewer.setTool(tool); showTrim(); }
function size(value) {
  view.brush = viewer.brush = Math.max(1, Math.round(value));
  viewer.showBrush();
  remember();
  showTrim();
}

// ---------------------------------------------------------------------- many at once

function showBulk() {
  const number = ["pending", "all"].includes(view.status) ? state.counts.pending || 0 : 0, some = filtering().length ? "these" : "all"; // none that the list does not show
  $(".cu-bulk").replaceChildren(...(number < 2 ? [] : [["accept", "Accept"], ["reject", "Reject"]].map(([action, words]) => plain(`${words} ${some} ${number.toLocaleString("en")}…`, attempt(async () => askBulk(action, await call("chosen", asked()))), { "data-bulk": action }))),
    number < 2 ? "" : plain("Accept what is recommended…", attempt(askRecommended), { "data-bulk": "recommended", title: "Finds out which of them help on training parts held back, maybe none; takes a moment, and asks before anything is accepted" }));
}

async function askRecommended() {
  const { ids, sentence: advice, cancelled } = await followed(await call("recommend", asked()));
  if (cancelled) return;
  if (ids.length) askBulk("accept", { ids, held: 0 }, advice);
  else sheet("Nothing is recommended", [make("p", {}, advice)], [plain("Close", () => $(".st-dialog").close())]);
}

function askBulk(action, { ids, held }, advice) {
  const dialog = $(".st-dialog"), accepts = action === "accept";
  const word = accepts ? "Accept" : "Reject", many = counted(ids.length, "candidate");
  const picked = new Set();
  const chips = accepts ? [] : [make("p", { class: "st-quiet" }, "Why?"), make("div", { class: "st-do" }, ...state.reasons.map((reason) => plain(reason, (event) => {
    if (!picked.delete(reason)) picked.add(reason);
    event.target.setAttribute("aria-pressed", String(picked.has(reason)));
  }, { class: "plain-button small", "aria-pressed": "false" })))];
  const chosen = filtering().map((name) => state.filters[name].find(({ value }) => value === view[name])?.title || "").filter(Boolean);
  const which = advice || (chosen.length ? `Every pending candidate with ${chosen.map((title) => `"${title}"`).join(", ")}.` : "Every pending candidate of this data set.");
  const fate = accepts ? "Their patches come to the positive bank of the active bank version." : "They stay out of the bank.";
  const together = make("div", { class: "cu-together", role: "status" }, "Measuring the effect of all together…");
  const title = `${word} ${many}`, go = make("button", { type: "button", class: "main-button cu-confirm", disabled: !ids.length, onclick: attempt(() => runBulk(action, ids.filter((id) => !without.has(id)), [...picked])) }, title);
  let without = new Set(); // near-duplicates that are left out
  const leaveOut = (repeats) => {
    without = new Set(repeats);
    const left = counted(ids.length - without.size, "candidate");
    go.textContent = `${word} ${left}`;
    dialog.querySelector("h2").textContent = `${word} ${left}?`;
  };
  const tell = ({ light, text, repeats }) => together.replaceChildren(make("p", {}, lamp(light), ` All together: ${text}.`), ...(repeats.length ? [
    make("p", {}, `${repeats.length.toLocaleString("en")} of them nearly ${repeats.length === 1 ? "repeats another" : "repeat others"} of these, and would teach the bank nothing new:`),
    make("div", { class: "cu-alike cu-repeats" }, ...repeats.slice(0, 6).map((id) => make("img", { alt: `Near-duplicate ${id}`, title: id, src: address(id, "close") })), repeats.length > 6 && make("span", { class: "st-quiet" }, `and ${(repeats.length - 6).toLocaleString("en")} more`)),
    make("label", { class: "cu-check" }, make("input", { type: "checkbox", onchange: (event) => leaveOut(event.target.checked ? repeats : []) }), ` Leave ${repeats.length === 1 ? "it" : "them"} out`),
  ] : []));
  if (accepts && ids.length) call("effect", { ids }).then(tell).catch((error) => { together.textContent = sentence(error); });
  sheet(`${title}?`, [
    make("p", {}, ids.length ? `${which} ${fate} Undo takes all of it back.` : "None of them is free to be decided on."),
    accepts && ids.length && together, held && make("p", { class: "st-quiet" }, `${counted(held, "candidate")} that others have open ${held === 1 ? "is" : "are"} left out.`), ...chips,
  ], [plain("Cancel", () => dialog.close()), go]);
}
async function runBulk(action, ids, reasons) {
  const dialog = $(".st-dialog");
  await inTurn(action === "accept" ? "Accepting" : "Rejecting", async () => {
    let answer;
    try { answer = await followed(await call("bulk", { action, ids, reasons, who })); } finally { dialog.close(); }
    state.together = answer.ids;
    await settle();
    toast(answer.sentence, answer.ids.length ? () => takeBack(answer.ids) : null);
    if (!state.items.some(({ id }) => id === state.at)) await (state.items.length ? show(firstFree(), true) : nothing());
    else await show(state.at);
  });
}
// Wait for a decision on many; what takes longer than a moment shows how far it is.
async function followed({ run }) {
  const dialog = $(".st-dialog"), bar = make("span", {}), line = make("span", {}, "Starting"), began = Date.now();
  let shows = dialog.open;
  const fill = () => sheet("One moment", [make("span", { class: "bar", role: "progressbar", "aria-label": "Decided" }, bar), make("p", { class: "st-quiet" }, line)], [plain("Cancel", attempt(() => call("stop", { run })))]);
  if (shows) fill();
  try {
    for (;;) {
      const answer = await call("look", { run });
      if (answer.over) return answer;
      if (!shows && Date.now() - began > 800) { shows = true; fill(); }
      bar.style.width = `${100 * answer.fraction}%`;
      line.textContent = answer.text;
      await pause(120);
    }
  } finally { if (shows) dialog.close(); }
}
function sheet(title, inside, buttons) {
  const dialog = $(".st-dialog");
  dialog.replaceChildren(make("div", { class: "st-sheet" }, make("header", {}, make("h2", { class: "st-title" }, title)), make("div", { class: "st-inside cu-inside" }, ...inside.filter(Boolean)), make("footer", {}, make("span", { class: "st-space" }), ...buttons)));
  if (!dialog.open) dialog.showModal();
}

// ---------------------------------------------------------------------- history

const showPast = latest(async () => {
  const { lines, total } = await call("history", { limit: state.lines });
  state.past = lines;
  $(".cu-pastcount").textContent = total ? counted(total, "decision") : "";
  $(".cu-lines").replaceChildren(...(lines.length ? lines.map(past) : [make("li", { class: "st-quiet cu-nopast" }, "What is decided here stands in this list, and can be taken back at any time.")]));
  $(".cu-pastmore").replaceChildren(lines.length < total ? plain(`Show ${Math.min(LINES, total - lines.length)} more`, attempt(() => { state.lines += LINES; return showPast(); }), { class: "plain-button small" }) : "");
});
const day = (date) => date.toLocaleDateString(undefined, { day: "numeric", month: "short" });
function past(line) {
  const made = new Date(line.created), now = new Date(), when = `${day(made) === day(now) ? "" : `${day(made)} `}${made.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit" })}`;
  const source = line.real ? `/thumbnail?image=${encodeURIComponent(line.subject)}` : address(line.subject, "close");
  return make("li", { class: line.undone ? "cu-undone" : "", "data-decision": line.id },
    line.bank ? make("span", { class: "cu-thumb" }) : make("button", { type: "button", class: "cu-thumb", disabled: line.real, title: line.real ? "A real image" : "Show it", onclick: attempt(() => show(line.subject)) }, make("img", { loading: "lazy", alt: "", src: source })),
    make("span", { class: "cu-said" }, make("span", { class: "cu-what" }, make("b", {}, line.who), ` ${line.said}`), make("span", { class: "st-quiet" }, line.undone ? `${when}, taken back${line.undone_by ? ` by ${line.undone_by}` : ""}` : when)),
    !line.undone && !line.bank && plain("Undo", () => undoOne(line), { class: "plain-button small", "aria-label": `Undo: ${line.said}` }));
}

// ---------------------------------------------------------------------- who decides

function askWho() {
  return new Promise((done) => {
    const dialog = $(".st-dialog"), field = make("input", { type: "text", class: "cu-askwho", maxlength: "40", value: who, autocomplete: "name", "aria-label": "Your name" });
    const go = make("button", { type: "submit", class: "main-button", form: "cu-whoform", disabled: !who }, who ? "Keep" : "Begin");
    field.addEventListener("input", () => { go.disabled = !field.value.trim(); });
    sheet("Who decides?", [make("p", {}, "Your name stands beside every decision, and shows others what you have open. This browser remembers it."),
      make("form", { id: "cu-whoform", onsubmit: (event) => { event.preventDefault(); if (field.value.trim()) { done(field.value.trim().replace(/\s+/g, " ")); dialog.close(); } } }, field)], [go]);
    dialog.oncancel = (event) => { if (!who) event.preventDefault(); else done(who); };
    field.focus();
  });
}
const changeWho = attempt(async () => {
  const before = who, name = await askWho();
  if (name === before) return;
  if (state.held) await call("leave", { id: state.held, who: before });
  who = name;
  localStorage.setItem(WHO, who);
  state.times = [];
  await refresh();
  if (state.at) await show(state.at);
});

// ---------------------------------------------------------------------- beginning, and what goes on meanwhile

const enter = attempt(async () => {
  try { Object.assign(view, JSON.parse(localStorage.getItem(STORED) || "{}")); } catch { /* a fresh start */ }
  who = localStorage.getItem(WHO) || "";
  Object.assign(viewer, { close: view.close, outlined: view.outlined, share: view.share });
  showSwitches();
  const wanted = new URL(location).searchParams.get("id");
  const answer = await call("open_page", asked(PAGE)), { need } = answer;
  state.dataset = answer.dataset;
  $(".st-need").hidden = !need;
  $(".cu-body").hidden = $(".st-hints").hidden = Boolean(need);
  if (need) {
    $(".st-need").replaceChildren(make("p", { class: "empty-title" }, need.title), make("p", {}, need.text), make("a", { class: "main-button", href: need.link }, need.button));
    watch(true);
    return;
  }
  fit();
  if (!who) { who = await askWho(); localStorage.setItem(WHO, who); }
  const kept = filtering().filter((name) => !answer.queue.filters[name].some(({ value }) => value === view[name]));
  if (kept.length) { // filters of another data set
    for (const name of kept) view[name] = null;
    await refresh();
  } else take(answer.queue);
  await showPast();
  if (wanted) await show(wanted);
  else if (state.items.length) await show(firstFree(), true);
  else nothing();
  watch(false);
});

let watching = 0;
async function watch(empty) { // what others decide, what is painted; a sign of life for what is open here
  const mine = watching += 1;
  let alive = Date.now();
  while (page.isConnected && mine === watching) {
    await pause(2000);
    if (document.hidden || !page.offsetParent || state.deciding) continue;
    try {
      const answer = await call("news", { stamp: state.stamp });
      if (answer.dataset !== state.dataset || (empty && answer.changed && answer.dataset && !(await call("open_page", asked(PAGE))).need)) {
        state.shown = null;
        return enter();
      }
      if (answer.changed && !empty) { await settle(); if (!state.at && state.items.length) await show(firstFree(), true); }
      if (state.held && Date.now() - alive > MINUTE) {
        alive = Date.now();
        const { holder } = await call("stay", { id: state.held, who });
        if (holder) await show(state.held);
      }
    } catch { /* the next click says it */ }
  }
}

// Queue, picture and history end at the lower edge of the window, so that the decision is always in sight.
function fit() {
  const body = $(".cu-body"), top = body.getBoundingClientRect().top + window.scrollY;
  body.style.setProperty("--cu-room", `${Math.max(520, window.innerHeight - top - 48)}px`);
}

function showSwitches() {
  $(".cu-close").setAttribute("aria-pressed", String(view.close));
  $(".cu-outline").setAttribute("aria-pressed", String(view.outlined));
  showLeftOut();
}
// What of the mask is too much like normal surface for the positive bank, hatched, with a word.
function showLeftOut() {
  const quality = state.shown?.quality, [left, all] = quality?.patches || [0, 0], button = $(".cu-left"), tag = $(".cu-lefttag");
  button.disabled = !left;
  button.setAttribute("aria-pressed", String(view.hatched && left > 0));
  button.title = left ? "The part of its mask that the positive bank leaves out (L)" : "Nothing of its mask is left out";
  viewer.setLeftOut(view.hatched && left ? quality.leftOut : []);
  tag.hidden = !(view.hatched && left) || Boolean(viewer.tool);
  tag.textContent = `Hatched: left out of the bank, too much like normal surface (${left} of ${counted(all, "patch", "patches")})`;
}
function hatch() { view.hatched = !view.hatched; remember(); showLeftOut(); }
function zoom(close = !view.close) { view.close = close; remember(); showSwitches(); viewer.setClose(close); }
function outline() { view.outlined = !view.outlined; remember(); showSwitches(); viewer.setOutlined(view.outlined); }

const KEYS = {
  a: () => decide("accept"), r: () => ($(".cu-reasons").hidden ? openReasons() : giveReasons()), s: skip, u: undoLast, arrowleft: () => step(-1), arrowright: () => step(1), arrowup: () => step(-2), arrowdown: () => step(2),
  t: startTrim, z: () => zoom(), o: outline, l: hatch, d: () => $(".cu-type").select(), escape: () => closeReasons(),
};
const TRIMMING = {
  e: () => pickTool("eraser"), b: () => pickTool("brush"), "[": () => size(Math.min(view.brush - 1, view.brush / 1.25)), "]": () => size(Math.max(view.brush + 1, view.brush * 1.25)),
  enter: () => { if (viewer.editor.past.length) keepTrim(); }, escape: stopTrim, t: stopTrim, z: () => zoom(),
};
function key(event) {
  if (!page.isConnected) return document.removeEventListener("keydown", key);
  if (!page.offsetParent || event.defaultPrevented || $(".st-dialog").open || $(".cu-body").hidden) return;
  if (event.target.closest?.("input:not([type=range]), textarea, select, [contenteditable=true]")) return;
  const pressed = event.key.toLowerCase();
  if (event.ctrlKey || event.metaKey || event.altKey) {
    if (pressed !== "z" || !viewer.tool) return;
    event.preventDefault();
    if (event.shiftKey) viewer.editor.redo(); else viewer.editor.undo();
    return;
  }
  if (event.code === "Space") { event.preventDefault(); if (!viewer.tool) viewer.setHeld(true); return; }
  const reasons = !$(".cu-reasons").hidden;
  const digit = reasons && /^Digit[1-9]$/.test(event.code) && state.reasons[Number(event.code.slice(5)) - 1];
  if (digit) { event.preventDefault(); pick(digit, event.shiftKey); return; }
  if (reasons && pressed === "enter" && !event.target.closest?.("button")) { event.preventDefault(); giveReasons(); return; }
  const action = (viewer.tool ? TRIMMING : KEYS)[pressed];
  if (!action || event.repeat && !pressed.startsWith("arrow") && !"[]".includes(pressed)) return;
  event.preventDefault();
  action();
}

function wire() {
  $(".cu-sort").addEventListener("change", (event) => { event.target.blur(); narrow({ sort: event.target.value }); });
  for (const [name, action] of [["accept", () => decide("accept")], ["reject", () => ($(".cu-reasons").hidden ? openReasons() : closeReasons())], ["skip", skip], ["undo", undoLast], ["prev", () => step(-1)], ["next", () => step(1)],
    ["close", () => zoom()], ["outline", outline], ["left", hatch], ["trim", startTrim], ["who", changeWho]]) $(`.cu-${name}`).addEventListener("click", action);
  $(".cu-type").addEventListener("change", nameType);
  $(".cu-type").addEventListener("keydown", (event) => { if (event.key === "Enter" || event.key === "Escape") event.target.blur(); });
  document.addEventListener("keydown", key);
  document.addEventListener("keyup", (event) => { if (event.code === "Space") viewer.setHeld(false); });
  window.addEventListener("resize", fit);
  new ResizeObserver(fit).observe(document.body);
}

wire();
enter().finally(() => $(".cu-body").classList.add("cu-settled"));

};
