// Brings images here: files that are chosen or dropped anywhere on the page, or a folder of this computer.
// Knows the menu for that; the server keeps the images and opens their list.

import { find } from "../shared/dom.js";
import { counted } from "../shared/words.js";
import { enter } from "./opening.js";
import { begin } from "./scoring.js";

/** @typedef {import("./state.js").Inspect} Inspect */

/** @param {Inspect} inspect */
export function addMenu(inspect) {
  const { viewer, attempt } = inspect;
  const files = find(viewer, ".vw-files", HTMLInputElement);
  const add = attempt((/** @type {File[]} */ chosen) => addFiles(inspect, chosen));
  find(viewer, ".vw-choose").addEventListener("click", () => files.click());
  files.addEventListener("change", () => {
    add([...(files.files || [])]);
    files.value = "";
  });
  const open = attempt(() => addFolder(inspect));
  find(viewer, ".vw-folderform").addEventListener("submit", (event) => {
    event.preventDefault();
    open();
  });
  wireDrop(viewer, add);
  wireClear(inspect);
}

/** Let files that belong to no data set be taken off again; uploads come back by Undo. @param {Inspect} inspect */
function wireClear(inspect) {
  const { viewer, store, call, attempt, toast } = inspect;
  const button = find(viewer, ".vw-clear");
  const put = async (/** @type {string} */ list) => {
    const answer = await call("put_back", { list });
    await enter(inspect, answer);
    toast(answer.said);
  };
  const clear = attempt(async () => {
    const { list } = store.get();
    menuOf(viewer).open = false;
    const answer = await call("clear_list", { list });
    await enter(inspect, answer);
    toast(answer.said, list === "uploads" ? () => put(list) : undefined);
  });
  store.subscribe(["list", "images"], ({ list, images }) => {
    const [isUploads, isFolder] = [list === "uploads", list.startsWith("folder:")];
    button.hidden = !isUploads && !isFolder;
    const words = `Remove ${counted(images.length, "uploaded image")}`;
    button.textContent = isFolder ? "Remove this folder from the list" : words;
  });
  button.addEventListener("click", clear);
}

/** @param {HTMLElement} viewer */
const menuOf = (viewer) => find(viewer, ".vw-add", HTMLDetailsElement);

/** @param {Inspect} inspect */
async function addFolder(inspect) {
  const { viewer, call } = inspect;
  const path = find(viewer, ".vw-folder", HTMLInputElement).value.trim();
  if (!path) return;
  await enter(inspect, await call("add_folder", { path }));
  menuOf(viewer).open = false;
  await begin(inspect);
}

/** @param {Inspect} inspect @param {File[]} files */
async function addFiles(inspect, files) {
  const { viewer, call, upload, say } = inspect;
  if (!files.length) return;
  menuOf(viewer).open = false;
  say(`Reading ${files.length === 1 ? files[0].name : counted(files.length, "file")}…`, "info");
  const sent = [];
  for (const file of files) sent.push({ path: (await upload(file)).path, name: file.name });
  const answer = await call("add_files", { files: sent });
  await enter(inspect, answer, answer.first);
  if (files.length > 1) await begin(inspect);
}

/** @param {HTMLElement} viewer @param {(files: File[]) => unknown} add */
function wireDrop(viewer, add) {
  for (const kind of /** @type {const} */ (["dragenter", "dragover", "dragleave", "drop"])) {
    document.addEventListener(kind, (event) => {
      const { dataTransfer } = event;
      if (!viewer.isConnected || !dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      viewer.classList.toggle("vw-dropping", kind === "dragenter" || kind === "dragover");
      if (kind === "drop") add([...dataTransfer.files]);
    });
  }
}
