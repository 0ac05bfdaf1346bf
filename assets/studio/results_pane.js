// All results as cards, with filters, counts and more of them. Knows the store and what asks the server
// for results.

import { find, make } from "../shared/dom.js";
import { plain } from "../shared/parts.js";
import { refill, roving } from "../shared/roving.js";
import { taken } from "../shared/tab.js";
import { counted } from "../shared/words.js";
import { address, itemTitle } from "./candidate.js";
import { all, link, mark } from "./parts.js";
import { showCandidate, showMore } from "./results.js";
import { isReady } from "./settings.js";
import { ALL_RESULTS } from "./state.js";

/**
 * @typedef {import("./state.js").Studio} Studio
 * @typedef {import("./state.js").Filter} Filter
 * @typedef {import("./candidate.js").Item} Item
 */

/** @type {[status: string, words: string][]} */
const STATUSES = [
  ["all", "All"],
  ["draft", "Drafts"],
  ["pending", "Pending"],
  ["accepted", "Accepted"],
  ["rejected", "Rejected"],
];

/**
 * @param {Studio} studio
 * @param {() => Promise<unknown>} refresh
 * @param {() => unknown} preview
 */
export function resultsPane(studio, refresh, preview) {
  const { root, store, attempt } = studio;
  const filterBy = (/** @type {Partial<Filter>} */ change) => {
    store.patch({ filter: { ...store.get().filter, ...change } });
    refresh();
  };
  const showAll = () => {
    taken("job");
    filterBy(ALL_RESULTS);
  };
  const open = attempt(async (/** @type {string} */ id) => {
    await showCandidate(studio, id);
    reveal(root);
  });
  const more = attempt(() => showMore(studio));
  const box = find(root, ".st-results");
  const rove = roving(box, "[aria-selected=true]");
  const markShown = () => {
    const { shown } = store.get();
    mark(all(box, "[data-id]"), "aria-selected", ({ dataset }) => dataset.id === shown?.id);
    rove();
  };
  store.subscribe(["results"], (state) => {
    if (state.results.length) refill(box, () => showCards(box, state.results, open));
    else box.replaceChildren(emptyNote(state, showAll, preview));
    markShown();
  });
  store.subscribe(["results", "total"], ({ results, total, pageSize }) => {
    const rest = Math.min(pageSize, total - results.length);
    find(root, ".st-more").replaceChildren(rest > 0 ? plain(`Show ${rest} more`, more) : "");
  });
  store.subscribe(["shown"], markShown);
  const showFilters = () => showFilterRow(studio, filterBy, showAll);
  store.subscribe(["total", "counts", "filter", "engines", "prompts"], showFilters);
  for (const [selector, name] of [
    [".st-byengine", "engine"],
    [".st-byprompt", "prompt"],
  ]) {
    const select = find(root, selector, HTMLSelectElement);
    select.addEventListener("change", () => {
      select.blur();
      filterBy({ [name]: select.value });
    });
  }
}

/** Scroll to the pane, which may be out of sight. @param {ParentNode} root */
function reveal(root) {
  const { top } = find(root, "[data-pane=result]").getBoundingClientRect();
  if (top >= 64 && top <= window.innerHeight - 160) return;
  find(root, ".st-panes").scrollIntoView({ behavior: "smooth", block: "center" });
}

/**
 * @param {Readonly<import("./state.js").State>} state
 * @param {() => unknown} showAll
 * @param {() => unknown} preview
 */
function emptyNote(state, showAll, preview) {
  const { status, engine, prompt, job } = state.filter;
  const isFiltered = status !== "all" || engine || prompt || job;
  const [title, words, label] = isFiltered
    ? ["No results match the filters", "Show all of them again.", "Show all"]
    : [
        "No results yet",
        "Everything you paint appears here, as pending, and stays when you leave.",
        "Preview one",
      ];
  const button = { class: "main-button", onclick: isFiltered ? showAll : preview };
  return make(
    "div",
    { class: "empty" },
    make("p", { class: "empty-title" }, title),
    make("p", {}, words),
    make("button", { type: "button", ...button, disabled: !isFiltered && !isReady(state) }, label),
  );
}

