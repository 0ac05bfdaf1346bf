// The map and the histograms as Plotly draws them. Pure: colours are handed in, nothing is drawn here.

import { BESIDE, buttonsOf } from "../shared/plotly.js";
import { COLOURINGS, typesByRows } from "./words.js";

/** @typedef {import("./words.js").BankMap} BankMap */
/** @typedef {import("./words.js").Distances} Distances */
/** @typedef {keyof typeof COLOURINGS} Colouring */
/**
 * Colours as CSS writes them, "#rrggbb" for the three kinds.
 * @typedef {object} Look
 * @property {string} ink
 * @property {string} line
 * @property {string} muted
 * @property {string} accent
 * @property {string} normal
 * @property {string} defect
 * @property {string} painted
 * @property {string[]} types
 * @property {string} family of the font
 */

// Above so many dots each is smaller.
const MANY = 6000;

/**
 * Colour of every name that dots may have, that of normal rows first. The most frequent types have their own.
 * @param {BankMap} map
 * @param {Colouring} colouring
 * @param {Look} look
 * @returns {Map<string, string>}
 */
export function shadesOf(map, colouring, look) {
  if (colouring === "type") {
    const last = look.types.length - 1;
    const types = typesByRows(map).map((type, at) => [type, look.types[Math.min(at, last)]]);
    return new Map([["Normal", look.normal], .../** @type {[string, string][]} */ (types)]);
  }
  if (colouring === "source") {
    return new Map([
      ["Normal image", look.normal],
      ["Real defect", look.defect],
      ["Painted defect", look.painted],
    ]);
  }
  return new Map([
    ["Negative bank", look.normal],
    ["Positive bank", look.defect],
  ]);
}

/**
 * A trace for each name, and rings around the chosen row and the other rows of its image.
 * @param {BankMap} map
 * @param {Colouring} colouring
 * @param {number | null} chosen
 * @param {Look} look
 * @param {"scatter" | "scattergl"} type
 */
export function tracesOf(map, colouring, chosen, look, type) {
  const { of } = COLOURINGS[colouring];
  const shades = shadesOf(map, colouring, look);
  /** @type {Map<string, number[]>} */
  const groups = new Map([...shades.keys()].map((name) => [name, []]));
  map.image.forEach((at, dot) => groups.get(of(map.images[at]))?.push(dot));
  const size = map.x.length > MANY ? 4 : 6;
  const traces = [...groups]
    .filter(([, dots]) => dots.length)
    .map(([name, dots], at) => ({
      type,
      mode: "markers",
      name: `${name.replaceAll("<", "&lt;")} (${dots.length.toLocaleString("en")})`,
      customdata: dots,
      hoverinfo: "none",
      x: dots.map((dot) => map.x[dot]),
      y: dots.map((dot) => map.y[dot]),
      marker: {
        color: shades.get(name),
        size: at ? size + 1 : size,
        opacity: at ? 0.8 : 0.45,
        symbol: name === "Painted defect" ? "diamond" : "circle",
      },
    }));
  return [...traces, ...rings(map, chosen, look, type, size)];
}

/**
 * @param {BankMap} map
 * @param {number | null} chosen
 * @param {Look} look
 * @param {string} type
 * @param {number} size of a dot
 */
function rings(map, chosen, look, type, size) {
  if (chosen === null) return [];
  /** @param {number[]} dots @param {number} width @param {number} across */
  const ring = (dots, width, across) => ({
    type,
    mode: "markers",
    showlegend: false,
    hoverinfo: "skip",
    x: dots.map((dot) => map.x[dot]),
    y: dots.map((dot) => map.y[dot]),
    marker: { color: look.ink, size: across, symbol: "circle-open", line: { width } },
  });
  const own = map.image.flatMap((at, dot) => (at === map.image[chosen] ? [dot] : []));
  return [ring(own, 1.5, size + 5), ring([chosen], 3, size + 12)];
}

/**
 * The range of an axis: all values with some room, so that it is the same whatever is chosen.
 * @param {number[]} values
 */
export function rangeOf(values) {
  const least = values.reduce((a, b) => Math.min(a, b));
  const most = values.reduce((a, b) => Math.max(a, b));
  const room = 0.06 * (most - least) || 1;
  return [least - room, most + room];
}

