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

return { make, drawing, polygon, Sentence, sentence, caller, note, counted, save, plotly };

})();
