// The region of interest on the Data page: drawn on a picture of the active data set, by brightness, or from a file.
// Gradio calls it once with the component's element, its functions on the server, upload, watch, and what to call after
// a change. It knows the mask editor and one picture at a time; the full mask, and every sentence about it, the server.

window.exddRegion = (element, server, { upload, watch, changed }) => {

const { make, note, caller, sentence, latest, drag } = exddParts;
const call = caller(server);
const WHO = "exdd.who"; // one name a browser, as in Curate and Inspect
const TOOLS = [["rectangle", "Rectangle", "R"], ["brush", "Brush", "B"], ["eraser", "Eraser", "E"]];
const SHADE = "rgb(10 12 16 / .62)", RIM = 2; // of what lies outside, and the line around what lies inside, in pixels
const EMPTY = Object.assign(document.createElement("canvas"), { width: 1, height: 1 });
const state = { dataset: "", tool: "rectangle", brush: 0, index: 0, picture: null, base: "", proposal: null, busy: "", visible: false, bright: 0 };

const plain = (words, onclick, more = {}) => make("button", { type: "button", class: "plain-button", onclick, ...more }, words);
const loaded = (address) => new Promise((done, failed) => {
  const image = new Image();
  image.onload = () => done(image);
  image.onerror = () => failed(new exddParts.Sentence("A picture of this page could not be shown; reload it."));
  image.src = address;
});

// ---- what is on the page

const picture = make("img", { class: "rg-picture", alt: "", draggable: "false" });
const canvas = make("canvas", { class: "rg-drawn", width: 1, height: 1 });
const shade = make("canvas", { class: "rg-shade", width: 1, height: 1 });
const box = make("div", { class: "rg-box", hidden: true }), cursor = make("div", { class: "rg-cursor", hidden: true });
const stage = make("div", { class: "rg-stage", tabindex: "0", role: "application", "aria-label": "Image to draw the region of interest on. R: rectangle, B: brush, E: eraser, Control and Z: undo", onpointerdown: press, onpointermove: hover, onpointerleave: () => { cursor.hidden = true; } },
  picture, canvas, shade, box, cursor);
const tools = make("div", { class: "rg-switch", role: "group", "aria-label": "Tool" }, ...TOOLS.map(([name, words, letter]) =>
  make("button", { type: "button", "data-tool": name, title: `${words} (${letter})${name === "rectangle" ? "; with Shift it takes away" : ""}`, onclick: () => pick(name) }, words)));
const size = make("input", { type: "range", min: 1, max: 100, step: 1, "aria-label": "Size of the brush, pixels of the image", oninput: () => { state.brush = Number(size.value); show(); } });
const sizeText = make("output", {});
const back = plain("Undo", () => turn("undo"), { title: "Undo (Ctrl+Z)" }), again = plain("Redo", () => turn("redo"), { title: "Redo (Ctrl+Shift+Z)" });
const bright = plain("By brightness…", () => { propose(); level.focus(); });
const level = make("input", { type: "range", min: 0, max: 254, step: 1, value: 100, "aria-label": "Grey value above which something counts", oninput: () => propose() });
const levelText = make("output", {});
const accept = make("button", { type: "button", class: "main-button", onclick: () => adopt() }, "Use it");
const brightRow = make("div", { class: "rg-bar rg-bright" }, make("label", { class: "rg-field" }, "Brighter than", level, levelText), accept, plain("Cancel", () => leave()),
  make("span", { class: "rg-quiet" }, "In the median of the normal images. For a dark part, use it and press Invert."));
const file = make("input", { type: "file", hidden: true, "aria-label": "Mask file", onchange: () => { const [chosen] = file.files; file.value = ""; if (chosen) take(chosen); } });
const previous = plain("‹ Previous", () => step(-1)), next = plain("Next ›", () => step(1));
const caption = make("span", { class: "rg-caption" }), share = make("span", { class: "rg-share", role: "status" });
const who = make("input", { type: "text", maxlength: "40", placeholder: "your name", autocomplete: "name", title: "Your name stands beside the change; this browser remembers it", oninput: () => who.classList.remove("rg-wanted") });
const away = plain("Remove", () => change("remove"), { title: "All of an image counts again" });
const keep = make("button", { type: "button", class: "main-button", onclick: () => change("save") }, "Save");
const message = make("div", { class: "rg-message" });
const toolRow = make("div", { class: "rg-bar" }, tools, make("label", { class: "rg-field" }, "Size", size, sizeText), back, again,
  plain("Everything inside", () => editor.rectangle([0, 0], [editor.width, editor.height])), plain("Invert", () => editor.invert(), { title: "What is inside goes outside, and the other way round" }),
  bright, plain("From a file…", () => file.click(), { title: "A mask as large as the image: white where something counts" }), file);
const root = make("div", { class: "rg", onkeydown: key },
  make("p", { class: "rg-what" }, "Outside of it nothing counts: not in banks, scores, figures or painting. Banks built before keep their own."),
  make("div", { class: "rg-tools" }, toolRow, brightRow), // in one place: nothing moves when one takes the other's
  make("div", { class: "rg-view" }, stage),
  make("div", { class: "rg-bar" }, previous, next, caption, make("span", { class: "rg-space" }), share),
  make("div", { class: "rg-bar" }, make("label", { class: "rg-field" }, "By", who), make("span", { class: "rg-space" }), away, keep),
  message);

const editor = new ExddMaskEditor(canvas, () => show());

// ---- the data set that is active

const current = () => element.querySelector("[data-dataset]");
watch("value", settle);
new IntersectionObserver((seen) => { // nothing is asked for while the section is folded
  const visible = seen.some((one) => one.isIntersecting);
  if (visible && !state.visible) { state.visible = true; settle(); }
}).observe(element);

// The page says which data set is active, and in which state: begin anew, unless something is being drawn on it.
function settle() {
  const now = current();
  if (!root.isConnected) element.append(root);
  if (!now || !state.visible) return;
  const { dataset, state: number } = now.dataset, other = dataset !== state.dataset;
  if (!other && (number === state.number || (editor.past.length && state.busy === ""))) { state.number = number; return; }
  if (other) { say(""); state.index = 0; }
  Object.assign(state, { dataset, number });
  open();
}

const open = latest(async () => {
  const { dataset } = state;
  try {
    const answer = await call("look", { dataset, index: state.index });
    const [image, layer] = await Promise.all([loaded(answer.picture), loaded(answer.layer || EMPTY.toDataURL())]);
    if (dataset !== state.dataset) return;
    root.classList.add("rg-ready");
    hang(answer, image);
    Object.assign(shade, { width: answer.shown[0], height: answer.shown[1] });
    editor.open(...answer.shown);
    editor.load(layer);
    const most = Math.max(8, Math.round(Math.max(...answer.size) / 4));
    size.max = most;
    state.brush = Math.min(most, state.brush || Math.max(2, Math.round(Math.max(...answer.size) / 16)));
    Object.assign(state, { base: answer.base, region: Boolean(answer.layer), proposal: null });
    who.value ||= localStorage.getItem(WHO) || "";
    show();
  } catch (error) { say(sentence(error), "error"); }
});

function hang(answer, image) {
  Object.assign(state, { picture: answer, index: answer.index });
  picture.src = image.src;
  picture.alt = `${answer.name}, ${answer.label}`;
  stage.style.setProperty("--rg-aspect", answer.size[0] / answer.size[1]);
  caption.textContent = `${answer.name} · ${answer.label} · ${answer.index + 1} of ${answer.number.toLocaleString("en")}`;
  caption.title = `${answer.size[0]} × ${answer.size[1]} pixels${answer.others ? `; ${answer.others}` : ""}`;
  for (const button of [previous, next]) button.disabled = answer.number < 2;
}

// Another image under the same region, to see whether it fits all.
const step = attempt(async (by) => {
  const answer = await call("look", { dataset: state.dataset, index: state.index + by });
  hang(answer, await loaded(answer.picture));
});

// ---- drawing

function pick(tool) { state.tool = tool; show(); }

const at = (event) => {
  const { left, top, width, height } = stage.getBoundingClientRect();
  return [(event.clientX - left) / width * editor.width, (event.clientY - top) / height * editor.height];
};
const inside = ([x, y]) => [Math.min(Math.max(x, 0), editor.width), Math.min(Math.max(y, 0), editor.height)];

function press(event) {
  if (event.button || state.proposal || state.busy || !state.picture) return;
  stage.focus({ preventScroll: true });
  const from = at(event);
  if (state.tool === "rectangle") {
    let to = from;
    drag(event, (now) => { to = inside(at(now)); frame(from, to); }, () => { box.hidden = true; if (Math.round(to[0]) !== Math.round(from[0]) && Math.round(to[1]) !== Math.round(from[1])) editor.rectangle(from, to, event.shiftKey); });
    return;
  }
  editor.begin(from, Math.max(0.5, state.brush / 2 * editor.width / state.picture.size[0]), state.tool === "eraser");
  drag(event, (now) => {
    const points = now.getCoalescedEvents?.() || [];
    editor.extend((points.length ? points : [now]).map(at));
    hover(now);
  }, () => { if (editor.stroke) editor.end(); });
}

function frame(from, to) {
  const across = (value) => `${100 * value / editor.width}%`, down = (value) => `${100 * value / editor.height}%`;
  box.hidden = false;
  Object.assign(box.style, { left: across(Math.min(from[0], to[0])), top: down(Math.min(from[1], to[1])), width: across(Math.abs(to[0] - from[0])), height: down(Math.abs(to[1] - from[1])) });
}

function hover(event) {
  cursor.hidden = state.tool === "rectangle" || Boolean(state.proposal) || !state.picture;
  if (cursor.hidden) return;
  const { left, top, width } = stage.getBoundingClientRect(), across = `${Math.max(3, state.brush * width / state.picture.size[0])}px`;
  Object.assign(cursor.style, { left: `${event.clientX - left}px`, top: `${event.clientY - top}px`, width: across, height: across });
}

// A mask that was given keeps its own, finer pixels on the server: undo brings back which one that was.
function give(layer, base) {
  const before = state.base;
  state.base = base;
  editor.load(layer, true);
  editor.past.at(-1).given = { before, after: base };
}

function turn(way) {
  if (editor.stroke || state.proposal) return;
  const [from, to] = way === "undo" ? ["past", "future"] : ["future", "past"], given = editor[from].at(-1)?.given;
  const before = editor[to].length;
  if (given) state.base = way === "undo" ? given.before : given.after;
  editor[way]();
  if (given && editor[to].length > before) editor[to].at(-1).given = given;
}

function key(event) {
  if (event.target.matches("input[type=text]")) { if (event.key === "Enter") { event.preventDefault(); change("save"); } return; }
  const pressed = event.key.toLowerCase();
  if ((event.ctrlKey || event.metaKey) && (pressed === "z" || pressed === "y")) turn(event.shiftKey || pressed === "y" ? "redo" : "undo");
  else if (event.ctrlKey || event.metaKey || event.altKey) return;
  else if (state.proposal && pressed === "escape") leave();
  else if ({ b: 1, e: 1, r: 1 }[pressed]) pick({ b: "brush", e: "eraser", r: "rectangle" }[pressed]);
  else if ((pressed === "[" || pressed === "]") && state.brush) { state.brush = Math.min(Number(size.max), Math.max(1, Math.round(state.brush * (pressed === "]" ? 1.25 : 0.8) + (pressed === "]" ? 0.5 : -0.5)))); show(); }
  else return;
  event.preventDefault();
}

// ---- masks that are given

const propose = latest(async () => {
  levelText.textContent = level.value;
  state.proposal ||= { layer: null };
  show();
  try {
    const { dataset } = state, answer = await call("propose", { dataset, threshold: Number(level.value), shown: state.picture.shown });
    const layer = await loaded(answer.layer);
    if (!state.proposal || dataset !== state.dataset) return;
    state.proposal = { ...answer, layer };
  } catch (error) { state.proposal = null; say(sentence(error), "error"); }
  show();
});

function leave() { state.proposal = null; show(); bright.focus(); }

function adopt() {
  const { proposal } = state;
  if (!proposal?.layer) return;
  state.proposal = null;
  give(proposal.layer, proposal.base);
  bright.focus();
}

const take = attempt(async (chosen) => {
  const { path } = await upload(chosen);
  const answer = await call("take", { dataset: state.dataset, path, name: chosen.name, shown: state.picture.shown });
  state.proposal = null;
  give(await loaded(answer.layer), answer.base);
});

// ---- what is kept

async function change(action) {
  const name = who.value.trim().replace(/\s+/g, " ");
  if (state.busy || (action === "save" && keep.disabled)) return;
  if (!name) { who.focus(); who.classList.add("rg-wanted"); say("Type your name beside By: it stands beside the change.", "info"); return; }
  localStorage.setItem(WHO, name);
  state.busy = action;
  show();
  try {
    const { dataset } = state;
    const made = await call(action, { dataset, who: name, ...action === "save" ? { layer: editor.toPng(), base: state.base } : {} });
    const take_back = plain("Undo", attempt(async () => {
      const { said } = await call("undo", { dataset, state: made.state, who: name });
      editor.past = [];
      say(said, "done");
      changed();
    }), { class: "plain-button small" });
    editor.past = [];
    say([made.said, " ", make("a", { href: "/banks" }, "Rebuild in Banks"), " ", take_back], "done");
    changed();
  } catch (error) { say(sentence(error), "error"); }
  state.busy = "";
  show();
}

function say(words, kind) {
  message.replaceChildren(words ? note(typeof words === "string" ? words : make("span", {}, ...words), kind, () => say("")) : "");
}

function attempt(action) {
  return async (...given) => { try { say(""); return await action(...given); } catch (error) { return say(sentence(error), "error"); } };
}

// ---- the picture of it all

function show() {
  if (!state.picture) return;
  const { proposal, busy } = state, empty = !proposal && editor.empty, layer = proposal ? proposal.layer : canvas;
  for (const button of tools.children) button.setAttribute("aria-pressed", String(button.dataset.tool === state.tool));
  stage.classList.toggle("rg-brushing", state.tool !== "rectangle");
  size.disabled = state.tool === "rectangle";
  size.value = state.brush;
  sizeText.textContent = `${state.brush} px`;
  back.disabled = Boolean(proposal) || !editor.past.length;
  again.disabled = Boolean(proposal) || !editor.future.length;
  for (const [row, hidden] of [[toolRow, proposal], [brightRow, !proposal]]) row.style.visibility = hidden ? "hidden" : "";
  levelText.textContent = level.value;
  accept.disabled = !proposal?.layer;
  away.disabled = Boolean(busy) || !state.region;
  keep.disabled = Boolean(busy) || Boolean(proposal) || empty || !editor.past.length;
  keep.textContent = busy === "save" ? "Saving…" : "Save";
  canvas.hidden = Boolean(proposal);
  draw(empty ? null : layer);
  if (proposal) share.textContent = proposal.layer ? `${percent(proposal.share)} of the image would count` : "Looking at the normal images…";
  else share.textContent = empty ? "Nothing is drawn: all of an image counts" : `${percent(covered())} of the image counts`;
}
const percent = (part) => part > 0 && part < 0.01 ? "under 1%" : part < 1 && part > 0.99 ? "over 99%" : `${Math.round(100 * part)}%`;

function covered() {
  const { data } = canvas.getContext("2d", { willReadFrequently: true }).getImageData(0, 0, editor.width, editor.height);
  let set = 0;
  for (let place = 3; place < data.length; place += 4) if (data[place] > 127) set += 1;
  return set / (editor.width * editor.height);
}

// Dark outside of the region, and a line around it; nothing where there is none.
function draw(layer) {
  const context = shade.getContext("2d"), { width, height } = shade, rim = Math.max(1, Math.round(RIM * width / (stage.clientWidth || width)));
  context.globalCompositeOperation = "source-over";
  context.clearRect(0, 0, width, height);
  if (!layer) return;
  context.imageSmoothingEnabled = false;
  for (const [x, y] of [[-1, 0], [1, 0], [0, -1], [0, 1], [-1, -1], [1, -1], [-1, 1], [1, 1]]) context.drawImage(layer, x * rim, y * rim, width, height);
  context.globalCompositeOperation = "source-in";
  context.fillStyle = ExddMaskEditor.COLOUR;
  context.fillRect(0, 0, width, height);
  context.globalCompositeOperation = "destination-out";
  context.drawImage(layer, 0, 0, width, height);
  const ring = document.createElement("canvas");
  Object.assign(ring, { width, height });
  ring.getContext("2d").drawImage(shade, 0, 0);
  context.globalCompositeOperation = "source-over";
  context.clearRect(0, 0, width, height);
  context.fillStyle = SHADE;
  context.fillRect(0, 0, width, height);
  context.globalCompositeOperation = "destination-out";
  context.drawImage(layer, 0, 0, width, height);
  context.globalCompositeOperation = "source-over";
  context.drawImage(ring, 0, 0);
}

element.append(root);
};
