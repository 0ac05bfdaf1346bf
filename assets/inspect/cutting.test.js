import assert from "node:assert/strict";
import { test } from "node:test";
import {
  blindness,
  changeWords,
  dotsOf,
  rangeOf,
  shareOf,
  tally,
  tallyWords,
  strangeness,
  unscoredWords,
  valueOf,
} from "./cutting.js";

/** @param {number} calibrated @param {import("./words.js").Verdict} verdict */
const row = (calibrated, verdict, stale = false) => {
  const side = { score: 1, threshold: 1, calibrated, verdict, probability: null, reason: null };
  return { patchcore: side, exdd: side, stale };
};
const images = ["a", "b", "c"].map((id, at) => ({
  ...{ id, name: id, type: "", ratio: 1 },
  label: at ? "defect" : "normal",
}));
const rows = new Map([
  ["a", row(0.5, "normal")],
  ["b", row(0.8, "normal")],
  ["c", row(2, "defect")],
]);

test("values are those of the version, whatever threshold they were judged by", () => {
  const dots = dotsOf({ images, rows }, 0.5);
  assert.deepEqual(
    dots.map(({ value }) => value),
    [0.25, 0.4, 1],
  );
  assert.equal(tallyWords(tally(dots, 0.3)), "finds 2 of 2 known defects, 0 false alarms among 1 normal");
  assert.equal(blindness(tally(dots, 0.3), true), "");
  assert.match(blindness(tally(dots, 1), true), /finds 0 of 2 known defects\.$/);
});

test("of a few of the defects nothing is said before all images are scored", () => {
  const at = { found: 0, defects: 2, alarms: 0, normals: 1, above: 0, all: 3 };
  assert.equal(blindness(at, false), "");
  assert.match(blindness({ ...at, defects: 3 }, false), /finds 0 of 3 known defects/);
});

test("a place on the slider is a threshold, and back", () => {
  const range = rangeOf([{ value: 12, label: null }]);
  assert.ok(range[1] > 12);
  for (const value of [0.5, 1, 7]) assert.ok(Math.abs(valueOf(shareOf(value, range), range) - value) < 1e-9);
});

test("what a mark changed is said of the images that were known before and are known again", () => {
  const after = new Map([
    ["a", row(1.2, "defect")],
    ["b", row(1.1, "defect")],
    ["c", row(0.9, "not sure", true)],
  ]);
  const said = changeWords({ images, rows }, { images, rows: after });
  assert.equal(said, "1 more found, 1 new false alarm, 0 now not sure");
  const uploads = images.map((one) => ({ ...one, label: "" })); // of which nothing is known to be false or found
  assert.equal(
    changeWords({ images: uploads, rows }, { images: uploads, rows: after }),
    "2 more judged defective, 0 now not sure",
  );
});

test("images that are not scored are told of: they are neither found nor missed", () => {
  assert.equal(unscoredWords(32, [{ value: 2, label: "defect" }]), " 31 not scored.");
  assert.equal(unscoredWords(1, [{ value: 2, label: "defect" }]), "");
});

test("uploads that are all above the threshold are told to be of another kind", () => {
  const upload = (/** @type {number} */ value) => ({ value, label: "" });
  assert.match(strangeness([3, 4, 5].map(upload), 1), /^All 3 images .* another product, camera or size\?$/);
  assert.equal(strangeness([3, 4, 0.5].map(upload), 1), "");
  assert.equal(strangeness([3, 4].map(upload), 1), ""); // two may well be defects
  assert.equal(
    strangeness(
      [3, 4, 5].map((value) => ({ value, label: "defect" })),
      1,
    ),
    "",
  );
});