/**
 * What both kinds of figure look like, with `more` in place of it.
 * @param {Look} look
 * @param {Record<string, any>} more
 * @returns {Record<string, any>}
 */
function layoutOf({ ink, line, muted, accent, family }, more) {
  /** @param {any} given */
  const axis = (given) => ({
    showgrid: true,
    gridcolor: line,
    zeroline: false,
    linecolor: line,
    tickfont: { color: muted },
    ...given,
    title: { font: { size: 12, color: muted }, ...given.title },
  });
  return {
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family, size: 12, color: ink },
    modebar: buttonsOf(muted, accent),
    margin: { l: 40, r: BESIDE, t: 40, b: 40 },
    hoverdistance: 12,
    showlegend: true,
    legend: { orientation: "h", x: 0, y: 1, yanchor: "bottom", itemsizing: "constant", font: { size: 13 } },
    ...more,
    xaxis: axis(more.xaxis),
    yaxis: axis(more.yaxis),
  };
}

/**
 * @param {BankMap} map
 * @param {string} bank its id
 * @param {Look} look
 */
export function mapLayout(map, bank, look) {
  /** @param {number} at */
  const variance = (at) =>
    map.explained.length
      ? `Component ${at + 1}, ${Math.round(100 * map.explained[at])} % of the variance`
      : "";
  /** @param {number[]} values @param {number} at */
  const axis = (values, at) => ({
    showticklabels: false,
    ticks: "",
    range: rangeOf(values),
    title: { text: variance(at) },
  });
  return layoutOf(look, {
    uirevision: `${bank} ${map.method}`,
    dragmode: "zoom",
    hovermode: "closest",
    xaxis: axis(map.x, 0),
    yaxis: axis(map.y, 1),
  });
}

/**
 * A line for each kind of patches that has distances to the bank `side`.
 * @param {Distances} found
 * @param {import("./words.js").Side} side
 * @param {Look} look
 */
export function histogramLines({ kinds, edges }, side, look) {
  const drawn = {
    normal: ["Normal", look.normal, "solid"],
    real: ["Real defects", look.defect, "solid"],
    synthetic: ["Painted defects", look.painted, "dash"],
  };
  return kinds.flatMap((kind) => {
    const shares = kind[side];
    if (!shares) return [];
    const [name, color, dash] = drawn[kind.name];
    return {
      type: "scatter",
      mode: "lines",
      name: `${name} (${kind.patches.toLocaleString("en")})`,
      x: edges[side],
      y: [...shares.map((share) => 100 * share), 0],
      line: { shape: "hv", width: 2, color, dash },
      fill: "tozeroy",
      fillcolor: faint(color),
      hovertemplate: "%{y:.1f} % around %{x:.1f}<extra>%{fullData.name}</extra>",
    };
  });
}

/** @param {string} hex */
const faint = (hex) => `rgba(${[1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16)).join(", ")}, 0.18)`;

/**
 * @param {number[]} edges of the bins
 * @param {string} title of the x axis
 * @param {number} limit where the 99 % line stands; 0: there is none
 * @param {Look} look
 */
export function histogramLayout(edges, title, limit, look) {
  const [first, last] = [edges[0], edges[edges.length - 1]];
  const isLate = limit > first + 0.75 * (last - first);
  return layoutOf(look, {
    margin: { l: 56, r: 16, t: 32, b: 48 },
    hovermode: "closest",
    dragmode: false,
    xaxis: { title: { text: title }, range: [first, last], fixedrange: true },
    yaxis: { title: { text: "Share of patches, %" }, rangemode: "tozero", fixedrange: true },
    shapes: limit ? [limitLine(limit, look)] : [],
    annotations: limit ? [limitWords(limit, isLate, look)] : [],
  });
}

/** @param {number} limit @param {Look} look */
const limitLine = (limit, { ink }) => ({
  type: "line",
  x0: limit,
  x1: limit,
  y0: 0,
  y1: 1,
  yref: "paper",
  line: { color: ink, width: 1.5, dash: "dot" },
});

/** @param {number} limit @param {boolean} isLate whether words go to its left @param {Look} look */
const limitWords = (limit, isLate, { ink }) => ({
  x: limit,
  y: 1,
  yref: "paper",
  yanchor: "top",
  xanchor: isLate ? "right" : "left",
  xshift: isLate ? -4 : 4,
  showarrow: false,
  text: "99 % of normal",
  font: { size: 12, color: ink },
});
