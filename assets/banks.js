// Banks: the map of both banks of one version, the image behind a dot, histograms of both distances. pages/banks.py
// puts it on its page, and Gradio calls it once with the component's element, its functions on the server, and a function
// that tells the rest of the page that a bank has changed.
// It draws what the server answers with plotly; every place and every share comes from the server.

window.exddBanks = (element, server, changed) => {

const { make, drawing, sentence, caller, note, counted, plotly } = exddParts;
const call = caller(server);
const $ = (selector) => element.querySelector(selector);
const page = $(".landscape");
const STORED = "exdd.banks", WHO = "exdd.who", MANY = 6000, TYPES = 8;
const state = { bank: null, map: null, made: false, stamp: "", job: null, cancelling: false, own: false, chosen: null, wanted: "", histograms: null, drawn: false };
const view = { colour: "bank", method: "pca" };
try { Object.assign(view, JSON.parse(localStorage.getItem(STORED) || "{}")); } catch { /* a fresh start */ }
const remember = () => { try { localStorage.setItem(STORED, JSON.stringify(view)); } catch { /* private window */ } };

// ---------------------------------------------------------------------- sentences

function say(words, kind = "error") {
  const box = $(".st-message");
  box.hidden = !words;
  box.replaceChildren(words ? note(words, kind, () => say("")) : "");
}
const attempt = (action) => async (...given) => {
  try { say(""); return await action(...given); } catch (error) { say(sentence(error)); }
};
let fading = 0;
function toast(words, undo) {
  const box = $(".st-toast");
  clearTimeout(fading);
  box.hidden = false;
  box.replaceChildren(make("span", {}, words), !undo ? "" : make("button", { type: "button", onclick: attempt(async () => { box.hidden = true; await undo(); }) }, "Undo"));
  fading = setTimeout(() => { box.hidden = true; }, undo ? 9000 : 4000);
}
const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

// ---------------------------------------------------------------------- words and colours

const BANKS = { negative: "Negative bank", positive: "Positive bank" };
const sourceOf = (image) => (image.side === "negative" ? "Normal image" : image.origin === "synthetic" ? "Painted defect" : "Real defect");
const typeOf = (image) => (image.side === "negative" ? "Normal" : image.defect_type || "No type");
const nameOf = (image) => image.id.split("/").slice(1).join("/") || `painted ${image.id}`;
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// What dots may be coloured by: a name for every image, and [name, colour] of all names, that of normal rows first.
const COLOURS = {
  bank: { title: "Bank", of: (image) => BANKS[image.side], colours: () => [[BANKS.negative, colour("--lm-normal")], [BANKS.positive, colour("--lm-defect")]] },
  source: { title: "Source", of: sourceOf, colours: () => [["Normal image", colour("--lm-normal")], ["Real defect", colour("--lm-defect")], ["Painted defect", colour("--lm-painted")]] },
  type: { title: "Defect type", of: typeOf, colours: typeColours },
};
function typeColours() { // the most frequent types have a colour of their own
  const rows = new Map(), { map } = state, shades = colour("--lm-types").split(/\s+/);
  for (const at of map.image) { const type = typeOf(map.images[at]); rows.set(type, (rows.get(type) || 0) + 1); }
  rows.delete("Normal");
  const types = [...rows].sort((a, b) => b[1] - a[1]).map(([type]) => type);
  return [["Normal", colour("--lm-normal")], ...types.map((type, at) => [type, shades[Math.min(at, TYPES - 1)]])];
}

// ---------------------------------------------------------------------- the map

const webgl = (() => { try { return Boolean(document.createElement("canvas").getContext("webgl")); } catch { return false; } })();

function layout(more) {
  const ink = colour("--ink"), line = colour("--line");
  const axis = { showgrid: true, gridcolor: line, zeroline: false, linecolor: line, tickfont: { color: colour("--muted") }, title: { font: { size: 12, color: colour("--muted") } } };
  return {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { family: getComputedStyle(page).fontFamily.replaceAll('"', "'"), size: 12, color: ink },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: colour("--muted"), activecolor: colour("--accent") },
    margin: { l: 40, r: 16, t: 40, b: 40 }, hoverdistance: 12, showlegend: true,
    legend: { orientation: "h", x: 0, y: 1, yanchor: "bottom", itemsizing: "constant", font: { size: 13 } },
    ...more, xaxis: { ...axis, ...more.xaxis, title: { ...axis.title, ...more.xaxis?.title } }, yaxis: { ...axis, ...more.yaxis, title: { ...axis.title, ...more.yaxis?.title } },
  };
}
const CONFIG = { displaylogo: false, responsive: true, modeBarButtons: [["zoom2d", "pan2d", "resetScale2d"]] };

