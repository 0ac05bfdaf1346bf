// The data set that this browser tab works on: it stands in the page's address, and the tab remembers it from page to
// page. Another tab's choice never changes it. Knows the address and the tab's own storage.

import { recall, remember } from "./memory.js";

const KEY = "exdd.dataset";

/** Its name; "" for the workspace's active one, before anything is known. */
export function tabDataset() {
  if (typeof location === "undefined") return "";
  return new URL(location.href).searchParams.get("dataset") || recall(KEY, "sessionStorage");
}

/**
 * Let this tab work on a data set, and its address say so.
 * @param {string} dataset
 */
export function pin(dataset) {
  if (!dataset) return;
  remember(KEY, dataset, "sessionStorage");
  const address = new URL(location.href);
  if (address.searchParams.get("dataset") === dataset) return;
  address.searchParams.set("dataset", dataset);
  history.replaceState(history.state, "", address);
}

/**
 * What a link to this page named in the address, which forgets it: once the page is worked with, a reload shows it as it
 * was left, and not what the link asked for.
 * @param {string} name
 */
export function taken(name) {
  const address = new URL(location.href);
  const value = address.searchParams.get(name);
  address.searchParams.delete(name);
  if (value !== null) history.replaceState(history.state, "", address);
  return value;
}
