// A name that is edited in its place. Knows no page.

import { make } from "./dom.js";
import { small } from "./parts.js";

/** As many characters as a name has at most (exdd_core/workspace/names.py). */
const LONGEST = 63;

/**
 * Show a field in place of the name that an element holds, until it is kept or left.
 * @param {HTMLElement} place
 * @param {(name: string) => unknown} keep what a name that cannot be used leaves as it is, so that it can be mended
 * @param {string} [name] where the element holds more than it
 */
export function editName(place, keep, name = place.textContent || "") {
  const before = [...place.childNodes];
  if (place.querySelector(".rename")) return;
  const field = make("input", { value: name, maxlength: LONGEST, "aria-label": "New name" });
  const leave = () => place.replaceChildren(...before);
  /** @param {SubmitEvent} event */
  const onsubmit = (event) => {
    event.preventDefault();
    keep(field.value.trim());
  };
  /** @param {KeyboardEvent} event */
  const onkeydown = (event) => {
    event.stopPropagation(); // the page has keys of its own
    if (event.key !== "Escape") return;
    event.preventDefault(); // a dialog around it stays open
    leave();
  };
  const kept = make("button", { type: "submit", class: "plain-button small" }, "Save");
  place.replaceChildren(
    make("form", { class: "rename", onsubmit, onkeydown }, field, kept, small("Cancel", leave)),
  );
  field.select();
}
