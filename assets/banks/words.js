// What the map and the histograms of a bank version say. Pure: knows no element, no colour and no server.

import { counted, imageName } from "../shared/words.js";

/**
 * As pages/banks/map.py tells of them.
 * @typedef {"negative" | "positive"} Side
 * @typedef {{ id: string, side: Side, origin: string, defect_type: string, group: string }} BankImage
 *
 * A column of each row of both banks; `image` is a place in `images`.
 * @typedef {object} BankMap
 * @property {"pca" | "umap"} method
 * @property {number[]} x
 * @property {number[]} y
 * @property {number[]} image
 * @property {number[]} row
 * @property {number[]} column
 * @property {BankImage[]} images
 * @property {number[]} explained share of the variance along each axis; empty for UMAP
 * @property {number} left_out rows that the map does not show
 *
 * @typedef {object} Kind
 * @property {"normal" | "real" | "synthetic"} name
 * @property {number} patches
 * @property {number} beyond share of them past the 99 % line
 * @property {number[]} negative share in each bin
 * @property {number[] | null} positive
 *
 * @typedef {object} Distances
 * @property {Kind[]} kinds
 * @property {Partial<Record<Side, number[]>>} edges of the bins
 * @property {number} visible_from 99 % of held-out normal patches have a smaller distance N
 * @property {string} [failed] why there are none
 */

/** @type {Record<Side, string>} */
export const BANKS = { negative: "Negative bank", positive: "Positive bank" };

/** @param {BankImage} image */
export function sourceOf(image) {
  if (image.side === "negative") return "Normal image";
  return image.origin === "synthetic" ? "Painted defect" : "Real defect";
}

/** @param {BankImage} image */
export const typeOf = (image) => (image.side === "negative" ? "Normal" : image.defect_type || "No type");

/** @param {BankImage} image */
export const nameOf = (image) =>
  image.id.startsWith("file:")
    ? imageName(image.id)
    : image.id.split("/").slice(1).join("/") || `painted ${image.id}`;

/** The image of the map's row `dot`. @param {BankMap} map @param {number} dot */
export const imageOf = (map, dot) => map.images[map.image[dot]];

/** Source and type, for the box at the pointer. @param {BankImage} image */
export const kindOf = (image) =>
  image.side === "negative" ? "Normal image" : `${sourceOf(image)} · ${typeOf(image)}`;

/** What stays the same of a row when its bank changes. @param {BankMap} map @param {number} dot */
export function keyOf(map, dot) {
  const image = imageOf(map, dot);
  return `${image.side} ${image.id} ${map.row[dot]} ${map.column[dot]}`;
}

/** What dots may be coloured by: a name for every image. */
export const COLOURINGS = {
  bank: { title: "Bank", of: (/** @type {BankImage} */ image) => BANKS[image.side] },
  source: { title: "Source", of: sourceOf },
  type: { title: "Defect type", of: typeOf },
};

/** Defect types on the map, those of most rows first. @param {BankMap} map */
export function typesByRows(map) {
  /** @type {Map<string, number>} */
  const rows = new Map();
  for (const at of map.image) {
    const type = typeOf(map.images[at]);
    rows.set(type, (rows.get(type) || 0) + 1);
  }
  rows.delete("Normal");
  return [...rows].sort((a, b) => b[1] - a[1]).map(([type]) => type);
}

/** How the map is read. @param {BankMap} map @param {boolean} isWanted whether it is by the chosen method */
export function aboutMap(map, isWanted) {
  if (!isWanted) return "Every dot is a row of a bank.";
  const place =
    map.method === "pca"
      ? "Its position is along the two directions in which rows differ most; both banks are weighted equally."
      : "UMAP keeps similar rows together; the distance between groups means little.";
  return `Every dot is a row of a bank. ${place}`;
}

/** @param {BankMap} map @param {boolean} isWanted */
export const aboutLeftOut = ({ left_out: left }, isWanted) =>
  left && isWanted ? ` ${counted(left, "row")} ${left === 1 ? "is" : "are"} not on this map. ` : "";

/** What the histograms show at first sight. @param {Distances} found */
export function aboutDistances({ kinds, failed }) {
  if (failed) return failed;
  /** @param {number} share */
  const percent = (share) => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;
  const parts = [
    ["real", "real defects"],
    ["synthetic", "painted ones"],
  ].flatMap(([name, words]) =>
    kinds
      .filter((kind) => kind.name === name)
      .map((kind) => `${percent(kind.beyond)} of patches on ${words}`),
  );
  if (!parts.length) return "This version knows no defects, so only normal patches are shown.";
  return (
    `${parts.join(" and ")} lie beyond the 99 % line of held-out normal patches; patches below it look much ` +
    "like normal surface. This counts the patches that the positive bank learns from, without rows of their own part."
  );
}
