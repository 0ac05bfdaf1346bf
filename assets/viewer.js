// The Inspect viewer: filmstrip or table, four panes, what a click found. pages/inspect.py puts it on its page, and
// Gradio calls it once with the component's element, its functions on the server and its upload.
// It shows what the server answers and keeps nothing but what a person chose to see: every number and every colour
// comes from the server. Each function takes one object and answers one; { error } is a sentence for people.
// Drawing on the image, where somebody marks it as a missed defect or a false alarm, is ExddMark's.

window.exddViewer = (element, server, upload) => {

const { make, drawing, polygon, sentence, caller, save } = exddParts;
const ask = caller(server);
// The version to look with, where the page's address names one; null: the active one, whichever that is.
let wantedBank = new URL(location).searchParams.get("bank");
const call = (name, argument = {}) => ask(name, { bank: wantedBank, ...argument });
const $ = (selector) => element.querySelector(selector);
const viewer = $(".viewer");
const METHODS = { patchcore: "PatchCore", exdd: "ExDD" };
const MAPS = ["patchcore", "exdd", "difference"];
const KEEP = 24; // images whose pictures and maps stay in the browser, so that going back is instant

const state = {
  bank: null, active: null, stamp: "", marked: new Set(), types: [], lists: [], list: "", images: [], byId: new Map(), rows: new Map(), seen: 0, order: [],
  scales: null, job: null, filter: "all", sort: null, id: null, picture: null, result: null, point: null,
  solo: 0, zoom: { k: 1, x: 0, y: 0 }, mapsOn: true, undoable: [],
};
const remembered = { opacity: 65, values: "calibrated", truth: true, view: "strip" };
try { Object.assign(remembered, JSON.parse(localStorage.getItem("exdd.inspect") || "{}")); } catch { /* a fresh start */ }
const remember = (changes) => {
  Object.assign(remembered, changes);
  try { localStorage.setItem("exdd.inspect", JSON.stringify(remembered)); } catch { /* private window */ }
};

// ---------------------------------------------------------------------- small tools

const ICONS = {
  normal: '<circle cx="8" cy="8" r="8" fill="currentColor"/><path d="M4.5 8.3l2.4 2.4 4.6-5" fill="none" stroke="#fff" stroke-width="1.8"/>',
  defect: '<path d="M8 0l8 8-8 8-8-8z" fill="currentColor"/><path d="M5.5 5.5l5 5m0-5l-5 5" stroke="#fff" stroke-width="1.8"/>',
  doubt: '<circle cx="8" cy="8" r="8" fill="currentColor"/><path d="M5.7 6.3a2.3 2.3 0 1 1 3.3 2.1c-.7.3-1 .7-1 1.4m0 1.6v1.6" fill="none" stroke="#fff" stroke-width="1.6"/>',
  wrong: '<path d="M8 .5L16 15H0z" fill="currentColor"/><path d="M8 5.5v5m0 1.2v1.6" stroke="#fff" stroke-width="1.8"/>',
};
function icon(kind, words) {
  const holder = make("span", { class: `vw-icon ${kind}`, title: words, role: "img", "aria-label": words });
  holder.innerHTML = `<svg viewBox="0 0 16 16" aria-hidden="true">${ICONS[kind]}</svg>`;
  return holder;
}

function say(words, plain = false) {
  const box = $(".vw-message");
  box.hidden = !words;
  box.replaceChildren(make("div", { class: `note ${plain ? "info" : "error"}`, role: plain ? "status" : "alert" },
    make("span", { class: "note-icon", "aria-hidden": "true" }, plain ? "i" : "!"), make("span", { class: "vw-space" }, words || ""),
    make("button", { type: "button", class: "plain-button small", onclick: () => say("") }, "Close")));
}
const attempt = (action) => async (...given) => {
  try { say(""); return await action(...given); } catch (error) { say(sentence(error)); }
};

let fading = 0;
function toast(words, undo) {
  const box = $(".vw-toast");
  clearTimeout(fading);
  box.hidden = false;
  box.replaceChildren(make("span", {}, words), ...(undo ? [make("button", { type: "button", onclick: () => { box.hidden = true; undo(); } }, "Undo")] : []));
  fading = setTimeout(() => { box.hidden = true; }, undo ? 12000 : 5000);
}

const fixed = (value) => Number(value).toFixed(Math.abs(value) >= 100 ? 1 : 2).replace("-", "−");
const isRaw = () => remembered.values === "raw";
const scoreOf = (side) => (isRaw() ? side.score : side.calibrated);
const labelOf = (image) => (image.label === "defect" ? image.type || "defect" : image.label || "unknown");

const percent = (share) => (share > 0.995 ? "over 99 %" : share < 0.005 ? "under 1 %" : `${Math.round(share * 100)} %`);

// The verdict against the truth: how a verdict is coloured, drawn and worded.
function outcome(image, verdict) {
  if (verdict === "not sure") return { kind: "doubt", words: "Not sure", is: "doubt" };
  if (image.label === "defect" && verdict === "normal") return { kind: "wrong", words: "Missed defect", is: "missed" };
  if (image.label === "normal" && verdict === "defect") return { kind: "wrong", words: "False alarm", is: "false" };
  return verdict === "defect" ? { kind: "defect", words: "Defect", is: "" } : { kind: "normal", words: "Normal", is: "" };
}
function verdict(image, side, withScore = true) {
  const { kind, words } = outcome(image, side.verdict);
  return make("span", { class: `vw-verdict ${kind}` }, icon(kind, words), words + (withScore ? ` ${fixed(scoreOf(side))}` : ""));
}

// ---------------------------------------------------------------------- lists, filters, order

const FILTERS = [
  ["all", "All", () => true],
  ["missed", "Missed", (image, row) => row && outcome(image, row.exdd.verdict).is === "missed"],
  ["false", "False alarm", (image, row) => row && outcome(image, row.exdd.verdict).is === "false"],
  ["doubt", "Not sure", (image, row) => row && row.exdd.verdict === "not sure"],
  ["disagree", "Disagree", (image, row) => row && row.exdd.verdict !== row.patchcore.verdict],
  ["defect", "Defect", (image) => image.label === "defect"],
  ["normal", "Normal", (image) => image.label === "normal"],
  ["found", "Verdict defect", (image, row) => row && row.exdd.verdict === "defect"],
  ["passed", "Verdict normal", (image, row) => row && row.exdd.verdict === "normal"],
  ["marked", "Marked", (image) => state.marked.has(image.id)],
];
// Where no truth is known there is nothing to miss: filter by verdict instead.
const filtersShown = () => {
  const known = state.images.some((image) => image.label);
  const left = known ? ["found", "passed"] : ["missed", "false", "defect", "normal"];
  const none = state.filter !== "marked" && !state.images.some((image) => state.marked.has(image.id));
  return FILTERS.filter(([key]) => !left.includes(key) && !(none && key === "marked"));
};
const passes = (key, image) => FILTERS.find(([name]) => name === key)[2](image, state.rows.get(image.id));

const COLUMNS = [
  ["Image", (image) => image.name],
  ["Truth", (image) => labelOf(image)],
  ["PatchCore score", (image, row) => row && scoreOf(row.patchcore)],
  ["Verdict", (image, row) => row && outcome(image, row.patchcore.verdict).words],
  ["ExDD score", (image, row) => row && scoreOf(row.exdd)],
  ["Verdict", (image, row) => row && outcome(image, row.exdd.verdict).words],
  ["Probability", (image, row) => (row && row.exdd.probability !== null ? row.exdd.probability : undefined)],
  ["Reason", (image, row) => row && row.exdd.reason],
];

const NUMBERS = [2, 4, 6]; // columns

function arrange() {
  let images = state.images.filter((image) => passes(state.filter, image));
  if (state.sort) {
    const value = COLUMNS[state.sort.column][1];
    const keyed = images.map((image) => [value(image, state.rows.get(image.id)), image]);
    keyed.sort(([a], [b]) => {
      if (a === undefined || b === undefined) return (a === undefined) - (b === undefined); // unscored ones last
      return (typeof a === "number" ? a - b : a.localeCompare(b, undefined, { numeric: true })) * state.sort.way;
    });
    images = keyed.map(([, image]) => image);
  }
  state.order = images.map((image) => image.id);
}

function showLists() {
  const select = $(".vw-lists");
  select.replaceChildren(...state.lists.map((list) =>
    make("option", { value: list.key, title: list.key, selected: list.key === state.list }, `${list.title} (${list.count}${list.left})`)));
}

const TIPS = {
  disagree: "The verdicts of the two methods differ", doubt: "ExDD's score is so close to the threshold that a person should look",
  marked: "Images that somebody marked as a missed defect or a false alarm",
};
function showFilters() {
  const scored = state.images.some((image) => state.rows.has(image.id));
  $(".vw-filters").replaceChildren(...filtersShown().map(([key, words]) => {
    const count = state.images.filter((image) => passes(key, image)).length;
    const needsScores = !["all", "defect", "normal", "marked"].includes(key);
    return make("button", {
      type: "button", class: "vw-chip", "data-filter": key, "aria-pressed": String(state.filter === key),
      disabled: needsScores && !scored, title: needsScores && !scored ? "Score the images first" : TIPS[key],
      onclick: () => { state.filter = key; showList(); if (state.order.length && !state.order.includes(state.id)) select(state.order[0]); },
    }, `${words} `, make("b", {}, needsScores && !scored ? "" : String(count)));
  }));
}

const thumbnails = new Map(); // image id -> data address
const wanted = new Set();
let asking = false;
async function fetchThumbnails() {
  if (asking || !wanted.size) return;
  asking = true;
  try {
    while (wanted.size) {
      const ids = [...wanted].slice(-8); // the latest asked for are the ones on the screen now
      ids.forEach((id) => wanted.delete(id));
      const answer = await call("thumbnails", { ids });
      for (const id of ids) {
        thumbnails.set(id, answer.thumbnails[id] || "");
        const shown = element.querySelector(`.vw-thumb[data-id="${CSS.escape(id)}"]`);
        if (!shown) continue;
        if (thumbnails.get(id)) shown.querySelector("img").src = thumbnails.get(id);
        else shown.classList.add("vw-broken");
      }
    }
  } catch { /* the next scroll asks again */ } finally { asking = false; }
}
const watcher = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    const id = entry.target.dataset.id;
    if (entry.isIntersecting && !thumbnails.has(id)) wanted.add(id);
  }
  fetchThumbnails();
}, { root: $(".vw-strip"), rootMargin: "0px 400px" });