function traces() {
  const { map } = state, { of, colours } = COLOURS[view.colour] || COLOURS.bank, shades = new Map(colours()), groups = new Map([...shades.keys()].map((name) => [name, []]));
  map.image.forEach((at, number) => groups.get(of(map.images[at])).push(number));
  const type = webgl ? "scattergl" : "scatter", size = map.x.length > MANY ? 4 : 6;
  const pick = (column, numbers) => numbers.map((number) => column[number]);
  const found = [...groups].filter(([, numbers]) => numbers.length).map(([name, numbers], at) => ({
    type, mode: "markers", name: `${name.replaceAll("<", "&lt;")} (${numbers.length.toLocaleString("en")})`, customdata: numbers, hoverinfo: "none",
    x: pick(map.x, numbers), y: pick(map.y, numbers), marker: { color: shades.get(name), size: at ? size + 1 : size, opacity: at ? 0.8 : 0.45, symbol: name === "Painted defect" ? "diamond" : "circle" },
  }));
  const own = state.chosen === null ? [] : map.image.flatMap((at, number) => (at === map.image[state.chosen] ? [number] : []));
  const ring = (numbers, width, dots) => ({ type, mode: "markers", showlegend: false, hoverinfo: "skip", x: pick(map.x, numbers), y: pick(map.y, numbers), marker: { color: colour("--ink"), size: dots, symbol: "circle-open", line: { width } } });
  return own.length ? [...found, ring(own, 1.5, size + 5), ring([state.chosen], 3, size + 12)] : found;
}

async function draw() {
  const { map, bank } = state;
  if (!map) return;
  const Plotly = await plotly();
  const share = (at) => (map.explained.length ? `Component ${at + 1}, ${Math.round(100 * map.explained[at])} % of the variance` : "");
  const flat = { showticklabels: false, ticks: "" };
  const span = (values) => { // with some room, and the same whatever is chosen
    const least = values.reduce((a, b) => Math.min(a, b)), most = values.reduce((a, b) => Math.max(a, b)), room = 0.06 * (most - least) || 1;
    return [least - room, most + room];
  };
  const shown = layout({ uirevision: `${bank.id} ${map.method}`, dragmode: "zoom", hovermode: "closest", xaxis: { ...flat, range: span(map.x), title: { text: share(0) } }, yaxis: { ...flat, range: span(map.y), title: { text: share(1) } } });
  const plot = $(".lm-plot");
  await Plotly.react(plot, traces(), shown, CONFIG);
  if (!state.drawn) {
    state.drawn = true;
    plot.on("plotly_hover", ({ points }) => hover(points[0]));
    plot.on("plotly_unhover", () => { $(".lm-hover").hidden = true; });
    plot.on("plotly_click", ({ points }) => { if (points[0].customdata !== undefined) choose(points[0].customdata); });
  }
}

const patchUrl = (number) => {
  const { map } = state, image = map.images[map.image[number]];
  return `/patch?${new URLSearchParams({ bank: state.bank.id, image: image.id, row: map.row[number], column: map.column[number] })}`;
};

