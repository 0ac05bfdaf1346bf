// A line in the histogram of one method's scores that can be dragged: whatever it turns over is counted and
// shown. Knows calibrated scores, 1 being the method's own threshold. Changes nothing that is stored.

import { make } from "../shared/dom.js";
import { createStore } from "../shared/store.js";
import { counted } from "../shared/words.js";
import { judged, pointOf, tested } from "./counting.js";
import { percent, rated, short } from "./figures.js";
import { gallery, thumb } from "./gallery.js";
import { button, card, csvButton, said, space, switchOf, under } from "./parts.js";
import { look, MARGIN, plot } from "./plots.js";

/** @typedef {import("./figures.js").Measurement} Measurement */
/** @typedef {import("./counting.js").Counts} Counts */
/** @typedef {(method: string, at: import("./counting.js").CurvePoint) => void} Moved */
/** @typedef {import("../shared/store.js").Store<{ method: string, value: number }>} ThresholdStore */

const ABOUT =
  "Drag the line: images above it are alarms. Counts and pictures follow; nothing stored changes.";

/**
 * A card with the histogram, counts and galleries; `moved` is called with where the threshold lies on the
 * curves. `show` draws it, once it is on the page.
 * @param {Measurement} data
 * @param {import("./measured.js").Addresses} addresses
 * @param {Moved} moved
 */
export function thresholdCard(data, addresses, moved) {
  const methods = Object.keys(data.result.calibrated);
  const images = tested(data.result.per_image);
  const store = createStore({ method: "", value: 1 });
  const line = dragged(data, store);
  const counts = make("div", { class: "ms-counts", role: "status" });
  const { nodes, show: showPictures } = galleries(store, addresses);

  store.subscribe(["method", "value"], ({ method, value }) => {
    const now = judged(images, data.result.calibrated[method], value);
    fillCounts(counts, now, value);
    line.tell(
      `${value.toFixed(2)}: ${now.missed.length} missed, ${counted(now.alarms.length, "false alarm")}`,
    );
    showPictures(now);
    moved(method, pointOf(now));
  });
  const { node, head } = card(
    "Threshold",
    said(ABOUT),
    make(
      "div",
      { class: "ms-threshold" },
      make("div", { class: "ms-drag" }, line.place, line.handle),
      counts,
    ),
    make("div", { class: "ms-two" }, ...nodes),
  );
  head.append(
    methodSwitch(data, methods, store),
    space(),
    button("Its own threshold", () => line.move(1)),
    button(`At ${rated(data.result.rate)} false alarms`, () =>
      line.move(data.result.at_rate[store.get().method].threshold),
    ),
    useButton(store, addresses),
    csvButton(() => scoresOf(data, methods), "scores.csv", "Scores CSV"),
  );
  return { node, show: () => store.patch({ method: methods[methods.length - 1] }) };
}

/** @param {ThresholdStore} store @param {import("./measured.js").Addresses} addresses */
function useButton(store, { isOwned, use }) {
  if (!isOwned || !use) return "";
  const useIt = () => use(store.get().method, store.get().value);
  const title = "Use this threshold for the bank version; you can undo it on Inspect";
  const shown = button("Use this", useIt, { class: "ms-button ms-use", title });
  store.subscribe(["method"], ({ method }) => (shown.style.display = isOwned(method) ? "" : "none"));
  return shown;
}

/** @param {Measurement} data @param {string[]} methods @param {ThresholdStore} store */
function methodSwitch({ titles }, methods, store) {
  const buttons = methods.map((name) =>
    button(short(titles[name]), () => store.patch({ method: name, value: 1 }), {
      class: null,
      "data-method": name,
    }),
  );
  store.subscribe(["method"], ({ method }) => {
    for (const one of buttons) one.setAttribute("aria-pressed", String(one.dataset.method === method));
  });
  return switchOf("Method", ...buttons);
}

/** @param {ThresholdStore} store @param {import("./measured.js").Addresses} addresses */
function galleries(store, { picture, link }) {
  /** @param {import("./counting.js").Judged} item */
  const thumbOf = (item) => thumb(item, picture(item.id), link?.(item.id, store.get().method));
  const missed = gallery("Missed defects", thumbOf);
  const alarms = gallery("False alarms", thumbOf);
  let shown = "";
  return {
    nodes: [
      make("div", { "data-gallery": "defect" }, ...missed.parts),
      make("div", { "data-gallery": "normal" }, ...alarms.parts),
    ],
    /** @param {Counts} counts */
    show(counts) {
      const { method } = store.get();
      if (shown !== method) for (const one of [missed, alarms]) one.clear();
      shown = method;
      missed.show(counts.missed);
      alarms.show(counts.alarms);
    },
  };
}

/** @param {HTMLElement} place @param {Counts} counts @param {number} value of the threshold */
function fillCounts(place, { defects, normals, missed, alarms, types }, value) {
  /** @param {number} number @param {string} words @param {string} [share] */
  const line = (number, words, share) =>
    make("p", {}, make("b", {}, number.toLocaleString("en")), ` ${words}`, share && under(share));
  /** @param {number} part @param {number} all */
  const share = (part, all) => (all ? `${percent(part / all)} %` : "none");
  const found = defects - missed.length;
  const byType = types.map(({ type, count, found }) =>
    make("li", {}, make("span", {}, type || "no type"), make("span", {}, `${found} of ${count}`)),
  );
  const isOne = alarms.length === 1;
  const falseWords = `false ${isOne ? "alarm" : "alarms"} of ${counted(normals, "normal image")}`;
  place.replaceChildren(
    make("p", { class: "ms-at" }, "Threshold ", make("b", { class: "ms-value" }, value.toFixed(2))),
    line(found, `of ${counted(defects, "defect")} found`, share(found, defects)),
    line(missed.length, `missed ${missed.length === 1 ? "defect" : "defects"}`),
    line(alarms.length, falseWords, share(alarms.length, normals)),
    types.length > 1 ? make("ul", { class: "ms-types" }, ...byType) : "",
  );
}

