// Loads the script that draws diagrams: it is large, so a page loads it once, when it has something to draw.

import { make } from "./dom.js";
import { Sentence } from "./server.js";

/** Pixels on the right of every diagram for its own buttons, which stand there one below the other. */
export const BESIDE = 40;

/** The buttons of a diagram. @param {string} color @param {string} activecolor */
export const buttonsOf = (color, activecolor) => ({
  orientation: "v",
  bgcolor: "rgba(0,0,0,0)",
  color,
  activecolor,
});

/** @type {Promise<any> | null} */
let loading = null;

/** Plotly, whose types are not installed. */
export function plotly() {
  loading ||= new Promise((done, fail) => {
    const script = make("script", { src: "./plotly.js" });
    script.addEventListener("load", () => done(window.Plotly));
    script.addEventListener("error", () => {
      loading = null;
      script.remove();
      fail(
        new Sentence(
          "The script that draws diagrams could not be loaded. Is the workbench still running? Reload this page.",
        ),
      );
    });
    document.head.append(script);
  });
  return loading;
}