function hover(point) {
  if (point.customdata === undefined) return;
  const box = $(".lm-hover"), frame = $(".lm-frame"), { map } = state, image = map.images[map.image[point.customdata]];
  const x = point.xaxis.l2p(point.xaxis.d2l(point.x)) + point.xaxis._offset, y = point.yaxis.l2p(point.yaxis.d2l(point.y)) + point.yaxis._offset;
  box.replaceChildren(make("img", { src: patchUrl(point.customdata), alt: "" }), make("span", {}, make("b", {}, BANKS[image.side])), make("span", {}, image.side === "negative" ? "Normal image" : `${sourceOf(image)} · ${typeOf(image)}`), make("span", { class: "st-quiet" }, nameOf(image)));
  box.hidden = false;
  box.style.left = `${x + 208 < frame.clientWidth ? x + 16 : x - 210}px`;
  box.style.top = `${Math.max(8, Math.min(y - 112, frame.clientHeight - 264))}px`;
}

// ---------------------------------------------------------------------- the image behind a dot

const hint = () => $(".lm-side").replaceChildren(make("p", { class: "lm-hinted" }, "Point at a dot to see its patch; click to see its image and all rows of it. Drag to zoom in, double-click to see all again."));

const choose = attempt(async (number) => {
  state.chosen = number;
  await draw();
  const { map, bank } = state, image = map.images[map.image[number]];
  const found = await call("image", { bank: bank.id, image: image.id, side: image.side, row: map.row[number], column: map.column[number] });
  if (state.chosen !== number) return;
  const square = ([x0, y0, x1, y1]) => `M${x0} ${y0}H${x1}V${y1}H${x0}Z`;
  const [own, ...others] = found.boxes.map(square), scale = Math.min(286 / found.width, 256 / found.height);
  const who = localStorage.getItem(WHO) || "";
  const name = !who && make("input", { type: "text", class: "lm-who", maxlength: "40", placeholder: "Your name stands beside what you decide", "aria-label": "Your name" });
  const drop = make("button", { type: "button", class: "plain-button lm-drop", disabled: !bank.active, title: bank.active ? "Its rows leave the bank; the image stays" : `Activate ${bank.name} first` }, `Drop from the ${BANKS[image.side].toLowerCase()}`);
  drop.addEventListener("click", attempt(() => dropImage(image, drop, who || name.value.trim())));
  $(".lm-side").replaceChildren(
    make("div", { class: "lm-image" }, make("span", { style: `width: ${Math.round(found.width * scale)}px; height: ${Math.round(found.height * scale)}px` }, make("img", { src: found.url, alt: nameOf(image) }), drawing(found.width, found.height, ["", others.join("")], ["lm-under", own], ["lm-chosen", own]))),
    make("p", { class: "lm-id" }, nameOf(image)),
    make("dl", {}, ...[["Bank", BANKS[image.side]], ["Source", sourceOf(image)], ["Type", image.side === "negative" ? "normal" : typeOf(image)], ["Part", image.group], ["Rows here", found.boxes.length.toLocaleString("en")]].flatMap(([term, value]) => [make("dt", {}, term), make("dd", {}, value)])),
    name || "",
    bank.active ? "" : make("p", { class: "st-quiet" }, `${bank.name} is not active: activate it to drop images from it.`),
    make("p", { class: "lm-acts" }, drop, found.link && make("a", { class: "plain-button", href: found.link[1] }, found.link[0])));
});

async function dropImage(image, button, who) {
  const words = button.textContent;
  button.disabled = true;
  button.textContent = "Dropping…";
  const asked = { bank: state.bank.id, image: image.id, side: image.side, who };
  try {
    const answer = await call("drop", asked);
    try { localStorage.setItem(WHO, who); } catch { /* private window */ }
    toast(answer.sentence, async () => {
      toast((await call("put_back", asked)).sentence);
      changed(state.bank.id);
      await refresh();
    });
    changed(state.bank.id);
    await refresh();
  } finally { button.disabled = false; button.textContent = words; }
}

// ---------------------------------------------------------------------- histograms

const KINDS = { normal: ["Normal", "--lm-normal", "solid"], real: ["Real defects", "--lm-defect", "solid"], synthetic: ["Painted defects", "--lm-painted", "dash"] };