function dot(image) {
  const row = state.rows.get(image.id);
  if (!row) return null;
  const { kind, words } = outcome(image, row.exdd.verdict);
  const sign = icon(kind, `ExDD: ${words}${row.stale ? ", before the bank changed" : ""}`);
  sign.classList.toggle("vw-stale", row.stale);
  return sign;
}
const tag = (image) => state.marked.has(image.id) && make("span", { class: "vw-taught" }, "marked");

function thumb(image) {
  const known = thumbnails.get(image.id);
  return make("button", {
    type: "button", role: "option", class: known === "" ? "vw-thumb vw-broken" : "vw-thumb", "data-id": image.id, title: `${image.name} (${labelOf(image)})`,
    "aria-selected": String(image.id === state.id), onclick: () => select(image.id),
    style: `width: ${Math.round(Math.min(120, Math.max(40, 72 * image.ratio)))}px`,
  }, make("img", { alt: "", src: known || "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw==" }), dot(image), tag(image));
}

function tableCells(image) {
  const row = state.rows.get(image.id);
  const cells = [make("td", { class: "vw-file", title: image.name }, make("bdi", {}, image.name)), make("td", {}, labelOf(image), state.marked.has(image.id) && " · marked")];
  for (const method of Object.keys(METHODS)) {
    cells.push(make("td", { class: "vw-number" }, row ? fixed(scoreOf(row[method])) : ""));
    cells.push(make("td", {}, row ? verdict(image, row[method], false) : ""));
  }
  cells.push(make("td", { class: "vw-number" }, row && row.exdd.probability !== null ? percent(row.exdd.probability) : ""));
  const old = row?.stale ? "Before the bank changed: " : "";
  cells.push(make("td", { class: "vw-reason", title: row ? old + row.exdd.reason : null }, row ? old + row.exdd.reason : "not scored yet"));
  return cells;
}

function showTable() {
  $(".vw-table thead").replaceChildren(make("tr", {}, ...COLUMNS.map(([words], column) => {
    const sorted = state.sort && state.sort.column === column;
    return make("th", {
      class: NUMBERS.includes(column) ? "vw-number" : null, scope: "col",
      "aria-sort": sorted ? (state.sort.way > 0 ? "ascending" : "descending") : null,
      onclick: () => {
        const numbers = NUMBERS.includes(column);
        state.sort = sorted ? { column, way: -state.sort.way } : { column, way: numbers ? -1 : 1 };
        showList();
      },
    }, make("button", { type: "button" }, words));
  })));
  $(".vw-table tbody").replaceChildren(...state.order.map((id) => make("tr", {
    "data-id": id, "aria-selected": String(id === state.id), onclick: () => select(id),
  }, ...tableCells(state.byId.get(id)))));
}

// Everything that depends on which images are shown and in which order.
function showList() {
  arrange();
  showFilters();
  const table = remembered.view === "table";
  $(".vw-strip").hidden = table;
  $(".vw-tablebox").hidden = !table;
  element.querySelectorAll("[data-view]").forEach((button) =>
    button.setAttribute("aria-pressed", String(button.dataset.view === remembered.view)));
  watcher.disconnect();
  if (table) showTable();
  else {
    const strip = $(".vw-strip");
    strip.replaceChildren(...state.order.map((id) => thumb(state.byId.get(id))));
    strip.querySelectorAll(".vw-thumb").forEach((node) => watcher.observe(node));
  }
  if (!state.order.length && state.images.length) {
    const words = ["No image of this list passes the filter. ", make("button", { type: "button", class: "plain-button small vw-all", onclick: () => { state.filter = "all"; showList(); } }, "Show all")];
    if (table) $(".vw-table tbody").replaceChildren(make("tr", {}, make("td", { colspan: COLUMNS.length }, ...words)));
    else $(".vw-strip").replaceChildren(make("p", { class: "vw-help" }, ...words));
  }
  markSelected();
  layout();
}

