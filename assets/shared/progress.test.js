import assert from "node:assert/strict";
import { test } from "node:test";
import { allAsTold, asTold } from "./progress.js";

const job = { id: "a", text: "1 of 4", fraction: 0.25, title: "Paint" };

test("a job is as it was told of last, and the same object where nothing new is told", () => {
  assert.equal(asTold(job, [{ id: "b", text: "3 of 4", fraction: 0.75 }]), job);
  assert.equal(asTold(job, [{ ...job }]), job);
  assert.deepEqual(asTold(job, [{ id: "a", text: "3 of 4", fraction: 0.75 }]), {
    ...job,
    text: "3 of 4",
    fraction: 0.75,
  });
  const jobs = [job, { ...job, id: "b" }];
  assert.equal(allAsTold(jobs, []), jobs);
  const told = allAsTold(jobs, [{ id: "b", text: "2 of 4", fraction: 0.5 }]);
  assert.deepEqual(
    told.map(({ text }) => text),
    ["1 of 4", "2 of 4"],
  );
});
