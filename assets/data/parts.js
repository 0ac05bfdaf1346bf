// Small elements that the region editor uses again and again.

import { make } from "../shared/dom.js";
import { note } from "../shared/voice.js";
import { sentence } from "../shared/server.js";

/**
 * A place for what the editor says. `say` shows words and elements, `attempt` makes of an action
 * one whose errors are shown.
 */
export function voiceIn() {
  const box = make("div", { class: "rg-message" });

  /**
   * @param {string | import("../shared/dom.js").Child[]} words
   * @param {import("../shared/voice.js").Kind} kind
   */
  const say = (words, kind = "error") => {
    if (!words) {
      box.replaceChildren();
      return;
    }
    const inside = typeof words === "string" ? words : make("span", {}, ...words);
    box.replaceChildren(note(inside, kind, () => say("")));
  };

  /**
   * @template {unknown[]} Given
   * @param {(...given: Given) => unknown} action
   */
  const attempt =
    (action) =>
    /** @param {Given} given */
    async (...given) => {
      try {
        say("");
        await action(...given);
      } catch (error) {
        say(sentence(error));
      }
    };
  return { box, say, attempt };
}