function markSelected() {
  let chosen = null;
  element.querySelectorAll(".vw-strip [data-id], .vw-table tbody [data-id]").forEach((node) => {
    const is = node.dataset.id === state.id;
    node.setAttribute("aria-selected", String(is));
    if (is) chosen = node;
  });
  if (chosen) { // scrolled by hand: scrollIntoView would move the whole page too
    const box = chosen.closest(".vw-strip, .vw-tablebox");
    if (box.classList.contains("vw-strip")) box.scrollLeft = chosen.offsetLeft - box.offsetLeft - (box.clientWidth - chosen.clientWidth) / 2;
    else box.scrollTop = chosen.offsetTop - (box.clientHeight - chosen.clientHeight) / 2;
  }
  const place = state.order.indexOf(state.id);
  $(".vw-position").textContent = place < 0 ? "" : `${place + 1} of ${state.order.length}`;
}

// New rows came in: change what they touch, and leave the order alone under a person's cursor.
function takeRows(answer) {
  state.seen = Math.max(state.seen, answer.seen || 0);
  for (const [id, row] of Object.entries(answer.rows || {})) {
    state.rows.set(id, row);
    const image = state.byId.get(id);
    if (!image) continue;
    const shown = element.querySelector(`.vw-thumb[data-id="${CSS.escape(id)}"]`);
    if (shown) { shown.querySelectorAll(".vw-icon, .vw-taught").forEach((node) => node.remove()); shown.append(dot(image), tag(image) || ""); }
    const line = element.querySelector(`.vw-table tbody tr[data-id="${CSS.escape(id)}"]`);
    if (line) line.replaceChildren(...tableCells(image));
  }
  if (!Object.keys(answer.rows || {}).length) return;
  showFilters();
  if (!state.job) showJob();
}

// ---------------------------------------------------------------------- panes

const views = [];
function pane(number, title) {
  const stage = make("div", { class: "vw-stage" });
  const mark = make("div", { class: "vw-mark", hidden: true });
  const view = make("div", { class: "vw-view", "data-pane": number }, stage, mark);
  const part = { number, title, stage, mark, view, head: make("div", { class: "vw-head" }), note: make("div", { class: "vw-note" }) };
  view.addEventListener("wheel", zoomAt, { passive: false });
  view.addEventListener("pointerdown", press);
  view.addEventListener("pointermove", (event) => { if (marker.open && number === 1 && state.fit) marker.hover(inPane(event), state.fit.scale * state.zoom.k); });
  view.addEventListener("dblclick", () => { clearTimeout(pending); resetZoom(); });
  views.push(part);
  return [part.head, part.view, part.note];
}
function scaleColumn(name) {
  return [make("div", { class: "vw-head" }), make("div", { class: `vw-scale vw-scale-${name}` }), make("div", { class: "vw-note" })];
}
const gridItems = [
  pane(1, "Image"), pane(2, "PatchCore"), pane(3, "ExDD"), scaleColumn("score"), pane(4, "Difference"), scaleColumn("difference"),
];
$(".vw-panes").append(...gridItems.flat());

const frontView = () => views[state.solo && !marker.open ? state.solo - 1 : 0].view;
function layout() {
  const bar = $(".vw-bar"); // where not all fits into one row, the filters have the second one
  bar.classList.remove("vw-tight");
  bar.classList.toggle("vw-tight", $(".vw-export").offsetTop > $(".vw-lists").offsetTop + 16);
  const panes = $(".vw-panes");
  const shown = state.picture || { width: 1, height: 1 };
  panes.dataset.solo = marker.open ? "mark" : state.solo || "";
  panes.dataset.values = remembered.values;
  const visible = [0, 1, 2, 3, 4, 5].filter((column) => {
    if (marker.open) return [0, 2, 3].includes(column); // room to draw, and the map that tells where
    if (!state.solo) return true;
    const own = state.solo === 4 ? 4 : state.solo - 1;
    return column === own || column === (own === 4 || own === 0 ? 5 : 3);
  });
  gridItems.forEach((items, column) => items.forEach((item) => { item.hidden = !visible.includes(column); }));
  const first = frontView();
  const width = first.clientWidth;
  if (!width) return;
  // As tall as the image needs at this width, but all four heads, maps and notes stay on one screen.
  const top = panes.getBoundingClientRect().top + window.scrollY;
  const room = Math.max(window.innerHeight - top - 296, Math.min(window.innerHeight - 200, 560)), alone = Math.max(360, window.innerHeight - top - 88);
  const height = Math.round(Math.max(176, Math.min(width * shown.height / shown.width, marker.open || state.solo ? alone : room)));
  panes.style.setProperty("--vw-height", `${height + 2}px`);
  const fit = Math.min(width / shown.width, height / shown.height);
  state.fit = { width: shown.width * fit, height: shown.height * fit, left: (width - shown.width * fit) / 2, top: (height - shown.height * fit) / 2, scale: fit };
  for (const { stage } of views) Object.assign(stage.style, { width: `${state.fit.width}px`, height: `${state.fit.height}px` });
  move();
}

// One zoom for all panes: the image's corner in pixels of a pane, and the enlargement.
function move() {
  const { fit, zoom, point } = state;
  if (!fit) return;
  const sharp = fit.scale * zoom.k * (state.picture ? state.picture.reduced : 1) > 3;
  for (const { stage, mark } of views) {
    stage.style.transform = `translate(${fit.left + zoom.x}px, ${fit.top + zoom.y}px) scale(${zoom.k})`;
    stage.style.setProperty("--vw-zoom", zoom.k);
    const base = stage.querySelector(".vw-base");
    if (base) base.style.imageRendering = sharp ? "pixelated" : "auto";
    mark.hidden = !point || point.isPeak; // the box alone: a cross would hide a small defect
    if (point) {
      mark.style.left = `${fit.left + zoom.x + (point.x + 0.5) * fit.scale * zoom.k}px`;
      mark.style.top = `${fit.top + zoom.y + (point.y + 0.5) * fit.scale * zoom.k}px`;
    }
  }
  $(".vw-reset").disabled = zoom.k === 1 && !zoom.x && !zoom.y;
}
function resetZoom() { state.zoom = { k: 1, x: 0, y: 0 }; move(); }