/**
 * Show cards; those that are there stay the same elements.
 * @param {HTMLElement} box
 * @param {Item[]} results
 * @param {(id: string) => void} open
 */
function showCards(box, results, open) {
  const known = new Map(
    all(box, "[data-id]").map((node) => [`${node.dataset.id}${node.dataset.status}${node.title}`, node]),
  );
  const cards = results.map((item) => {
    const old = known.get(`${item.id}${item.status}${itemTitle(item)}`);
    return old || card(item, open);
  });
  box.replaceChildren(...cards);
}

/** @param {Item} item @param {(id: string) => void} open */
function card(item, open) {
  const { id, title, seed, status } = item;
  const facts = `${title} · seed ${seed}${status === "pending" ? "" : ` · ${status}`}`;
  const properties = {
    role: "option",
    class: "st-result",
    "data-id": id,
    "data-status": status,
    title: itemTitle(item),
  };
  return make(
    "button",
    { type: "button", ...properties, "aria-selected": "false", onclick: () => open(id) },
    make("img", { loading: "lazy", alt: "", src: address(id, "close") }),
    make("span", {}, item.prompt || "No prompt"),
    make("span", { class: "st-quiet", style: "font-size: 12px" }, facts),
  );
}

/**
 * @param {Studio} studio
 * @param {(change: Partial<Filter>) => void} filterBy
 * @param {() => unknown} showAll
 */
function showFilterRow({ root, store }, filterBy, showAll) {
  const { total, counts, filter, engines, prompts, dataset } = store.get();
  const job = filter.job ? make("span", {}, " of one job ", link("Show all", showAll)) : "";
  find(root, ".st-count").replaceChildren(total ? counted(total, "result") : "", job);
  const known = STATUSES.filter(([key]) => key === "all" || key === filter.status || counts[key]);
  const chips = known.map(([key, words]) => {
    const number = key === "all" ? "" : (counts[key] || 0).toLocaleString("en");
    const pressed = { class: "st-chip", "aria-pressed": String(filter.status === key) };
    const onclick = () => filterBy({ status: key });
    return make("button", { type: "button", ...pressed, onclick }, `${words} `, make("b", {}, number));
  });
  const isUseful = chips.length > 2 || filter.status !== "all";
  find(root, ".st-chips").replaceChildren(...(isUseful ? chips : []));
  const { status, engine, prompt } = filter;
  const asked = {
    dataset,
    job: filter.job,
    engine,
    prompt_id: prompt,
    status: status === "all" ? "" : status,
  };
  const contact = find(root, ".st-contact", HTMLAnchorElement);
  contact.href = `./contact?${new URLSearchParams(asked)}`;
  contact.hidden = !total;
  const byEngine = engines.map(({ name, title }) => ({ value: name, words: title }));
  fillSelect(find(root, ".st-byengine", HTMLSelectElement), "Every engine", byEngine, filter.engine);
  const byPrompt = prompts.map(({ id, name }) => ({ value: id, words: name }));
  fillSelect(find(root, ".st-byprompt", HTMLSelectElement), "Every prompt", byPrompt, filter.prompt);
}

/**
 * @param {HTMLSelectElement} select
 * @param {string} first
 * @param {{ value: string, words: string }[]} options
 * @param {string} chosen
 */
function fillSelect(select, first, options, chosen) {
  select.hidden = options.length < 2 && !chosen;
  if (document.activeElement === select) return;
  const rest = options.map(({ value, words }) =>
    make("option", { value, selected: value === chosen }, words),
  );
  select.replaceChildren(make("option", { value: "" }, first), ...rest);
}
