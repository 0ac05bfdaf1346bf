// One stored measurement as people read it: tables with intervals, curves, and a threshold that can be dragged. The
// Evaluate page and the report that is handed on show the same, so both use this. It needs parts.js and Plotly, and
// knows nothing of a server: `data` is what `evaluation_report.shown` says, and the caller says where pictures are.
// Called once a page, when parts.js is there.

window.exddMeasured = () => {

const { make, counted } = exddParts;
const SURE = 0.05; // p below which a difference is set in bold
const FIRST = 15; // pictures of a gallery before "Show all"
const MARGIN = { l: 56, r: 16, t: 36, b: 48 };
const percent = (share, digits = 1) => (share === null || share === undefined ? "–" : (100 * share).toFixed(digits));
const rated = (rate) => `${+(100 * rate).toFixed(2)} %`;
const signed = (share) => (share === null || share === undefined ? "–" : `${share < 0 ? "−" : "+"}${Math.abs(100 * share).toFixed(1)}`);
// A figure in percent, or why there is none.
const PIXEL = ["pixel_auroc", "pixel_ap", "aupro"];
const figureOf = (result, metric, share) => ((share === null || share === undefined) && PIXEL.includes(metric) && result.masks?.missing && !result.masks.used ? "no masks" : percent(share));
const short = (title) => title.split(" (")[0];
const under = (words) => make("span", { class: "ms-under" }, words);
const cell = (...inside) => make("td", { class: "ms-number" }, ...inside);
const heads = (names, kind = "ms-number") => names.map((name) => make("th", { class: kind, scope: "col" }, name));

function card(title, ...inside) {
  const head = make("div", { class: "ms-head" }, make("h2", {}, title));
  const node = make("section", { class: "ms-card", "aria-label": title }, head, ...inside);
  return { node, head };
}

// ---------------------------------------------------------------------- taking a table along

function saveRows(rows, name) {
  const quoted = (value) => { const words = String(value); return /[",\n]/.test(words) ? `"${words.replaceAll('"', '""')}"` : words; };
  const text = rows.map((row) => `${row.map(quoted).join(",")}\n`).join("");
  const link = make("a", { href: URL.createObjectURL(new Blob([text], { type: "text/csv" })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
const rowsOf = (table) => [...table.rows].map((row) => [...row.cells].flatMap((one) => [[...one.childNodes].map((part) => part.textContent.trim()).join("; "), ...Array(one.colSpan - 1).fill("")]));
const csvButton = (rows, name, words = "CSV") => make("button", { type: "button", class: "ms-button", title: "As a file", onclick: () => saveRows(rows(), name) }, words);

// ---------------------------------------------------------------------- plots

const drawn = new Set(); // every plot that is on the page, for when light turns to dark

function look() {
  const style = getComputedStyle(document.documentElement), of = (name) => style.getPropertyValue(name).trim();
  return { ink: of("--ink"), muted: of("--muted"), line: of("--line"), surface: of("--surface") };
}
function layoutOf(given, height) {
  const { ink, muted, line, surface } = look();
  const axis = { gridcolor: line, zerolinecolor: line, linecolor: line, automargin: false };
  return {
    ...given, height, margin: MARGIN, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: "system-ui, sans-serif", size: 12, color: ink }, hoverlabel: { bgcolor: surface, font: { color: ink } },
    legend: { orientation: "h", x: 0, y: 1, yref: "container", yanchor: "top", bgcolor: "rgba(0,0,0,0)" },
    xaxis: { ...given.xaxis, ...axis, title: { ...given.xaxis?.title, font: { size: 12 } } }, yaxis: { ...given.yaxis, ...axis, title: { ...given.yaxis?.title, font: { size: 12 } } },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: muted, activecolor: ink },
  };
}
function plot(place, figure, height, name, more = {}) {
  const layout = { ...layoutOf(figure.layout, height), ...more };
  Plotly.react(place, figure.data, layout, {
    responsive: true, displaylogo: false, toImageButtonOptions: { filename: name, scale: 2 },
    modeBarButtons: [["toImage", ...(more.dragmode === false ? [] : ["zoom2d", "pan2d", "resetScale2d"])]], // by name: the usual ones offer to upload it
  });
  drawn.add(place);
}
function recolour() {
  const { ink, line, surface } = look();
  for (const place of drawn) {
    if (!place.isConnected) { drawn.delete(place); continue; }
    const shapes = (place.layout.shapes || []).map((shape) => ({ ...shape, line: { ...shape.line, color: ink }, label: { ...shape.label, font: { ...shape.label?.font, color: ink } } }));
    const axes = ["xaxis", "yaxis"].flatMap((axis) => ["gridcolor", "zerolinecolor", "linecolor"].map((what) => [`${axis}.${what}`, line]));
    Plotly.relayout(place, { ...Object.fromEntries(axes), "font.color": ink, "hoverlabel.bgcolor": surface, "hoverlabel.font.color": ink, shapes });
  }
}
new MutationObserver(recolour).observe(document.documentElement, { attributes: true, attributeFilter: ["class"] });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => recolour());

// ---------------------------------------------------------------------- Table 1

const aboutMethod = (data, name) => {
  const { result, titles } = data, fusion = result.fusions?.[name] || (["exdd", "exdd_base"].includes(name) && result.fusion);
  const kinds = fusion && name !== "patchcore" ? [...new Set([fusion].flat())].join(", ") : "";
  const words = titles[name].match(/ \((.*)\)$/)?.[1] || "";
  return [words, kinds && kinds !== "patchcore" && `fusion ${kinds}`].filter(Boolean).join(" · ");
};

// A paired difference with its interval and p; bold where it is hardly chance.
const difference = (one) => cell(make("span", { class: one.p !== null && one.p < SURE ? "ms-sure" : "" }, signed(one.difference)),
  one.low !== null && under(`${signed(one.low)} to ${signed(one.high)}`), one.p !== null && under(`p ${one.p < 0.001 ? "< 0.001" : one.p.toFixed(3)}`));

function figures(data) {
  const { result, metrics, titles, paper } = data, names = Object.keys(metrics), theirs = data.kind === "table1" ? ["image_auroc", "pixel_auroc"] : [];
  const row = (name) => make("tr", { "data-method": name }, make("th", { scope: "row" }, short(titles[name]), under(aboutMethod(data, name))),
    ...names.map((metric) => {
      const [low, high] = result.intervals?.[name]?.[metric] || [null, null];
      return cell(make("b", { "data-metric": metric }, figureOf(result, metric, result.methods[name][metric])), low !== null && under(`${percent(low)} to ${percent(high)}`));
    }),
    ...theirs.map((metric) => make("td", { class: "ms-number ms-theirs" }, percent(paper.figures[name]?.[metric]))));
  const pairs = Object.values(Object.groupBy(result.comparisons || [], (one) => `${one.method} ${one.against}`));
  const apart = pairs.length > 3 ? pairs.filter(([one]) => one.against === Object.keys(titles)[0]) : pairs; // of many methods, what each is better than the first
  const table = make("table", { class: "ms-table ms-figures" },
    make("thead", {}, theirs.length > 0 && make("tr", {}, make("td", {}), make("th", { colspan: names.length, scope: "colgroup" }, "Measured here, percent; below it the 95 % interval"),
      make("th", { colspan: theirs.length, scope: "colgroup", class: "ms-theirs" }, `The paper's, on ${paper.dataset}`)),
    make("tr", {}, make("th", { scope: "col" }, "Method"), ...heads(names.map((metric) => metrics[metric])), ...heads(theirs.map((metric) => metrics[metric]), "ms-number ms-theirs"))),
    make("tbody", {}, ...Object.keys(titles).map(row)),
    apart.length > 0 && make("tbody", { class: "ms-apart" }, make("tr", {}, make("th", { colspan: 1 + names.length, scope: "colgroup" }, "Paired differences, points"), theirs.length > 0 && make("td", { colspan: theirs.length, class: "ms-theirs" })),
      ...apart.map((pair) => make("tr", {}, make("th", { scope: "row" }, short(titles[pair[0].method]), under(`minus ${short(titles[pair[0].against])}`)),
        ...names.map((metric) => difference(pair.find((one) => one.metric === metric))), theirs.length > 0 && make("td", { colspan: theirs.length, class: "ms-theirs" })))));
  const { node, head } = card(data.kind === "table1" ? "Table 1" : "Figures");
  head.append(csvButton(() => rowsOf(table), "table-1.csv"));
  node.append(make("div", { class: "ms-wide" }, table), make("p", { class: "ms-said" },
    `Intervals and p come from 1,000 draws of whole parts, the same for every method. Bold: p below ${SURE}; any other difference may be chance.`.concat((result.comparisons || []).some(({ p }) => p === null) ? " There are too few parts here for p." : ""),
    data.spec.folds ? ` Figures are means over the ${data.spec.folds} folds.` : "", theirs.length ? ` The paper's figures are its authors' own, of other images and another backbone; nothing of them was measured here.` : ""));
  return node;
}

// ---------------------------------------------------------------------- recall by type

function recall(data) {
  const { result, titles } = data, first = Object.values(result.at_rate)[0];
  const kinds = Object.keys(first.types), several = kinds.length > 1;
  const share = (found, count, interval) => cell(make("b", {}, `${found} of ${count}`), make("span", { class: "ms-quiet" }, ` ${percent(count ? found / count : null, 0)} %`), interval && interval[0] !== null && under(`${percent(interval[0], 0)} to ${percent(interval[1], 0)}`));
  const sure = (at, name) => result.recall?.[at].intervals[name]; // runs of older versions have none
  const rows = (at, own) => Object.entries(result[at]).map(([name, found]) => make("tr", {}, make("th", { scope: "row" }, short(titles[name]), own && result.promised && promise(result.promised[name]), own && doubts(result.not_sure?.[name])),
    share(found.false_alarms, found.normal, own && sure(at, name)?.false_alarms), several && share(...["found", "count"].map((key) => kinds.reduce((sum, kind) => sum + found.types[kind][key], 0)), sure(at, name)?.defects),
    ...kinds.map((kind) => share(found.types[kind].found, found.types[kind].count, several ? sure(at, name)?.types[kind] : sure(at, name)?.defects)))).concat(apart(at));
  const apart = (at) => (kinds.length && result.recall?.[at].comparisons || []).filter((one, _, all) => all.length <= 3 || one.against === Object.keys(titles)[0]).map((one) =>
    make("tr", {}, make("th", { scope: "row", class: "ms-quiet" }, `${short(titles[one.method])} minus ${short(titles[one.against])}`), make("td", {}), difference(one), ...(several ? kinds : []).map(() => make("td", {}))));
  const group = (words, ...inside) => make("tbody", {}, make("tr", {}, make("th", { colspan: 2 + several + kinds.length, scope: "colgroup" }, words)), ...inside);
  const table = make("table", { class: "ms-table ms-recall" },
    make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "Defects found"), ...heads(["False alarms", ...(several ? ["All defects"] : []), ...kinds.map((kind) => kind || "Defects")]))),
    group(`With at most ${rated(result.rate)} of these normal images as false alarms`, ...rows("at_rate", false)), group("At each method's own threshold, set on training images alone", ...rows("at_threshold", true)));
  const { node, head } = card("Defects found by type", make("div", { class: "ms-wide" }, table), result.recall && make("p", { class: "ms-said" }, "Below a share its 95 % interval, parts drawn anew; a type of one part has none, and of few parts it is rough. Differences are paired, in points of all defects found."));
  head.append(csvButton(() => rowsOf(table), "defects-found.csv"));
  return node;
}
const promise = (rate) => under(typeof rate === "number" ? `guaranteed: at most ${rated(rate)} false alarms` : "not guaranteed: too few normal parts in training");
const doubts = (unsure) => unsure && unsure.normal + unsure.defect > 0 && under(`not sure: ${counted(unsure.normal, "normal image")}, ${counted(unsure.defect, "defect")}`);

// ---------------------------------------------------------------------- the threshold

// A line in the histogram of one method's scores; whatever it turns over is counted and shown at once.
class Threshold {
  constructor(data, { picture, link }, moved) {
    Object.assign(this, { data, picture, link, moved, value: 1, frame: 0, open: { defect: false, normal: false }, shown: {} });
    const { per_image: images, calibrated } = data.result;
    this.methods = Object.keys(calibrated);
    this.method = this.methods.at(-1);
    this.images = images.id.map((id, at) => ({ id, type: images.defect_type[at], defect: images.label[at] === "defect", at }));
    this.place = make("div", { class: "ms-plot" });
    this.handle = make("div", { class: "ms-handle", role: "slider", tabindex: 0, "aria-label": "Threshold", "aria-orientation": "horizontal", title: "Drag it, or use the arrow keys" }, make("span", {}));
    this.counts = make("div", { class: "ms-counts", role: "status" });
    this.galleries = Object.fromEntries([["defect", "Missed defects"], ["normal", "False alarms"]].map(([kind, words]) => [kind,
      { words, title: make("h3", {}), box: make("div", { class: "ms-gallery" }), more: make("div", {}) }]));
    this.switch = make("div", { class: "ms-switch", role: "group", "aria-label": "Method" }, ...this.methods.map((name) => make("button", { type: "button", "data-method": name, onclick: () => this.choose(name) }, short(data.titles[name]))));
    const jump = (words, where) => make("button", { type: "button", class: "ms-button", onclick: () => this.move(where()) }, words);
    const { node, head } = card("Threshold", make("p", { class: "ms-said" }, "Drag the line: above it an image is an alarm. Counts and pictures follow; nothing that is stored changes."),
      make("div", { class: "ms-threshold" }, make("div", { class: "ms-drag" }, this.place, this.handle), this.counts),
      make("div", { class: "ms-two" }, ...Object.entries(this.galleries).map(([kind, { title, box, more }]) => make("div", { "data-gallery": kind }, title, box, more))));
    head.append(this.switch, make("span", { class: "ms-space" }), jump("Its own threshold", () => 1), jump(`At ${rated(data.result.rate)} false alarms`, () => data.result.at_rate[this.method].threshold), csvButton(() => this.rows(), "scores.csv", "Scores CSV"));
    this.node = node;
    this.listen();
  }

  rows() {
    const { per_image: images, calibrated } = this.data.result;
    return [["image", "part", "label", "type", ...this.methods], ...images.id.map((id, at) => [id, images.group[at], images.label[at], images.defect_type[at], ...this.methods.map((name) => calibrated[name][at])])];
  }

  listen() {
    const follow = (event) => { const { left } = this.place.getBoundingClientRect(); this.move(this.at(event.clientX - left)); };
    this.handle.addEventListener("pointerdown", (event) => {
      this.handle.setPointerCapture(event.pointerId);
      this.handle.focus();
      event.preventDefault();
      this.handle.onpointermove = follow;
    });
    for (const end of ["pointerup", "pointercancel"]) this.handle.addEventListener(end, () => { this.handle.onpointermove = null; });
    this.handle.addEventListener("keydown", (event) => {
      const step = (this.range[1] - this.range[0]) / (event.shiftKey ? 20 : 200);
      const wanted = { ArrowLeft: this.value - step, ArrowDown: this.value - step, ArrowRight: this.value + step, ArrowUp: this.value + step, Home: this.range[0], End: this.range[1] }[event.key];
      if (wanted === undefined) return;
      event.preventDefault();
      this.move(wanted);
    });
    new ResizeObserver(() => this.put()).observe(this.place);
  }

  get range() { return this.data.figures[`histogram ${this.method}`].layout.xaxis.range; }
  get wide() { return this.place.clientWidth - MARGIN.l - MARGIN.r; }
  at(x) { const [low, high] = this.range; return low + ((x - MARGIN.l) / this.wide) * (high - low); }
  put() { const [low, high] = this.range; this.handle.style.left = `${MARGIN.l + ((this.value - low) / (high - low)) * this.wide}px`; }

  choose(name) {
    this.method = name;
    for (const button of this.switch.children) button.setAttribute("aria-pressed", String(button.dataset.method === name));
    this.shown = {};
    this.open = { defect: false, normal: false };
    for (const { box } of Object.values(this.galleries)) box.replaceChildren(); // their scores are another method's
    plot(this.place, this.data.figures[`histogram ${name}`], 320, `scores-${name}`, { shapes: this.shapes(), dragmode: false, margin: { ...MARGIN, t: 64 } });
    this.move(1);
  }
  shapes() {
    const { ink } = look(), there = this.data.figures[`histogram ${this.method}`].layout.shapes || [];
    return [...there.map((band) => ({ ...band, label: { ...band.label, font: { ...band.label?.font, color: ink } } })), { type: "line", x0: this.value, x1: this.value, y0: 0, y1: 1, yref: "paper", line: { color: ink, width: 2 } }];
  }

  move(wanted) {
    this.value = Math.min(this.range[1], Math.max(this.range[0], wanted));
    this.put();
    this.count();
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => Plotly.relayout(this.place, { shapes: this.shapes() }));
  }

  count() {
    const scores = this.data.result.calibrated[this.method], { value } = this;
    const own = this.images.map((image) => ({ ...image, score: scores[image.at], alarm: scores[image.at] > value }));
    const defects = own.filter(({ defect }) => defect), normals = own.filter(({ defect }) => !defect);
    const missed = defects.filter(({ alarm }) => !alarm).sort((a, b) => a.score - b.score), alarms = normals.filter(({ alarm }) => alarm).sort((a, b) => b.score - a.score);
    const types = [...new Set(defects.map(({ type }) => type))].sort();
    const line = (number, words, after) => make("p", {}, make("b", {}, number.toLocaleString("en")), ` ${words}`, after && under(after));
    const share = (part, of) => (of.length ? `${percent(part / of.length)} %` : "none there");
    this.counts.replaceChildren(
      make("p", { class: "ms-at" }, "Threshold ", make("b", { class: "ms-value" }, value.toFixed(2))),
      line(defects.length - missed.length, `of ${counted(defects.length, "defect")} found`, share(defects.length - missed.length, defects)),
      line(missed.length, `missed ${missed.length === 1 ? "defect" : "defects"}`),
      line(alarms.length, `false ${alarms.length === 1 ? "alarm" : "alarms"} of ${counted(normals.length, "normal image")}`, share(alarms.length, normals)),
      types.length > 1 && make("ul", { class: "ms-types" }, ...types.map((type) => make("li", {}, make("span", {}, type || "no type"), make("span", {}, `${defects.filter((one) => one.type === type && one.alarm).length} of ${defects.filter((one) => one.type === type).length}`)))) || "");
    Object.entries({ "aria-valuenow": value.toFixed(2), "aria-valuemin": this.range[0].toFixed(2), "aria-valuemax": this.range[1].toFixed(2), "aria-valuetext": `${value.toFixed(2)}: ${missed.length} missed, ${alarms.length} false alarms` }).forEach(([name, words]) => this.handle.setAttribute(name, words));
    this.handle.firstChild.textContent = value.toFixed(2);
    this.fill("defect", missed);
    this.fill("normal", alarms);
    const found = defects.length - missed.length;
    this.moved(this.method, { false: normals.length ? alarms.length / normals.length : null, found: defects.length ? found / defects.length : null, right: found + alarms.length ? found / (found + alarms.length) : null });
  }

  fill(kind, items) {
    const { words, title, box, more } = this.galleries[kind], first = this.open[kind] ? items : items.slice(0, FIRST), key = first.map(({ id }) => id).join("\n");
    title.textContent = `${words}: ${items.length.toLocaleString("en")}`;
    more.replaceChildren(items.length > first.length ? make("button", { type: "button", class: "ms-button", onclick: () => { this.open[kind] = true; this.fill(kind, items); } }, `Show all ${items.length.toLocaleString("en")}`) : "");
    if (this.shown[kind] === key && box.hasChildNodes()) return;
    this.shown[kind] = key;
    const there = new Map([...box.children].map((node) => [node.dataset.id, node]));
    box.replaceChildren(...(first.length ? first.map((item) => there.get(item.id) || this.thumb(item)) : [make("p", { class: "ms-said" }, "None.")]));
  }
  thumb({ id, type, score }) {
    const source = this.picture(id), address = this.link && this.link(id, this.method), name = id.slice(id.indexOf("/") + 1);
    return make(address ? "a" : "span", { class: "ms-thumb", "data-id": id, href: address, title: address ? `${name}: look at it in Inspect` : name },
      source ? make("img", { src: source, alt: name, loading: "lazy" }) : make("span", { class: "ms-nopicture" }, name), make("span", {}, score.toFixed(2).replace("-", "−"), type && ` · ${type}`));
  }
}