function inPane(event) {
  const box = event.currentTarget.getBoundingClientRect();
  return [event.clientX - box.left - 1, event.clientY - box.top - 1]; // 1: the border
}
function pixelAt(event) { // of the image, under a pointer over the first pane
  const box = views[0].view.getBoundingClientRect(), { fit, zoom } = state, full = fit.scale * zoom.k;
  return [(event.clientX - box.left - 1 - fit.left - zoom.x) / full, (event.clientY - box.top - 1 - fit.top - zoom.y) / full];
}
function keepInSight() { // at least a quarter of the pane still shows the image
  const { fit, zoom } = state, view = frontView();
  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
  zoom.x = clamp(zoom.x, view.clientWidth / 4 - fit.left - fit.width * zoom.k, view.clientWidth * 3 / 4 - fit.left);
  zoom.y = clamp(zoom.y, view.clientHeight / 4 - fit.top - fit.height * zoom.k, view.clientHeight * 3 / 4 - fit.top);
}
function zoomAt(event) {
  if (!state.picture) return;
  event.preventDefault();
  const { fit, zoom } = state, [px, py] = inPane(event);
  const k = Math.min(40, Math.max(1, zoom.k * Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015))));
  if (k === 1) return resetZoom();
  zoom.x = px - fit.left - (px - fit.left - zoom.x) * k / zoom.k;
  zoom.y = py - fit.top - (py - fit.top - zoom.y) * k / zoom.k;
  zoom.k = k;
  keepInSight();
  move();
}

let pending = 0;
function press(event) {
  if (!state.picture || event.target.closest(".vw-cover")) return;
  const draws = marker.open && event.currentTarget === views[0].view;
  if (draws && event.button === 0) { marker.press(event, pixelAt); return; }
  if (event.button !== (draws ? 1 : 0)) return; // while one button paints, the middle one pans
  const view = event.currentTarget, from = { ...state.zoom }, start = [event.clientX, event.clientY], place = inPane(event);
  let dragged = false;
  view.setPointerCapture(event.pointerId);
  const drag = (now) => {
    const dx = now.clientX - start[0], dy = now.clientY - start[1];
    if (!dragged && Math.hypot(dx, dy) < 4) return;
    dragged = true;
    view.classList.add("vw-dragging");
    Object.assign(state.zoom, { x: from.x + dx, y: from.y + dy });
    keepInSight();
    move();
  };
  const release = () => {
    view.removeEventListener("pointermove", drag);
    view.classList.remove("vw-dragging");
    if (dragged || draws) return;
    const { fit, zoom } = state;
    const x = Math.floor((place[0] - fit.left - zoom.x) / (fit.scale * zoom.k));
    const y = Math.floor((place[1] - fit.top - zoom.y) / (fit.scale * zoom.k));
    if (x < 0 || y < 0 || x >= state.picture.width || y >= state.picture.height) return;
    clearTimeout(pending);
    pending = setTimeout(() => choosePoint(x, y, false), 180); // a second click within it is a double click
  };
  view.addEventListener("pointermove", drag);
  view.addEventListener("pointerup", release, { once: true });
  view.addEventListener("pointercancel", () => { dragged = true; release(); }, { once: true });
}

function showPicture() {
  const shown = state.picture;
  const image = state.byId.get(state.id);
  for (const part of views) {
    const layers = [make("img", { class: "vw-base", alt: part.number === 1 ? image.name : "", draggable: "false", src: shown.image, style: part.number === 1 ? "" : "filter: grayscale(1)" })];
    if (part.number > 1) layers.push(make("img", { class: "vw-over", alt: "", draggable: "false", hidden: true }));
    if (shown.truth.lines.length) {
      const d = polygon(shown.truth.lines);
      const svg = drawing(shown.width, shown.height, ["vw-halo", d], ["vw-line", d]);
      svg.classList.add("vw-truthline");
      layers.push(svg);
    }
    layers.push(make("div", { class: "vw-boxes" }));
    part.stage.replaceChildren(...layers);
    cover(part, null);
  }
  resetZoom();
  layout();
}

// What stands over a pane instead of a map: a wait, an error, or what to do.
function cover(part, content, waiting = false) {
  part.view.querySelector(".vw-cover")?.remove();
  if (content) part.view.append(make("div", { class: `vw-cover ${waiting ? "vw-waiting" : ""}` }, ...[content].flat()));
}

function showMaps() {
  const { result } = state;
  MAPS.forEach((name, index) => {
    const part = views[index + 1], over = part.stage.querySelector(".vw-over");
    if (!over) return;
    over.hidden = !result;
    if (result) over.src = name === "difference" ? result.difference : result[name][isRaw() ? "raw_map" : "map"];
    if (result) cover(part, null);
  });
  heads();
  showScales();
  showMarks();
}

function heads() {
  const image = state.byId.get(state.id), { result, picture } = state;
  if (!image) return;
  const truth = image.label ? `Truth: ${image.label}${image.type && image.type !== image.label ? `, ${image.type}` : ""}` : "Truth unknown";
  for (const part of views) {
    part.head.replaceChildren(make("span", {}, part.title));
    part.note.replaceChildren();
  }
  $(".vw-reasons").replaceChildren();
  views[0].note.append(make("span", {}, truth), make("span", { class: "vw-quiet" }, picture ? `${picture.width} × ${picture.height} pixels` : ""),
    ...(picture?.notes || []).map((words) => make("span", { class: "vw-told-of" }, words)));
  if (!result) return;
  for (const [index, method] of Object.keys(METHODS).entries()) {
    const side = result[method], part = views[index + 1];
    const shown = verdict(image, side);
    const kept = side.promised === null ? "measured with each normal part left out, not guaranteed: too few of them" : `guaranteed: at most ${percent(side.promised)} of normal images of new parts lie above`;
    shown.title = `Calibrated: ${side.doubt < 1 ? `above ${fixed(side.doubt)} not sure, ` : ""}above 1 a defect. The threshold is ${kept}.`;
    part.head.append(shown);
    const other = isRaw() ? `calibrated ${fixed(side.calibrated)}, threshold 1` : `raw ${fixed(side.score)}, threshold ${fixed(side.threshold)}`;
    if (method === "exdd" && state.was) {
      const before = outcome(image, state.was.verdict);
      part.note.append(make("span", { class: "vw-was" }, `Before: ${fixed(scoreOf(state.was))}, ${before.words.toLowerCase()}`));
    }
    if (side.probability !== null) part.note.append(make("span", { class: "vw-probability", title: "How probable a defect is in this image, were defects as frequent as among the training images" }, `Probability ${percent(side.probability)}`));
    part.note.append(make("span", { class: "vw-quiet vw-bank" }, `Bank ${result.bank} · ${side.fusion}`), make("span", { class: "vw-quiet" }, other));
    const equal = method === "exdd" && !result.positive ? " This bank version knows no defect yet: until it does, ExDD equals PatchCore." : "";
    $(".vw-reasons").append(make("p", { class: `vw-why-${method}` }, make("b", {}, `${METHODS[method]}: `), side.reason + equal));
  }
  views[3].note.append(make("span", { class: "vw-quiet" }, `Bank ${result.bank} · ExDD minus PatchCore`),
    make("span", { class: "vw-quiet" }, "orange: ExDD higher, blue: lower"));
}

