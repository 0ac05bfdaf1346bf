// Waits for a file that the server makes. Knows no file's content.

import { make } from "../shared/dom.js";

/** @typedef {{ address: string, name: string }} SavedFile */

/**
 * Ask for files until they are there, with a bar and a Cancel button in `place`; none where that was pressed.
 * @param {import("./state.js").Pane["call"]} call
 * @param {"report" | "figure"} question
 * @param {object} asked
 * @param {HTMLElement} place
 * @returns {Promise<SavedFile[]>}
 */
export async function made(call, question, asked, place) {
  const { making } = await call(question, asked);
  const text = make("span", { class: "ev-jobtext" });
  const bar = make("span");
  const stop = () => call("stop", { making });
  const range = { class: "bar", role: "progressbar", "aria-label": "Creating the file" };
  place.replaceChildren(
    make(
      "div",
      { class: "ev-job" },
      text,
      make("button", { type: "button", class: "plain-button small", onclick: stop }, "Cancel"),
      make("span", range, bar),
    ),
  );
  try {
    for (;;) {
      const answer = await call("look", { making });
      if (answer.over) return answer.files;
      text.textContent = answer.text;
      bar.style.width = `${100 * answer.fraction}%`;
      await new Promise((done) => setTimeout(done, 250));
    }
  } finally {
    place.replaceChildren();
  }
}