async function drawHistograms() {
  const found = state.histograms;
  if (!found) return;
  const Plotly = await plotly(), far = (name) => found.kinds.find((kind) => kind.name === name);
  const percent = (share) => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;
  const parts = [["real", "real defects"], ["synthetic", "painted ones"]].filter(([name]) => far(name)).map(([name, words]) => `${percent(far(name).beyond)} of patches on ${words}`);
  $(".lm-beyond").textContent = parts.length ? `Beyond the 99 % line of held-out normal patches lie ${parts.join(" and ")}: what lies before it looks much like normal surface. Counted are the patches that the positive bank learns from, without rows of their own part.` : "This version knows no defects, so there are normal patches only.";
  for (const side of ["negative", "positive"]) {
    const place = $(`.lm-${side}`), edges = found.edges[side], kinds = found.kinds.filter((kind) => kind[side]);
    if (!edges || !kinds.length) { // of one part there is no other that a patch could be near to
      if (place.data) Plotly.purge(place);
      place.replaceChildren(make("div", { class: "empty" }, make("p", {}, edges ? "There are no defect rows of other parts to be near to." : "This version has no positive bank.")));
      continue;
    }
    if (!place.data) place.replaceChildren();
    const lines = kinds.map((kind) => {
      const [name, shade, dash] = KINDS[kind.name];
      return { type: "scatter", mode: "lines", name: `${name} (${kind.patches.toLocaleString("en")})`, x: edges, y: [...kind[side].map((share) => 100 * share), 0], line: { shape: "hv", width: 2, color: colour(shade), dash }, fill: "tozeroy", fillcolor: faint(colour(shade)), hovertemplate: "%{y:.1f} % around %{x:.1f}<extra>%{fullData.name}</extra>" };
    });
    const limit = side === "negative" && found.visible_from, late = limit > edges[0] + 0.75 * (edges.at(-1) - edges[0]);
    await Plotly.react(place, lines, layout({
      margin: { l: 56, r: 16, t: 32, b: 48 }, hovermode: "closest", dragmode: false, xaxis: { title: { text: side === "negative" ? "Distance N" : "Distance P" }, range: [edges[0], edges.at(-1)], fixedrange: true }, yaxis: { title: { text: "Share of patches, %" }, rangemode: "tozero", fixedrange: true },
      shapes: limit ? [{ type: "line", x0: limit, x1: limit, y0: 0, y1: 1, yref: "paper", line: { color: colour("--ink"), width: 1.5, dash: "dot" } }] : [],
      annotations: limit ? [{ x: limit, y: 1, yref: "paper", yanchor: "top", xanchor: late ? "right" : "left", xshift: late ? -4 : 4, showarrow: false, text: "99 % of normal", font: { size: 12, color: colour("--ink") } }] : [],
    }), { displayModeBar: false, responsive: true });
  }
}
function faint(hex) { return `rgba(${[1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16)).join(", ")}, 0.18)`; }

// ---------------------------------------------------------------------- switches, the map that is made

function choices(place, options, at, onclick) {
  $(place).replaceChildren(...options.map(([value, title]) => make("button", { type: "button", "aria-pressed": String(value === at), onclick: attempt(() => onclick(value)) }, title)));
}

function told() {
  const { map, bank } = state, left = map.left_out;
  const said = map.method === "pca" ? "Its place is along the two directions in which rows differ most; both banks weigh the same." : "UMAP keeps rows that are alike together; the distance between groups says little.";
  if (view.method !== map.method) $(".lm-told").replaceChildren("Every dot is a row of a bank.");
  else $(".lm-told").replaceChildren(`Every dot is a row of a bank. ${said}`, left ? ` ${counted(left, "row")} ${left === 1 ? "is" : "are"} not on this map. ` : "",
    left && map.method === "umap" ? make("button", { type: "button", class: "plain-button small", onclick: attempt(order) }, "Make it again") : "");
  $(".lm-name").textContent = bank.name;
  choices(".lm-colours", Object.entries(COLOURS).map(([name, { title }]) => [name, title]), view.colour, async (name) => { view.colour = name; remember(); told(); await draw(); });
  choices(".lm-methods", [["pca", "PCA"], ["umap", "UMAP"]], view.method, async (name) => { view.method = name; remember(); await refresh(); });
}