function showScales() {
  const { result, scales } = state;
  if (!scales) return;
  const tick = (value, low, high, words, more = "") => {
    const share = Math.min(1, Math.max(0, (high - value) / (high - low)));
    const edge = share < 0.02 ? "vw-first" : share > 0.98 ? "vw-last" : "";
    return make("div", { class: `vw-tick ${edge} ${more}`, style: `top: calc(${share} * (100% - 2px))` }, make("span", {}, words));
  };
  const score = $(".vw-scale-score"), gap = $(".vw-scale-difference");
  const bar = (source) => make("div", { class: "vw-ramp", style: `background-image: url(${source})` });
  const two = isRaw() && result;
  score.classList.toggle("vw-two", Boolean(two));
  if (two) {
    const marks = ["patchcore", "exdd"].flatMap((method, index) => {
      const { low, high, median, threshold } = result[method].raw_marks, side = index ? "" : "vw-left";
      const close = (high - low) / 12; // marks nearer than this would print over each other
      const rest = [[high, fixed(high)], [low, fixed(low)], [median, fixed(median)]].filter(([value]) => Math.abs(value - threshold) > close);
      const kept = rest.filter(([value], at) => at < 2 || rest.slice(0, 2).every(([other]) => Math.abs(value - other) > close));
      return [tick(threshold, low, high, `${fixed(threshold)} t`, side), ...kept.map(([value, words]) => tick(value, low, high, value === median ? `${words} m` : words, side))];
    });
    score.replaceChildren(bar(scales.score), ...marks);
  } else {
    const [low, high] = scales.range;
    score.replaceChildren(bar(scales.score), tick(high, low, high, `${high} or\n   more`), tick(1, low, high, "1 threshold"), tick(0, low, high, "0 median\n   normal"));
  }
  const scoreFoot = gridItems[3][2], scoreHead = gridItems[3][0];
  scoreHead.replaceChildren(make("span", { class: "vw-quiet", style: "font-weight: 400; font-size: 11px" }, two ? "PatchCore | ExDD" : ""));
  scoreFoot.replaceChildren(make("span", { class: "vw-quiet", style: "font-size: 11px" }, two ? "t threshold, m median normal" : ""));
  const [low, high] = scales.difference_range;
  gap.replaceChildren(bar(scales.difference), tick(high, low, high, `+${high}`), tick(0, low, high, "0 same"), tick(low, low, high, `−${Math.abs(low)}`));
}

// ---------------------------------------------------------------------- one image

const pictures = new Map(), results = new Map(); // id -> promise of the server's answer, newest last
function cached(map, id, ask) {
  let answer = map.get(id);
  map.delete(id);
  if (!answer) {
    answer = ask();
    answer.catch(() => map.delete(id));
  }
  map.set(id, answer);
  if (map.size > KEEP) map.delete(map.keys().next().value);
  return answer;
}
const fetchPicture = (id) => cached(pictures, id, () => call("picture", { id }));
const fetchResult = (id) => cached(results, id, () => call("inspect", { id }));

async function select(id) {
  if (!state.byId.has(id)) return;
  leaveMark();
  Object.assign(state, { id, result: null, point: null, was: null });
  clearTimeout(pending);
  markSelected();
  $(".vw-name").textContent = $(".vw-name").title = state.byId.get(id).name;
  const address = new URL(location);
  address.searchParams.set("image", id);
  if (wantedBank) address.searchParams.set("bank", wantedBank);
  else address.searchParams.delete("bank");
  history.replaceState(history.state, "", address);
  const mine = () => state.id === id;
  showMatch(null);
  try {
    const picture = await fetchPicture(id);
    if (!mine()) return;
    state.picture = picture;
    showPicture();
    showMaps();
    if (!state.bank) return showNoBank();
    const slow = setTimeout(() => { if (mine() && !state.result) views.slice(1).forEach((part) => cover(part, "Scoring…", true)); }, 120);
    const result = await fetchResult(id).finally(() => clearTimeout(slow));
    if (!mine() || await checkBank(result)) return;
    showResult(result);
    const next = state.order[state.order.indexOf(id) + 1];
    if (next && !state.job) fetchPicture(next).then(() => fetchResult(next)).catch(() => {}); // told when it is opened
  } catch (error) {
    if (!mine()) return;
    settle();
    const first = pictures.has(id) ? 1 : 0; // a picture that cannot be shown, or one that cannot be scored
    if (!first) { state.picture = null; views.forEach((part) => part.stage.replaceChildren()); heads(); move(); }
    views.slice(first).forEach((part, index) => cover(part, index ? make("span", { class: "vw-quiet" }, "Not scored") : sentence(error)));
  }
}

function showResult(result) {
  state.result = result;
  takeRows(result);
  showMaps();
  choosePoint(result.peak[0], result.peak[1], true);
}

function settle() { $(".vw-hints").classList.add("vw-settled"); } // what stands above it will not move it any more

function showNoBank() {
  settle();
  views.slice(1).forEach((part) => cover(part, null));
  cover(views[1], [make("span", {}, "No bank version yet: nothing to score with."),
    make("a", { class: "main-button", href: state.links.banks }, "Build one in Banks")]);
  [2, 3].forEach((index) => cover(views[index], make("span", { class: "vw-quiet" }, "Appears once a bank version is built.")));
}

function step(by) {
  const place = state.order.indexOf(state.id);
  const next = place < 0 ? state.order[0] : state.order[place + by];
  if (next) select(next);
}
// ---------------------------------------------------------------------- one point

async function choosePoint(x, y, isPeak) {
  if (!state.result) return;
  const id = state.id;
  state.point = { x, y, isPeak };
  drawBox(null);
  move();
  try {
    const answer = await call("point", { id, x, y });
    if (state.id !== id || !state.point || state.point.x !== x || state.point.y !== y) return;
    drawBox(answer.here.at);
    showMatch(answer, isPeak);
  } catch (error) { say(sentence(error)); }
}

function drawBox(box) {
  const { picture } = state;
  for (const { stage } of views) {
    const holder = stage.querySelector(".vw-boxes");
    if (!holder) continue;
    if (!box) { holder.replaceChildren(); continue; }
    const [x0, y0, x1, y1] = box, d = `M${x0} ${y0}H${x1}V${y1}H${x0}Z`;
    const svg = drawing(picture.width, picture.height, ["vw-boxhalo", d], ["vw-box", d]);
    svg.style.cssText = "width: 100%; height: 100%; position: absolute";
    holder.replaceChildren(svg);
  }
}

function crop(part) {
  const [x0, y0, x1, y1] = part.box.map((value) => `${value * 100}%`);
  return make("div", { class: "vw-crop" }, make("img", { src: part.image, alt: "" }),
    make("i", { style: `left: ${x0}; top: ${y0}; width: calc(${x1} - ${x0}); height: calc(${y1} - ${y0})` }));
}
const card = (kind, ...content) => make("div", { class: `vw-card vw-card-${kind}` }, ...content);
const source = (match) => make("span", { class: "vw-source", title: match.name },
  [match.name.replaceAll("/", "/\u200b"), match.type, match.origin === "synthetic" ? "painted" : ""].filter(Boolean).join(" · "));
const text = (...lines) => make("div", { class: "vw-text" }, ...lines);

