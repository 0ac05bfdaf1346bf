// How far jobs are, told to every place of a page that shows it, by whichever looked last: none lags behind another one.
// Knows no page and no server.

const TOLD = "exdd-progress";

/** @typedef {{ id: string, text: string, fraction: number }} Progress */

/** @param {Progress[]} jobs that run */
export const tellProgress = (jobs) => document.dispatchEvent(new CustomEvent(TOLD, { detail: jobs }));

/** @param {(jobs: Progress[]) => void} take */
export const onProgress = (take) =>
  document.addEventListener(TOLD, (event) => take(/** @type {CustomEvent<Progress[]>} */ (event).detail));

/**
 * A job as it was told of last; the same object where nothing new is told of it.
 * @template {{ id: string, text: string, fraction: number }} Job
 * @param {Job} job
 * @param {Progress[]} told
 * @returns {Job}
 */
export function asTold(job, told) {
  const { text, fraction } = told.find(({ id }) => id === job.id) ?? job;
  return text === job.text && fraction === job.fraction ? job : { ...job, text, fraction };
}

/**
 * Jobs as they were told of last; the same array where nothing new is told of any.
 * @template {{ id: string, text: string, fraction: number }} Job
 * @param {Job[]} jobs
 * @param {Progress[]} told
 * @returns {Job[]}
 */
export function allAsTold(jobs, told) {
  const now = jobs.map((job) => asTold(job, told));
  return now.every((job, at) => job === jobs[at]) ? jobs : now;
}