// ---------------------------------------------------------------------- curves

function curves(data) {
  const titles = { roc: "ROC", pr: "Precision and recall", reliability: "Reliability of images", patch_reliability: "Reliability of patches" };
  const said = {
    reliability: "On the dotted line a probability is what it says, where defects are as frequent as in training; among more of them the points lie higher. ECE: mean distance from it, in points, weighted by how many there are: the larger a point, the more.",
    patch_reliability: "The same of every patch. Nearly all are normal and lie at the left, so look at the points as well as at ECE. One that a mask covers by half is a defect; those beside it resemble it and count as normal, so few patches reach a high probability.",
  };
  const boxes = Object.entries(titles).filter(([name]) => data.figures[name]).map(([name, title]) => {
    const place = make("div", { class: "ms-plot" }), { node } = card(title, place);
    if (said[name]) node.append(make("p", { class: "ms-said" }, said[name]));
    return { name, node, place };
  });
  const draw = () => {
    for (const { name, place } of boxes) plot(place, data.figures[name], 340, name);
    for (const { name, place } of boxes.filter(({ name }) => !said[name]))
      Plotly.addTraces(place, { x: [], y: [], mode: "markers", name: "threshold", cliponaxis: false, marker: { size: 12, symbol: "circle-open", line: { width: 3 }, color: data.figures[name].data[0]?.line.color } });
  };
  const mark = (method, at) => {
    for (const { name, place } of boxes) {
      const last = place.data?.length - 1;
      if (said[name] || !place.data || last < 1) continue;
      const [x, y] = name === "roc" ? [at.false, at.found] : [at.found, at.right];
      const own = data.figures[name].data.find((line) => line.name === short(data.titles[method]));
      Plotly.restyle(place, { x: [[x]], y: [[y]], "marker.color": own?.line.color }, [last]);
    }
  };
  return { nodes: boxes.map(({ node }) => node), draw, mark };
}

