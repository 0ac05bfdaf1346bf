// What the scripts of several pages share: making elements and outlines, asking the server, sentences for people.
// It knows nothing of any page.

window.exddParts = (() => {

function make(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "class") node.className = value;
    else if (name === "style") node.style.cssText = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

// An SVG over a picture of this size, with one path for every [class, d].
function drawing(width, height, ...paths) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("preserveAspectRatio", "none");
  for (const [name, d] of paths) {
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    path.setAttribute("class", name);
    path.setAttribute("d", d);
    svg.append(path);
  }
  return svg;
}

const polygon = (lines) => lines.map((line) => "M" + line.map(([x, y]) => `${x + 0.5} ${y + 0.5}`).join("L") + "Z").join("");

class Sentence extends Error {} // what people may read; anything else is our mistake
const sentence = (error) => {
  if (error instanceof Sentence) return error.message;
  console.error(error);
  return "Something went wrong in this page that should not have; reload it.";
};

// The functions of a component's server: each takes one object and answers one; { error } is a sentence.
const caller = (server) => async (name, argument = {}) => {
  let answer;
  try { answer = await server[name](argument); }
  catch { throw new Sentence("The workbench does not answer. Is it still running? Start it and reload this page."); }
  if (answer && answer.error) throw new Sentence(answer.error);
  return answer;
};

function note(words, kind, close) {
  return make("div", { class: `note ${kind}`, role: kind === "error" ? "alert" : "status" },
    make("span", { class: "note-icon", "aria-hidden": "true" }, { info: "i", done: "✓", error: "!" }[kind]),
    make("span", { style: "flex: 1" }, words),
    close && make("button", { type: "button", class: "plain-button small", onclick: close }, "Close"));
}

const counted = (number, one, many = `${one}s`) => `${number.toLocaleString("en")} ${number === 1 ? one : many}`;

const save = ({ address, name }) => {
  const link = make("a", { href: new URL(address, document.baseURI).href, download: name });
  document.body.append(link);
  link.click();
  link.remove();
};

// What draws diagrams is large: it is loaded when a page has something to draw, once.
let drawer = null;
const plotly = () => drawer ||= new Promise((done, fail) => {
  document.head.append(make("script", {
    src: "/plotly.js", onload: () => done(window.Plotly),
    onerror: (event) => { drawer = null; event.target.remove(); fail(new Sentence("The script that draws diagrams could not be loaded. Is the workbench still running? Reload this page.")); },
  }));
});

// Only the latest answer to a question counts, and no two run at once.
function latest(question) {
  let running = null, next = null;
  return (...given) => {
    next = given;
    running ||= (async () => {
      try { while (next) { const now = next; next = null; await question(...now); } } finally { running = null; }
    })();
    return running;
  };
}

// What a page with .st-message, .st-toast and .st-dialog says: `say` a sentence above everything, `toast` one that goes
// by itself and can offer an Undo; `attempt` makes an action whose errors are said.
function voice(page) {
  const [message, box, dialog] = ["message", "toast", "dialog"].map((name) => page.querySelector(`.st-${name}`)), usual = box.parentNode;
  let fading = 0;
  const say = (words, kind = "error") => {
    message.hidden = !words;
    message.replaceChildren(words ? note(words, kind, () => say("")) : "");
  };
  const attempt = (action) => async (...given) => {
    try { say(""); return await action(...given); } catch (error) { say(sentence(error)); }
  };
  const toast = (words, undo) => {
    clearTimeout(fading);
    (dialog.open ? dialog : usual).append(box); // nothing outside of an open dialog can be pressed
    box.hidden = false;
    box.replaceChildren(make("span", {}, words), !undo ? "" : make("button", { type: "button", onclick: attempt(async () => { box.hidden = true; await undo(); }) }, "Undo"));
    box.style.paddingRight = undo ? "8px" : "16px";
    fading = setTimeout(() => { box.hidden = true; }, undo ? 9000 : 4000);
  };
  return { say, attempt, toast };
}

// Follow the pointer that pressed an element until it is let go.
function drag(event, step, end = () => {}) {
  const view = event.currentTarget;
  event.preventDefault();
  view.setPointerCapture(event.pointerId);
  const finish = () => {
    view.removeEventListener("pointermove", step);
    ["pointerup", "pointercancel"].forEach((name) => view.removeEventListener(name, finish));
    end();
  };
  view.addEventListener("pointermove", step);
  ["pointerup", "pointercancel"].forEach((name) => view.addEventListener(name, finish));
}

return { make, drawing, polygon, Sentence, sentence, caller, note, counted, save, plotly, latest, voice, drag };

})();