function showMatch(answer, isPeak = false) {
  const box = $(".vw-match");
  if (!answer) { box.replaceChildren(); return; }
  settle();
  const { here, normal, defect, ratio } = answer;
  const cards = [card("here", crop(here), text(
    make("h3", {}, isPeak ? "Highest score" : "Patch here"),
    make("span", { class: "vw-quiet" }, `row ${here.row + 1}, column ${here.column + 1}`),
    make("span", {}, `PatchCore ${fixed(here.patchcore)}`), make("span", {}, `ExDD ${fixed(here.exdd)}`),
    ...here.probability === null ? [] : [make("span", { title: "How probable it is that this patch shows a defect" }, `Probability ${percent(here.probability)}`)],
    make("span", { class: "vw-quiet" }, "calibrated: threshold 1")))];
  cards.push(card("normal", crop(normal), text(
    make("h3", {}, "Nearest normal patch"), make("span", { class: "vw-big" }, fixed(normal.distance)),
    make("span", { class: "vw-quiet" }, "distance N"), source(normal))));
  cards.push(defect
    ? card("defect", crop(defect), text(
      make("h3", {}, "Nearest defect patch"), make("span", { class: "vw-big" }, fixed(defect.distance)),
      make("span", { class: "vw-quiet" }, "distance P"), source(defect)))
    : card("defect", text(make("h3", {}, "Nearest defect patch"),
      make("span", { class: "vw-quiet" }, "This bank version has no positive bank, so there is no defect to compare with."))));
  cards.push(card("ratio", text(make("h3", {}, "Ratio N / P"), ...(ratio === null
    ? [make("span", { class: "vw-quiet" }, "Needs a positive bank.")]
    : [make("span", { class: "vw-big" }, ratio > 1000 ? "over 1,000" : fixed(ratio)), make("span", {}, ratio > 1
      ? "Farther from every normal patch than from a known defect."
      : "Closer to a normal patch than to any known defect.")]))));
  box.replaceChildren(...cards);
}

// ---------------------------------------------------------------------- teaching the bank: missed defects, false alarms

const marker = new ExddMark($(".vw-markbar"), { keep: (kept) => attempt(keepMark)(kept), leave: () => leaveMark() });
const CALLED = { missed: "a missed defect", false_alarm: "a false alarm" };

const startMark = attempt(async (action) => {
  const { picture, result, id } = state;
  if (!picture || marker.open) return;
  if (!state.bank) { say("There is no bank version that could learn from it; build one in Banks.", true); return; }
  if (!result) { toast("One moment: this image is still being scored."); return; }
  if (result.why_not) { say(result.why_not, true); return; }
  if (result.marks.some((mark) => mark.action === action)) { say(`This image is marked as ${CALLED[action]} already: take that back first (U), then mark all of it at once.`, true); return; }
  const base = views[0].stage.querySelector(".vw-base"), shown = [base.naturalWidth, base.naturalHeight];
  const alarm = action === "false_alarm" ? await call("alarm", { id, width: shown[0], height: shown[1] }) : { words: "", layer: "" };
  const layer = alarm.layer && await loaded(alarm.layer);
  if (state.id !== id || marker.open) return;
  const words = layer ? `${alarm.words} goes into the negative bank. Draw to change that.` : alarm.words;
  marker.begin({ action, view: views[0].view, stage: views[0].stage, width: picture.width, height: picture.height, shown, types: state.types, words, layer,
    warning: result.test ? "A test image: evaluation leaves its part out from then on." : "" });
  draws();
});
// The mask of a defect whose data set came without one: drawn, or what the heatmap shows, for a person to accept.
const startOutline = attempt(async (proposed) => {
  const { picture, result, id } = state;
  if (!picture?.outline.wanted || marker.open) return;
  if (proposed && !result) { toast("One moment: this image is still being scored."); return; }
  const base = views[0].stage.querySelector(".vw-base"), shown = [base.naturalWidth, base.naturalHeight];
  const given = proposed ? await call("proposal", { id, width: shown[0], height: shown[1] }) : null;
  const layer = given && await loaded(given.layer);
  if (state.id !== id || marker.open) return;
  const words = given ? `${given.words}: keep it as the mask of the defect, or draw and erase to correct it.` : "";
  state.proposed = Boolean(proposed);
  marker.begin({ action: "outline", view: views[0].view, stage: views[0].stage, width: picture.width, height: picture.height, shown, types: [], words, layer, warning: "" });
  draws();
});
function draws() { // room for the pane that is drawn on
  viewer.classList.add("vw-drawing");
  $(".vw-toast").hidden = true;
  state.zoom = { k: 1, x: 0, y: 0 };
  layout();
}
function showOutlined(id, { picture, said }, undo) {
  pictures.set(id, Promise.resolve(picture));
  if (state.id === id) {
    state.picture = picture;
    showPicture();
    showMaps();
    if (state.result) choosePoint(state.result.peak[0], state.result.peak[1], true);
  }
  toast(said, undo);
}
const undoOutline = attempt(async (id) => {
  if (!ExddMark.who) { askWho(() => undoOutline(id)); return; }
  showOutlined(id, await call("undo_outline", { id, who: ExddMark.who }));
});
function outlineLine({ wanted, by }) {
  const button = (words, onclick, more) => make("button", { type: "button", class: "plain-button small", onclick, ...more }, words);
  if (wanted) {
    return [make("p", { class: "vw-markline vw-wantsmask" }, make("span", {}, "This image has a defect and no mask of it:"), button("Outline the defect", () => startOutline(false), { title: "Draw its mask (D)" }),
      state.bank && button("Outline what the heatmap shows", () => startOutline(true), { title: "The region above the threshold, for you to accept or correct" }))];
  }
  return by ? [make("p", { class: "vw-markline" }, make("span", { class: "vw-pen", "aria-hidden": "true" }, "✎"), make("span", {}, `Outlined by ${by.who}, ${when(by.created)}`),
    by.last && button("Undo", () => undoOutline(state.id), { title: "Take the mask back (U)" }))] : [];
}
const loaded = (source) => new Promise((done, failed) => {
  const image = new Image();
  image.onload = () => done(image);
  image.onerror = () => failed(new exddParts.Sentence("A picture of this page could not be shown; reload it."));
  image.src = source;
});
function leaveMark() {
  if (!marker.open) return;
  marker.end();
  state.zoom = { k: 1, x: 0, y: 0 };
  viewer.classList.remove("vw-drawing");
  markSelected(); // a list that was hidden has forgotten how far it was scrolled
  layout();
}
async function keepMark(kept) {
  const { id } = state;
  if (kept.action === "outline") {
    const answer = await call("outline", { id, proposed: state.proposed, ...kept });
    leaveMark();
    showOutlined(id, answer, () => undoOutline(id));
    return;
  }
  const answer = await call("mark", { id, ...kept });
  await learnt(id, answer, leaveMark); // the bar says what is going on until there is something new to see
  const last = answer.marks.at(-1);
  state.undoable.push({ id, decision: last.decision });
  toast(answer.said, () => undoMark({ id, decision: last.decision }));
}
// U takes back the last mark of the image that is open, or else the last one made here.
const undoMark = attempt(async (wanted) => {
  const own = state.result?.marks?.at(-1);
  if (!wanted && !own && state.picture?.outline.by?.last) { await undoOutline(state.id); return; }
  const { id, decision } = wanted || (own ? { id: state.id, decision: own.decision } : state.undoable.at(-1)) || {};
  if (!decision) { toast("There is no mark to take back."); return; }
  if (!ExddMark.who) { askWho(() => undoMark({ id, decision })); return; }
  const answer = await call("undo", { id, decision, who: ExddMark.who });
  state.undoable = state.undoable.filter((one) => one.decision !== decision);
  if (id !== state.id && state.byId.has(id)) await select(id);
  await learnt(id, answer);
  toast(`Taken back. ${answer.said}`);
});
function askWho(then) { // of somebody whom this browser does not know yet
  const field = make("input", { type: "text", maxlength: "40", placeholder: "your name", autocomplete: "name", "aria-label": "Your name" });
  $(".vw-marks").replaceChildren(make("form", { class: "vw-markline", onsubmit: (event) => {
    event.preventDefault();
    if (ExddMark.remember(field.value)) then();
  } }, make("span", {}, "Who takes it back?"), field, make("button", { type: "submit", class: "plain-button small" }, "Take back")));
  field.focus();
}
// The banks have changed by this image: its own maps are new, those of all others are of before.
async function learnt(id, answer, then = () => {}) {
  results.clear();
  try { take(await call("known", { list: state.list })); } finally { then(); }
  if (state.id !== id) return;
  results.set(id, Promise.resolve(answer));
  state.was = answer.was;
  showResult(answer);
}

