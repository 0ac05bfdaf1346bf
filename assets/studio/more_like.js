// Begins with paintings like a known defect, or with those of a type, where the page's address names one: a mask on a
// normal image, the type, and the words for it. Knows the store and the server.

import { imageName } from "../shared/words.js";
import { openSource } from "./sources.js";
import { formOf } from "./state.js";

/** How many are ordered at first. */
const COUNT = 10;

/** @param {import("./state.js").Studio} studio */
export async function beginLike(studio) {
  const address = new URL(location.href);
  const { like, surface, type } = Object.fromEntries(address.searchParams);
  if (!like && !type) return;
  for (const name of ["like", "surface", "type"]) address.searchParams.delete(name);
  history.replaceState(history.state, "", address); // a reload shows the form as it was left
  const { store, toast } = studio;
  const before = formOf(store.get());
  const said = like ? await takeDefect(studio, like, surface || "") : await takeType(studio, type);
  toast(said, () => openSource(studio, before.source, { ...before, donors: null }));
}

/**
 * @param {import("./state.js").Studio} studio
 * @param {string} id of the image with the defect
 * @param {string} surface the normal image to paint on, or ""
 */
async function takeDefect(studio, id, surface) {
  const answer = await studio.call("like", { id, surface });
  const { source, layer, file, type, fromTest } = answer;
  await openSource(studio, source, {
    ...{ kind: "drawn", drawn: { layer, base: file }, vary: true, fromTest, donors: null },
    ...{ ...wordsOf(answer), type, count: COUNT, where: "random" },
  });
  const test = fromTest ? " It comes from a test image, as every record says." : "";
  const words = answer.prompt ? ", its type and its prompt" : "";
  return `Loaded the mask of ${imageName(id)}, placed differently each time${words}.${test}`;
}

/** @param {import("./state.js").Studio} studio @param {string} type */
async function takeType({ store, call }, type) {
  const words = wordsOf(await call("words_for", { type }));
  store.patch({ ...words, type, vary: true, count: COUNT, where: "random" });
  return `Loaded the prompt for ${type}, with a different mask each time.`;
}

/** @param {{ prompt: string, negative: string, promptId: string }} answer */
const wordsOf = ({ prompt, negative, promptId }) => (prompt ? { prompt, negative, promptId } : {});