// ---------------------------------------------------------------------- Table 2

function sweep(data) {
  const { result, metrics, paper } = data, place = make("div", { class: "ms-plot" }), names = Object.keys(metrics), theirs = ["image_auroc", "pixel_auroc"];
  const mean = (count, metric) => result.methods[count]?.[metric], spread = (count, metric) => result.deviation[count]?.[metric];
  const counts = Object.keys(result.methods).map(Number).sort((a, b) => a - b), every = [...new Set([...counts, ...Object.keys(paper.figures).map(Number)])].sort((a, b) => a - b);
  const table = make("table", { class: "ms-table ms-sweep" },
    make("thead", {}, make("tr", {}, make("td", {}), make("th", { colspan: names.length, scope: "colgroup" }, `Measured here, percent: mean of ${counted(result.seeds, "seed")} ± standard deviation`), make("th", { colspan: theirs.length, scope: "colgroup", class: "ms-theirs" }, `The paper's, on ${paper.dataset}`)),
      make("tr", {}, make("th", { scope: "col" }, "Synthetic defects"), ...heads(names.map((name) => metrics[name])), ...heads(theirs.map((name) => metrics[name]), "ms-number ms-theirs"))),
    make("tbody", {}, ...every.map((count) => make("tr", {}, make("th", { scope: "row" }, count.toLocaleString("en")),
      ...names.map((name) => cell(mean(count, name) === undefined ? "" : make("b", {}, figureOf(result, name, mean(count, name))), mean(count, name) !== undefined && mean(count, name) !== null && under(`± ${percent(spread(count, name))}`))),
      ...theirs.map((name) => make("td", { class: "ms-number ms-theirs" }, paper.figures[count] ? percent(paper.figures[count][name]) : ""))))));
  const buttons = make("div", { class: "ms-switch", role: "group", "aria-label": "Figure" }, ...names.map((name) => make("button", { type: "button", "data-metric": name, onclick: () => show(name) }, metrics[name])));
  const show = (name) => {
    for (const button of buttons.children) button.setAttribute("aria-pressed", String(button.dataset.metric === name));
    plot(place, data.figures[name], 340, `sweep-${name}`, { yaxis: { ...layoutOf(data.figures[name].layout).yaxis, tickformat: ".1%" }, margin: { ...MARGIN, l: 72 } });
  };
  const { node, head } = card("Table 2", place, make("div", { class: "ms-wide" }, table), make("p", { class: "ms-said" }, "The band is one standard deviation over the seeds, each of which draws other synthetic defects. The paper's figures are its authors' own, of other images and another backbone."));
  head.append(buttons, make("span", { class: "ms-space" }), csvButton(() => rowsOf(table), "table-2.csv"));
  return { node, show: () => show(names[0]) };
}

// ---------------------------------------------------------------------- all of it

// picture(id) -> address of a small picture or ""; link(id, method) -> address of the image in Inspect, or none.
function show(place, data, options) {
  const { result } = data;
  const notes = (result.notes || []).map((words) => make("p", { class: "ms-note" }, words));
  if (data.kind === "sweep") {
    const table = sweep(data), all = result.counts.length * result.seeds;
    if (!result.complete) notes.push(make("p", { class: "ms-note" }, `Not finished: ${data.cells} of ${all} measurements are there. Resume the job in Jobs above; it goes on where it stopped.`));
    place.replaceChildren(...notes, table.node);
    table.show();
    return;
  }
  const lines = curves(data), threshold = new Threshold(data, options, lines.mark);
  place.replaceChildren(...notes, figures(data), recall(data), threshold.node, make("div", { class: "ms-two" }, ...lines.nodes));
  lines.draw();
  threshold.choose(threshold.method);
}

return { show, percent, signed, card };

};