function showMarks() {
  const { result, picture } = state, marks = result?.marks || [];
  const reason = result?.why_not || (state.bank ? "" : "There is no bank version that could learn from it; build one in Banks.");
  for (const [name, what] of [["missed", "This is a missed defect: draw it, and the positive bank learns it (M)"], ["false", "This is a false alarm: the negative bank learns it (F)"]]) {
    $(`.vw-${name}`).setAttribute("aria-disabled", String(Boolean(reason)));
    $(`.vw-${name}`).title = reason || what;
  }
  $(".vw-marks").replaceChildren(...(picture ? outlineLine(picture.outline) : []), ...marks.map((mark) => make("p", { class: "vw-markline" }, make("span", { class: "vw-pen", "aria-hidden": "true" }, "✎"),
    make("span", {}, `Marked as ${CALLED[mark.action]}${mark.type ? ` (${mark.type})` : ""} by ${mark.who}, ${when(mark.created)}`),
    make("button", { type: "button", class: "plain-button small", onclick: () => undoMark({ id: state.id, decision: mark.decision }), title: "Take it back (U)" }, "Undo"))));
  for (const { stage } of views) {
    stage.querySelector(".vw-markline-on")?.remove();
    const lines = marks.flatMap((mark) => mark.lines);
    if (!lines.length || !picture || !stage.firstChild) continue;
    const svg = drawing(picture.width, picture.height, ["vw-halo", polygon(lines)], ["vw-dashes", polygon(lines)]);
    svg.classList.add("vw-markline-on");
    stage.append(svg);
  }
}
const day = (date) => date.toLocaleDateString(undefined, { day: "numeric", month: "short" });
function when(created) {
  const made = new Date(created);
  return `${day(made) === day(new Date()) ? "" : `${day(made)} `}${made.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit" })}`;
}

// ---------------------------------------------------------------------- many images, progress, export

function showJob() {
  const box = $(".vw-job"), { job } = state;
  box.classList.toggle("vw-running", Boolean(job));
  if (job) {
    if (!box.querySelector(".bar")) box.replaceChildren(make("span", { class: "bar", role: "progressbar", "aria-label": "Scoring" }, make("span")), make("span", { class: "vw-told" }),
      make("button", { type: "button", class: "plain-button vw-cancel", onclick: attempt(() => call("cancel", { job: state.job.id })) }, "Cancel"));
    box.querySelector(".bar > span").style.width = `${job.fraction * 100}%`;
    box.querySelector(".vw-told").textContent = job.text;
    return;
  }
  const left = unscored().length;
  box.replaceChildren(state.bank && state.images.length ? make("button", {
    type: "button", class: `vw-score ${left ? "main-button" : "plain-button"}`, disabled: !left,
    title: left ? `Score every image of this list with bank ${state.bank} as it is now` : `Every image of this list is scored with bank ${state.bank} as it is now`,
    onclick: attempt(scoreAll),
  }, !left ? "All scored" : unscored().every((image) => state.rows.has(image.id)) ? `Score ${left} again` : left === state.images.length ? `Score all ${left}` : `Score other ${left}`) : "");
}
const unscored = () => state.images.filter((image) => state.rows.get(image.id)?.stale !== false);

async function scoreAll() { follow((await call("score", { list: state.list })).job); }
async function begin() { // images brought here are there to be scored
  if (state.bank && !state.job && unscored().length) await scoreAll();
}

let following = false;
async function follow(job) {
  state.job = job;
  showJob();
  if (!job || following) return;
  following = true;
  try {
    while (state.job) {
      await new Promise((done) => setTimeout(done, 500));
      const answer = await call("progress", { seen: state.seen, job: state.job.id });
      takeRows(answer);
      if (!marker.open) await checkBank(answer); // somebody may decide meanwhile
      if (!answer.job.running) {
        state.job = null;
        const { error = "", note = "", download = null } = answer.job;
        showList();
        if (error || note) say(error || note, !error);
        if (download) save(download);
      } else state.job = answer.job;
      showJob();
    }
  } catch (error) { state.job = null; showJob(); say(sentence(error)); } finally { following = false; }
}

const exporting = {
  csv: async () => save((await call("export_table", { ids: state.order })).download),
  png: async () => { if (state.id) save((await call("export_panes", { id: state.id })).download); },
  zip: async () => follow((await call("export_all", { ids: state.order })).job),
};

const addFiles = attempt(async (files) => {
  if (!files.length) return;
  $(".vw-add").open = false;
  say(`Reading ${files.length === 1 ? files[0].name : `${files.length} files`}…`, true);
  const sent = [];
  for (const file of files) sent.push({ path: (await upload(file)).path, name: file.name });
  const answer = await call("add_files", { files: sent });
  await enter(answer, answer.first);
  if (files.length > 1) await begin();
});

// ---------------------------------------------------------------------- beginning

// Take a whole answer of `open_list`: the list, its images and what is known of them.
async function enter(answer, wanted) {
  say(answer.note || "", true);
  const { need } = answer;
  $(".vw-need").hidden = !need;
  [".vw-main", ".vw-bar"].forEach((part) => { $(part).hidden = Boolean(need) && !answer.lists.length; });
  if (need) $(".vw-need").replaceChildren(make("p", { class: "empty-title" }, need.title), make("p", {}, need.text), make("a", { class: "main-button", href: need.link }, need.button));
  if (need && !answer.lists.length) { $(".vw-strip").hidden = true; return; }
  Object.assign(state, {
    bank: answer.bank, active: answer.active, stamp: answer.stamp, marked: new Set(answer.marked), types: answer.types, links: answer.links, lists: answer.lists, list: answer.list, images: answer.images, scales: answer.scales,
    byId: new Map(answer.images.map((image) => [image.id, image])), rows: new Map(Object.entries(answer.rows)), seen: answer.seen,
    filter: "all", sort: null, id: null, picture: null, result: null, undoable: [],
  });
  showOtherBank();
  showLists();
  showList();
  showScales();
  showJob();
  const asked = wanted || new URL(location).searchParams.get("image");
  const first = answer.images.find((image) => image.label === "defect") || answer.images[0];
  await Promise.all([state.byId.has(asked) ? select(asked) : first && select(first.id), answer.job && follow(answer.job)]);
}
const openList = attempt(async (list) => enter(await call("open_list", { list })));
const openAddress = attempt(async () => enter(await call("open_list", { image: new URL(location).searchParams.get("image") })));