/**
 * The histogram of the chosen method with its line, and the handle that moves it.
 * @param {Measurement} data
 * @param {ThresholdStore} store
 */
function dragged(data, store) {
  const place = make("div", { class: "ms-plot" });
  const handle = handleOf();
  let frame = 0;
  const figure = () => data.figures[`histogram ${store.get().method}`];
  /** @returns {[low: number, high: number]} */
  const range = () => figure().layout.xaxis.range;
  /** @param {number} wanted */
  const move = (wanted) => {
    const [low, high] = range();
    store.patch({ value: Math.min(high, Math.max(low, wanted)) });
  };
  const shapes = () => shapesOf(figure(), store.get().value);
  const put = () => {
    if (store.get().method) putHandle(handle, place, store.get().value, range());
  };
  store.subscribe(["method"], ({ method }) => {
    const more = { shapes: shapes(), dragmode: false, margin: { ...MARGIN, t: 64 } };
    plot(place, figure(), 320, `scores-${method}`, more);
  });
  store.subscribe(["method", "value"], () => {
    put();
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(() => window.Plotly.relayout(place, { shapes: shapes() }));
  });
  const wide = () => place.clientWidth - MARGIN.l - MARGIN.r;
  follow(handle, (clientX) => {
    const [low, high] = range();
    move(low + ((clientX - place.getBoundingClientRect().left - MARGIN.l) / wide()) * (high - low));
  });
  useKeys(handle, () => store.get().value, range, move);
  new ResizeObserver(put).observe(place);
  return {
    place,
    handle,
    move,
    /** @param {string} words what the threshold means */
    tell: (words) => handle.setAttribute("aria-valuetext", words),
  };
}

const handleOf = () =>
  make(
    "div",
    {
      class: "ms-handle",
      role: "slider",
      tabindex: 0,
      "aria-label": "Threshold",
      "aria-orientation": "horizontal",
      title: "Drag it, or use the arrow keys",
    },
    make("span"),
  );

/**
 * @param {HTMLElement} handle
 * @param {HTMLElement} place
 * @param {number} value
 * @param {[number, number]} range
 */
function putHandle(handle, place, value, [low, high]) {
  const wide = place.clientWidth - MARGIN.l - MARGIN.r;
  handle.style.left = `${MARGIN.l + ((value - low) / (high - low)) * wide}px`;
  handle.setAttribute("aria-valuenow", value.toFixed(2));
  handle.setAttribute("aria-valuemin", low.toFixed(2));
  handle.setAttribute("aria-valuemax", high.toFixed(2));
  if (handle.firstChild) handle.firstChild.textContent = value.toFixed(2);
}

/**
 * What the histogram has of its own, and the line.
 * @param {import("./figures.js").Figure} figure
 * @param {number} at
 */
function shapesOf(figure, at) {
  const { ink } = look();
  const bands = (figure.layout.shapes || []).map((/** @type {any} */ band) => ({
    ...band,
    label: { ...band.label, font: { ...band.label?.font, color: ink } },
  }));
  const line = { type: "line", x0: at, x1: at, y0: 0, y1: 1, yref: "paper", line: { color: ink, width: 2 } };
  return [...bands, line];
}

/** @param {HTMLElement} handle @param {(clientX: number) => void} to */
function follow(handle, to) {
  handle.addEventListener("pointerdown", (event) => {
    handle.setPointerCapture(event.pointerId);
    handle.focus();
    event.preventDefault();
    handle.onpointermove = ({ clientX }) => to(clientX);
  });
  for (const end of ["pointerup", "pointercancel"]) {
    handle.addEventListener(end, () => (handle.onpointermove = null));
  }
}

/**
 * @param {HTMLElement} handle
 * @param {() => number} value
 * @param {() => [low: number, high: number]} range
 * @param {(value: number) => void} move
 */
function useKeys(handle, value, range, move) {
  handle.addEventListener("keydown", (event) => {
    const [low, high] = range();
    const step = (high - low) / (event.shiftKey ? 20 : 200);
    /** @type {Record<string, number>} */
    const wanted = {
      ArrowLeft: value() - step,
      ArrowDown: value() - step,
      ArrowRight: value() + step,
      ArrowUp: value() + step,
      Home: low,
      End: high,
    };
    if (!(event.key in wanted)) return;
    event.preventDefault();
    move(wanted[event.key]);
  });
}

/** @param {Measurement} data @param {string[]} methods */
function scoresOf({ result }, methods) {
  const { per_image: images, calibrated } = result;
  const rows = images.id.map((id, at) => [
    id,
    images.group[at],
    images.label[at],
    images.defect_type[at],
    ...methods.map((name) => calibrated[name][at]),
  ]);
  return [["image", "part", "label", "type", ...methods], ...rows];
}