function offer() { // over the map: what a map by UMAP takes, or how far it is
  const box = $(".lm-order"), { job } = state;
  box.hidden = view.method !== "umap" || (state.made && !job);
  if (box.hidden) return;
  if (!job) {
    box.replaceChildren(make("p", { class: "empty-title" }, `No map of ${state.bank.name} by UMAP yet`), make("p", {}, "It takes a minute or two, in the background, and stays with the version."),
      make("button", { type: "button", class: "main-button lm-make", onclick: attempt(order) }, "Make it"));
    return;
  }
  box.replaceChildren(make("p", { class: "empty-title" }, job.text), make("span", { class: "bar", role: "progressbar", "aria-label": "Map by UMAP", "aria-valuenow": Math.round(100 * job.fraction) }, make("span", { style: `width: ${100 * job.fraction}%` })),
    make("button", { type: "button", class: "plain-button", disabled: state.cancelling, onclick: attempt(async () => {
      state.cancelling = true;
      offer();
      heard(await call("cancel_map", { bank: state.bank.id }));
    }) }, state.cancelling ? "Cancelling…" : "Cancel"));
}
async function order() { heard(await call("order_map", { bank: state.bank.id })); }
function heard(answer) {
  const ended = state.job && !answer.job && answer.failed;
  state.job = answer.job;
  state.cancelling &&= Boolean(answer.job);
  if (ended) say(answer.failed);
  offer();
}

// ---------------------------------------------------------------------- what is shown, and what changes meanwhile

async function refresh() {
  const before = state.chosen === null ? null : key(state.chosen);
  const answer = await call("open_picture", { bank: state.wanted, method: view.method });
  $(".lm-picture").hidden = !answer.bank;
  state.stamp = answer.stamp;
  if (!answer.bank) { state.bank = null; return; }
  const other = state.bank?.id !== answer.bank.id;
  Object.assign(state, { bank: answer.bank, map: answer.map, made: answer.made, wanted: state.wanted && answer.bank.id });
  const at = before === null || other ? -1 : state.map.image.findIndex((_, number) => key(number) === before);
  state.chosen = at < 0 ? null : at;
  told();
  offer();
  $(".lm-hover").hidden = true;
  await draw();
  if (state.chosen === null) hint(); else await choose(state.chosen);
  const asked = state.bank.id;
  const found = await call("histograms", { bank: asked }).catch((error) => ({ kinds: [], edges: {}, visible_from: 0, said: sentence(error) }));
  if (asked !== state.bank?.id) return;
  state.histograms = found;
  await drawHistograms();
  if (found.said) $(".lm-beyond").textContent = found.said;
}
const key = (number) => { const { map } = state, image = map.images[map.image[number]]; return `${image.side} ${image.id} ${map.row[number]} ${map.column[number]}`; };

async function watch() {
  while (page.isConnected) {
    await pause(state.job ? 700 : 2000);
    if (document.hidden || !page.offsetParent) continue;
    try {
      const answer = await call("news", { bank: state.bank?.id || "" });
      heard(answer);
      if (answer.stamp !== state.stamp) {
        await refresh();
        if (!state.own) changed(state.bank?.id || "");
        state.own = false;
      }
    } catch { /* the next click says it */ }
  }
}

// "Show" in the table of versions is Gradio's; the map follows it.
document.addEventListener("click", (event) => {
  const button = event.target.closest?.(':is(#versions, #due) [data-act]'), act = button?.dataset.act;
  if (!button || !page.isConnected) return;
  if (["activate", "back", "align"].includes(act)) state.own = true; // the lists know of it themselves
  if (["rows", "activate", "back"].includes(act)) state.wanted = act === "rows" ? button.dataset.id : "";
  if (act === "rows") attempt(async () => { await refresh(); page.scrollIntoView({ behavior: "smooth" }); })();
});
new MutationObserver(() => { if (state.map) { draw(); drawHistograms(); } }).observe(document.documentElement, { attributeFilter: ["class"] });

// The banks are read and the script that draws is loaded when somebody comes near them.
const near = new IntersectionObserver((seen) => {
  if (!seen.some((one) => one.isIntersecting)) return;
  near.disconnect();
  attempt(refresh)().then(watch);
}, { rootMargin: "400px" });
hint();
near.observe(page);

};
