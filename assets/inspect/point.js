// Compares a point of the image with the banks: asks the server and puts its answer into the store.
// Knows no element.

import { sentence } from "../shared/server.js";

/** @typedef {import("./state.js").Inspect} Inspect */

/** @param {Inspect} inspect */
export function choosePeak(inspect) {
  const { result } = inspect.store.get();
  if (result) choosePoint(inspect, ...result.peak, true);
}

/**
 * Compare the patch at a pixel with its nearest patches.
 * @param {Inspect} inspect
 * @param {number} x
 * @param {number} y
 */
export async function choosePoint({ store, call, say }, x, y, isPeak = false) {
  const { id, result } = store.get();
  if (!result) return;
  const point = { x, y, isPeak };
  store.patch({ point, box: null });
  const isMine = () => store.get().id === id && store.get().point === point;
  try {
    const answer = await call("point", { id, x, y });
    if (isMine()) store.patch({ box: answer.here.at, match: { ...answer, isPeak } });
  } catch (error) {
    if (isMine()) say(sentence(error));
  }
}
