// The filters of the queue: by trait a list to choose from, by measure a line of lights.

import { find, make } from "../shared/dom.js";
import { lamp } from "./parts.js";
import { named } from "./words.js";

/** @typedef {import("./state.js").Pane} Pane */
/** @typedef {import("./queue.js").Narrow} Narrow */
/** @typedef {import("./words.js").Light} Light */

/** @param {Pane} pane @param {Narrow} narrow */
export function showFilters(pane, narrow) {
  const { page, store, terms } = pane;
  const box = find(page, ".cu-filters");
  store.subscribe(["filters", "sifting"], ({ filters, chosen }) => {
    showLights(pane, narrow);
    if (box.contains(document.activeElement)) return;
    const offered = terms.traits.filter((name) => filters[name]?.length > 1 || chosen[name] !== null);
    box.replaceChildren(...offered.map((name) => traitSelect(pane, narrow, name)), measureButton(pane));
  });
}

/** @param {Pane} pane @param {Narrow} narrow @param {string} name */
function traitSelect({ store }, narrow, name) {
  const { filters, chosen } = store.get();
  const options = (filters[name] || []).map(({ value, title, count }) =>
    make(
      "option",
      { value: `=${value}`, selected: value === chosen[name] },
      `${title} (${count.toLocaleString("en")})`,
    ),
  );
  const every = make("option", { value: "*" }, `Any ${name}`);
  const select = make(
    "select",
    {
      "data-filter": name,
      "aria-label": `Filter by ${name}`,
      class: chosen[name] === null ? "" : "cu-set",
      onchange: () => {
        select.blur();
        narrow({}, { [name]: select.value === "*" ? null : select.value.slice(1) });
      },
    },
    every,
    ...options,
  );
  return select;
}

/** @param {Pane} pane */
function measureButton({ store, terms }) {
  const { sifting, chosen } = store.get();
  const isSet = terms.measures.some((name) => chosen[name] !== null);
  const button = make(
    "button",
    {
      type: "button",
      class: `plain-button cu-sift${isSet ? " cu-set" : ""}`,
      "aria-expanded": String(sifting),
      "aria-controls": "cu-lights",
      onclick: () => {
        store.patch({ sifting: !store.get().sifting });
        button.setAttribute("aria-expanded", String(store.get().sifting));
      },
    },
    "By measure",
  );
  return button;
}

/**
 * A line for each measure, with how many candidates have which light: a click shows those alone, another one
 * all again.
 * @param {Pane} pane
 * @param {Narrow} narrow
 */
function showLights(pane, narrow) {
  const { page, store, terms } = pane;
  const box = find(page, ".cu-lights");
  const { sifting, filters, chosen } = store.get();
  const active = document.activeElement;
  const focused = active && box.contains(active) && active.getAttribute("data-light");
  box.hidden = !sifting;
  // Drawn anew only where it differs: a button that is replaced while the mouse is down loses the click.
  const drawn = JSON.stringify(terms.measures.map((name) => [filters[name], chosen[name]]));
  if (sifting && box.dataset.drawn !== drawn) {
    box.dataset.drawn = drawn;
    const lights = /** @type {Light[]} */ (Object.keys(terms.lights));
    const lines = terms.measures.map((name) =>
      make(
        "div",
        { role: "group", "aria-label": named(name) },
        make("span", {}, named(name)),
        ...lights.map((light) => lightButton(pane, narrow, name, light)),
      ),
    );
    box.replaceChildren(...lines);
  }
  if (focused) find(box, `[data-light="${focused}"]`).focus();
}

/** @param {Pane} pane @param {Narrow} narrow @param {string} name @param {Light} light */
function lightButton({ store, terms }, narrow, name, light) {
  const { filters, chosen } = store.get();
  const count = filters[name]?.find(({ value }) => value === light)?.count || 0;
  const isSet = chosen[name] === light;
  return make(
    "button",
    {
      type: "button",
      "data-light": `${name} ${light}`,
      "aria-pressed": String(isSet),
      disabled: !count && !isSet,
      title: `${named(name)}: ${terms.lights[light]}`,
      // Asks what is chosen now: a second click may come before the first one's answer.
      onclick: () => narrow({}, { [name]: store.get().chosen[name] === light ? null : light }),
    },
    lamp(light, terms),
    count.toLocaleString("en"),
  );
}
