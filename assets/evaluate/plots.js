// Draws the figures of a measurement in the colours of the page, light or dark. Plotly must be on the window
// already.

import { BESIDE, buttonsOf } from "../shared/plotly.js";

export const MARGIN = { l: 56, r: BESIDE, t: 36, b: 48 };

// Milliseconds after which Plotly, which draws in steps, draws no more on a plot that has left the page.
const LATER = 30_000;

/**
 * A plot of Plotly's, with what it adds to the element.
 * @typedef {HTMLElement & { data?: any, layout?: any }} Plot
 */

/** Every plot that is on the page. @type {Set<Plot>} */
const drawn = new Set();

export function look() {
  const style = getComputedStyle(document.documentElement);
  /** @param {string} name */
  const of = (name) => style.getPropertyValue(name).trim();
  return { ink: of("--ink"), muted: of("--muted"), line: of("--line"), surface: of("--surface") };
}

/** @param {any} given @param {number} [height] */
export function layoutOf(given, height) {
  const { ink, muted, line, surface } = look();
  /** @param {any} own */
  const axis = (own) => ({
    ...own,
    gridcolor: line,
    zerolinecolor: line,
    linecolor: line,
    automargin: false,
    title: { ...own?.title, font: { size: 12 } },
  });
  return {
    ...given,
    height,
    margin: MARGIN,
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: "system-ui, sans-serif", size: 12, color: ink },
    hoverlabel: { bgcolor: surface, font: { color: ink } },
    legend: { orientation: "h", x: 0, y: 1, yref: "container", yanchor: "top", bgcolor: "rgba(0,0,0,0)" },
    xaxis: axis(given.xaxis),
    yaxis: axis(given.yaxis),
    modebar: buttonsOf(muted, ink),
  };
}

/**
 * @param {Plot} place
 * @param {import("./figures.js").Figure} figure
 * @param {number} height
 * @param {string} name of the file that its picture is saved as
 * @param {any} [more] of the layout
 */
export function plot(place, figure, height, name, more = {}) {
  watchTheme();
  for (const gone of drawn) {
    if (gone.isConnected) continue;
    drawn.delete(gone);
    setTimeout(() => window.Plotly.purge(gone), LATER); // with what it listens to of the window
  }
  const zooming = more.dragmode === false ? [] : ["zoom2d", "pan2d", "resetScale2d"];
  window.Plotly.react(
    place,
    figure.data,
    { ...layoutOf(figure.layout, height), ...more },
    {
      responsive: true,
      displaylogo: false,
      toImageButtonOptions: { filename: name, scale: 2 },
      // Buttons by name: Plotly's default set offers to upload the figure.
      modeBarButtons: [["toImage", ...zooming]],
    },
  );
  drawn.add(place);
}

let isWatched = false;
function watchTheme() {
  if (isWatched) return;
  isWatched = true;
  new MutationObserver(recolour).observe(document.documentElement, { attributeFilter: ["class"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", recolour);
}

function recolour() {
  const { ink, line, surface } = look();
  const axes = ["xaxis", "yaxis"].flatMap((axis) =>
    ["gridcolor", "zerolinecolor", "linecolor"].map((what) => [`${axis}.${what}`, line]),
  );
  for (const place of drawn) {
    if (!place.isConnected) continue;
    const shapes = (place.layout.shapes || []).map((/** @type {any} */ shape) => ({
      ...shape,
      line: { ...shape.line, color: ink },
      label: { ...shape.label, font: { ...shape.label?.font, color: ink } },
    }));
    window.Plotly.relayout(place, {
      ...Object.fromEntries(axes),
      "font.color": ink,
      "hoverlabel.bgcolor": surface,
      "hoverlabel.font.color": ink,
      shapes,
    });
  }
}
