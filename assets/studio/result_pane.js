// The pane on the right: one candidate next to its original or the one before, its facts, and what can
// be done with it. Knows the store; what is done is the business of `acts`.

import { find, make } from "../shared/dom.js";
import { small, warning } from "../shared/parts.js";
import { address, changesBetween, isComparable, isUndecided, madeWords } from "./candidate.js";
import { all, mark } from "./parts.js";
import { resultView } from "./result_view.js";
import { seenPane } from "./seen_pane.js";

/**
 * @typedef {import("./state.js").Studio} Studio
 * @typedef {import("./candidate.js").Candidate} Candidate
 * @typedef {object} Acts
 * @property {(record: Candidate) => unknown} edit
 * @property {(record: Candidate) => unknown} reseed
 * @property {(id: string) => unknown} remove
 * @property {(ids: string[]) => unknown} keep
 * @property {(record: Candidate) => unknown} pin compare others with it, or no longer
 * @property {() => unknown} look asks what the bank says of the one that is shown
 */

/**
 * @param {Studio} studio
 * @param {Acts} acts
 */
export function resultPane(studio, acts) {
  const { root, store } = studio;
  const view = resultView(find(root, "[data-pane=result]"), store);
  const against = find(root, ".st-against");
  const outline = find(root, ".st-outline");

  const showNone = () => {
    const words = "Mark where the defect goes, describe what it looks like, then press Preview.";
    view.showEmpty(make("b", {}, "Nothing painted yet"), make("span", {}, words));
    find(root, ".st-facts").textContent = "";
    against.hidden = outline.hidden = true;
    find(root, ".st-underresult").replaceChildren();
  };
  const show = () => {
    const { shown: record, previous, against: chosen } = store.get();
    if (!record) {
      showNone();
      return;
    }
    const comparable = isComparable(previous, record);
    const other = comparable && chosen === "previous" ? previous : null;
    view.show(picturesOf(record, other));
    against.hidden = !comparable;
    const pressed = other ? "previous" : "original";
    mark(all(against, "button"), "aria-pressed", ({ dataset }) => dataset.against === pressed);
    outline.hidden = false;
    showAbout(root, store.get(), record, acts);
  };
  store.subscribe(["shown", "previous", "pinned", "against"], show);
  let growing = "";
  store.subscribe(["run"], ({ run, picture }) => {
    if (run && picture && run.picture !== growing) {
      view.showGrowing(run.picture, picture.width, picture.height);
    }
    if (!run && view.isGrowing()) show();
    growing = run?.picture || "";
  });
  const showOutlined = () => outline.setAttribute("aria-pressed", String(store.get().outlined));
  store.subscribe(["outlined"], showOutlined);
  outline.addEventListener("click", () => store.patch({ outlined: !store.get().outlined }));
  for (const button of all(against, "button")) {
    button.addEventListener("click", () => store.patch({ against: button.dataset.against }));
  }
  seenPane(studio, view, acts.look);
  showNone();
}

/** @param {Candidate} record @param {Candidate | null} other what it is laid over in place of its original */
const picturesOf = ({ id, width, height, outline }, other) => ({
  before: other ? address(other.id, "image") : address(id, "source"),
  label: other ? "Previous" : "Original",
  after: address(id, "image"),
  width,
  height,
  outline,
});

/**
 * @param {ParentNode} root
 * @param {Readonly<import("./state.js").State>} state
 * @param {Candidate} record
 * @param {Acts} acts
 */
function showAbout(root, { previous, pinned }, record, acts) {
  const facts = find(root, ".st-facts");
  facts.textContent = `${record.title} · seed ${record.seed}`;
  facts.title = `${record.id} · ${record.created} · ${record.version}`;
  const isPinned = pinned?.id === record.id;
  const rows = [buttonRow(record, isPinned, acts), ...aboutRows(record, previous)];
  find(root, ".st-underresult").replaceChildren(...rows);
}

/** @param {Candidate} record @param {boolean} isPinned whether others are compared with it @param {Acts} acts */
function buttonRow(record, isPinned, acts) {
  const { isThere } = record;
  const pin = small("Compare with this", () => acts.pin(record), {
    class: "plain-button small st-pin",
    "aria-pressed": String(isPinned),
    title: "Every result shown from now on says what changed compared with this one (C)",
  });
  const button = (
    /** @type {string} */ name,
    /** @type {string} */ words,
    /** @type {() => unknown} */ act,
  ) => small(words, act, { class: `plain-button small ${name}`, disabled: name !== "st-delete" && !isThere });
  const isDraft = record.status === "draft";
  const keep = small("Keep", () => acts.keep([record.id]), {
    class: "main-button small st-keepdraft",
    title: "A draft waits for no decision; once kept, it waits on Curate (G)",
  });
  const edit = button("st-editfrom", "Edit from here", () => acts.edit(record));
  edit.title = "Load its image, mask, prompt, settings and seed";
  const png = { href: `${address(record.id, "image")}&full=1`, download: `${record.id}.png` };
  return make(
    "div",
    { class: "st-do" },
    isDraft && keep,
    edit,
    button("st-otherseed", "Same settings, other seed", () => acts.reseed(record)),
    pin,
    make("a", { class: "plain-button small", ...png }, "PNG"),
    isUndecided(record) && button("st-delete", "Delete", () => acts.remove(record.id)),
  );
}

/** @param {Candidate} record @param {Candidate | null} previous */
function aboutRows(record, previous) {
  const negative = record.negative_prompt;
  const changes = changesBetween(previous, record);
  const changed = changes.map(({ title, values }) =>
    make(
      "span",
      { class: "st-change", title: values === null ? title : `${title}: ${values}` },
      make("b", {}, title),
      values === null ? "" : ` ${values}`,
    ),
  );
  const line = make(
    "p",
    { class: "st-changes", title: "Compared with the chosen result" },
    make("span", { class: "st-quiet" }, changes.length ? "Changed" : "Painted in the same way"),
    ...changed,
  );
  return [
    ...record.notes.map(warning),
    make(
      "p",
      { class: "st-told" },
      make("span", {}, record.prompt || "No prompt"),
      negative && make("span", { class: "st-quiet" }, ` · not: ${negative}`),
    ),
    make("p", { class: "st-quiet" }, madeWords(record)),
    ...(previous && previous.id !== record.id ? [line] : []),
  ];
}