// Another bank version was activated, or its banks have changed, perhaps in another tab: what is shown must be of that.
async function checkBank({ bank, active, stamp }) {
  if (!state.list || (stamp === state.stamp && active === state.active)) return false;
  results.clear();
  if (bank !== state.bank || active !== state.active) {
    pictures.clear(); // what is said of how they were read is said of a bank
    await openList(state.list);
  }
  else {
    const { id } = state;
    take(await call("known", { list: state.list }));
    await select(id);
  }
  return true;
}
// What is known of the same images after the banks have changed.
function take(answer) {
  Object.assign(state, { stamp: answer.stamp, active: answer.active, rows: new Map(Object.entries(answer.rows)), seen: answer.seen, marked: new Set(answer.marked) });
  showList();
  showJob();
}

// Looking with another version than the active one is said all the time, with the way back.
function showOtherBank() {
  const box = $(".vw-other"), other = state.bank && state.bank !== state.active;
  if (!other) wantedBank = null;
  box.hidden = !other;
  box.replaceChildren(...(other ? [make("span", {}, `Looking with bank ${state.bank}, which is not the active one.`),
    state.active && make("button", { type: "button", class: "plain-button small", onclick: attempt(async () => {
      wantedBank = null;
      results.clear();
      pictures.clear();
      await enter(await call("open_list", { list: state.list, image: state.id }));
    }) }, `Look with ${state.active}`)].filter(Boolean) : []));
}

function wire() {
  $(".vw-lists").addEventListener("change", (event) => openList(event.target.value));
  $(".vw-choose").addEventListener("click", () => $(".vw-files").click());
  $(".vw-files").addEventListener("change", (event) => { addFiles([...event.target.files]); event.target.value = ""; });
  $(".vw-folderform").addEventListener("submit", attempt(async (event) => {
    event.preventDefault();
    const path = $(".vw-folder").value.trim();
    if (!path) return;
    await enter(await call("add_folder", { path }));
    $(".vw-add").open = false;
    await begin();
  }));
  element.querySelectorAll("[data-view]").forEach((button) => button.addEventListener("click", () => { remember({ view: button.dataset.view }); showList(); }));
  element.querySelectorAll("[data-export]").forEach((button) => button.addEventListener("click", attempt(async () => {
    $(".vw-export").open = false;
    await exporting[button.dataset.export]();
  })));
  element.querySelectorAll("[data-values]").forEach((button) => button.addEventListener("click", () => showValues(button.dataset.values)));
  $(".vw-prev").addEventListener("click", () => step(-1));
  $(".vw-next").addEventListener("click", () => step(1));
  $(".vw-reset").addEventListener("click", resetZoom);
  $(".vw-missed").addEventListener("click", () => startMark("missed"));
  $(".vw-false").addEventListener("click", () => startMark("false_alarm"));
  views[0].view.addEventListener("pointerleave", () => { marker.cursor.hidden = true; });
  $(".vw-truth").addEventListener("change", (event) => showTruth(event.target.checked));
  const slider = $(".vw-opacity");
  slider.addEventListener("input", () => { state.mapsOn = true; remember({ opacity: Number(slider.value) }); showOpacity(); });
  slider.addEventListener("pointerup", () => slider.blur()); // so that the arrow keys go back to the images
  $(".vw-truth").addEventListener("pointerup", (event) => setTimeout(() => event.target.blur()));
  new ResizeObserver(() => layout()).observe(viewer);
  window.addEventListener("resize", layout);
  document.addEventListener("visibilitychange", () => {
    if (document.hidden || !state.list || state.job) return;
    if (!marker.open) call("progress", { seen: state.seen }).then(checkBank).catch(() => {}); // the next click says it
  });
  document.addEventListener("keydown", key);
  document.addEventListener("pointerdown", (event) => {
    element.querySelectorAll("details[open]").forEach((menu) => { if (!menu.contains(event.target)) menu.open = false; });
  });
  for (const kind of ["dragenter", "dragover", "dragleave", "drop"]) {
    document.addEventListener(kind, (event) => {
      if (!viewer.isConnected || !event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      viewer.classList.toggle("vw-dropping", kind === "dragenter" || kind === "dragover");
      if (kind === "drop") addFiles([...event.dataTransfer.files]);
    });
  }
}

function showValues(values) {
  remember({ values });
  element.querySelectorAll("[data-values]").forEach((button) => button.setAttribute("aria-pressed", String(button.dataset.values === values)));
  if (remembered.view === "table") showTable();
  showMaps();
  layout();
}
function showTruth(truth) {
  remember({ truth });
  $(".vw-truth").checked = truth;
  viewer.classList.toggle("vw-notruth", !truth);
}
function showOpacity() {
  const share = state.mapsOn ? remembered.opacity : 0;
  viewer.style.setProperty("--vw-opacity", share / 100);
  $(".vw-opacity").value = share;
  $(".vw-percent").textContent = `${share} %`;
}

const KEYS = {
  ArrowRight: () => step(1), j: () => step(1), ArrowLeft: () => step(-1), k: () => step(-1),
  1: () => solo(1), 2: () => solo(2), 3: () => solo(3), 4: () => solo(4), Escape: () => solo(0),
  o: () => { state.mapsOn = !state.mapsOn; if (state.mapsOn && !remembered.opacity) remember({ opacity: 65 }); showOpacity(); },
  t: () => showTruth(!remembered.truth), d: () => startOutline(false), m: () => startMark("missed"), f: () => startMark("false_alarm"), u: () => undoMark(),
};
function solo(number) { state.solo = state.solo === number ? 0 : number; state.zoom = { k: 1, x: 0, y: 0 }; layout(); }
function key(event) {
  if (!viewer.isConnected) return document.removeEventListener("keydown", key);
  if (event.defaultPrevented || !viewer.offsetParent) return;
  if (marker.open) {
    if (!event.target.closest?.("input:not([type=range]), textarea, select") && marker.key(event)) event.preventDefault();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const menu = event.key === "Escape" && element.querySelector("details[open]");
  if (menu) { menu.open = false; return; }
  if (event.target.closest?.("input, textarea, select, [contenteditable=true]")) return;
  const action = KEYS[event.key] || KEYS[event.key.toLowerCase()];
  if (!action) return;
  event.preventDefault();
  action();
}

wire();
showValues(remembered.values);
showTruth(remembered.truth);
showOpacity();
openAddress();

};
