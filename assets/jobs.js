// The right half of every page's header: running job, active data set and bank version; and the drawer with all jobs.
// pages/_shared.py answers `look` and `act`; this shows it, and keeps nothing but whether the drawer is open.
// An entry stays the same element from one look to the next, so that nobody's focus is taken away.

window.exddJobs = (element, server) => {

const { make, caller, sentence, note } = window.exddParts;
const $ = (selector) => element.querySelector(selector);
const call = caller(server);
const OPEN = "exdd.jobs.open";
const QUICK = 1000, SLOW = 3000; // milliseconds between two looks: while something runs or is watched, and else
const STATES = { running: "Running", queued: "Waiting", done: "Done", cancelled: "Cancelled", failed: "Failed", interrupted: "Interrupted" };
const SIGNS = { running: "▶", queued: "◷", done: "✓", cancelled: "–", failed: "!", interrupted: "‖" };
const ACTS = { // what can be done in each state
  running: ["cancel"], queued: ["first", "up", "down", "cancel"], done: [],
  cancelled: ["resume"], failed: ["again"], interrupted: ["resume", "cancel"],
};
const BUTTONS = {
  first: ["⤒", "Run next"], up: ["↑", "Earlier"], down: ["↓", "Later"], cancel: ["Cancel", "Cancel"], resume: ["Resume", "Resume"], again: ["Try again", "Try again"],
};

const drawer = $(".jobs-drawer"), button = $(".jobs-button");
const entries = new Map(); // by a job's id
let stamp = "", active = 0, timer = 0, looking = false;

// ---------------------------------------------------------------------- what the server says

function show(answer) {
  stamp = answer.stamp;
  if (!answer.jobs) return; // nothing has changed
  $(".frame-chips").replaceChildren(...answer.chips.map(({ url, label, value }) =>
    make("a", { class: "chip", href: url, title: value || "none yet" }, make("span", { class: "chip-label" }, label), ` ${value || "none yet"}`)));
  const waiting = answer.jobs.filter((job) => ["running", "queued"].includes(job.state));
  const over = answer.jobs.filter((job) => !waiting.includes(job));
  active = waiting.length;
  showButton(waiting, over);
  showList(".jobs-active", waiting, `${active === 1 ? "1 job" : `${active} jobs`} to do, one at a time in this order`);
  showList(".jobs-over", over, `${over.length} ended`);
  $(".jobs-clear").hidden = !over.some((job) => job.state !== "interrupted");
  $(".jobs-none").hidden = answer.jobs.length > 0;
  const there = new Set(answer.jobs.map((job) => job.id));
  for (const [id, entry] of entries) if (!there.has(id)) { entry.remove(); entries.delete(id); }
}

function showButton(waiting, over) {
  const job = waiting[0], lost = over.filter(({ state }) => state === "interrupted").length;
  $(".frame-job").hidden = !job;
  if (job) {
    showBar($(".frame-job .bar"), job);
    $(".frame-told").textContent = job.state === "running" ? job.text : job.title;
    button.title = job.title;
  } else button.title = "";
  const count = $(".jobs-count"), behind = Math.max(0, waiting.length - 1);
  count.hidden = !behind && !lost;
  count.textContent = behind ? `+${behind}` : `${lost} interrupted`;
}

function showBar(bar, job) {
  bar.firstElementChild.style.width = `${job.fraction * 100}%`;
  bar.setAttribute("aria-valuenow", Math.round(job.fraction * 100));
  bar.setAttribute("aria-label", job.title);
}

function showList(section, jobs, title) {
  $(section).hidden = !jobs.length;
  $(`${section} h3`).textContent = title;
  const list = $(`${section} ul`), focused = document.activeElement;
  jobs.forEach((job, at) => {
    const entry = entryOf(job);
    if (list.children[at] !== entry) list.insertBefore(entry, list.children[at] || null);
    const waiting = jobs.filter(({ state }) => state === "queued"), place = waiting.indexOf(job);
    const useless = { first: place <= 0, up: place <= 0, down: place === waiting.length - 1 };
    for (const one of entry.querySelectorAll("[data-act]")) one.disabled = job.state === "queued" && Boolean(useless[one.dataset.act]);
  });
  if (focused && focused !== document.activeElement && list.contains(focused)) focused.focus(); // moving lets it go
}

function entryOf(job) {
  let entry = entries.get(job.id);
  if (!entry) {
    entry = make("li", { class: "jobs-entry" },
      make("div", { class: "jobs-line" }, make("strong", { class: "jobs-title" }), make("span", { class: "jobs-state" })),
      make("span", { class: "bar", role: "progressbar", "aria-valuemin": 0, "aria-valuemax": 100 }, make("span")),
      make("div", { class: "jobs-line" }, make("span", { class: "jobs-text" }), make("span", { class: "jobs-acts" })));
    entries.set(job.id, entry);
  }
  const now = JSON.stringify(job);
  if (entry.dataset.shown === now) return entry;
  const changed = entry.dataset.state !== job.state;
  Object.assign(entry.dataset, { shown: now, state: job.state });
  entry.querySelector(".jobs-title").textContent = job.title;
  entry.querySelector(".jobs-state").textContent = `${SIGNS[job.state]} ${STATES[job.state]}${when(job)}`;
  const text = entry.querySelector(".jobs-text");
  text.replaceChildren(...[job.state === "queued" ? "" : job.text.replace(/^(Cancelled|Interrupted)( at: |$)/, ""), job.link && " "].filter(Boolean));
  if (job.link) text.append(make("a", { href: job.link[1] }, job.link[0]));
  showBar(entry.querySelector(".bar"), job);
  entry.querySelector(".bar").hidden = !["running", "interrupted"].includes(job.state);
  if (changed) entry.querySelector(".jobs-acts").replaceChildren(...ACTS[job.state].map((act) => actButton(act, job)));
  return entry;
}

function actButton(act, job) {
  const [sign, words] = BUTTONS[act];
  return make("button", { type: "button", class: "plain-button small", "data-act": act, title: words, "aria-label": `${words}: ${job.title}`,
    onclick: () => ask("act", { act: act === "again" ? "resume" : act, id: job.id }) }, sign);
}

function when(job) {
  if (!job.ended) return "";
  const time = new Date(job.ended), today = time.toDateString() === new Date().toDateString();
  const clock = time.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hour12: false });
  return today ? ` ${clock}` : ` ${time.toLocaleDateString([], { day: "2-digit", month: "short" })} ${clock}`;
}

// ---------------------------------------------------------------------- asking

async function ask(name, argument) {
  try {
    show(await call(name, argument));
    say("");
  } catch (error) { say(sentence(error)); }
}

function say(words) { $(".jobs-said").replaceChildren(...(words ? [note(words, "error", () => say(""))] : [])); }

async function look() {
  clearTimeout(timer);
  if (document.hidden || looking || !element.isConnected) return;
  looking = true;
  try { show(await call("look", { stamp })); } catch { stamp = ""; } // a click says what is wrong; the next look may do
  looking = false;
  timer = setTimeout(look, active || !drawer.hidden ? QUICK : SLOW);
}

// ---------------------------------------------------------------------- the drawer

function open(wanted, focus) {
  drawer.hidden = !wanted;
  button.setAttribute("aria-expanded", String(wanted));
  try { sessionStorage.setItem(OPEN, wanted ? "1" : ""); } catch { /* private window */ }
  if (wanted) look();
  if (focus) (wanted ? drawer : button).focus();
}

button.addEventListener("click", () => open(drawer.hidden, true));
$(".jobs-close").addEventListener("click", () => open(false, true));
$(".jobs-clear").addEventListener("click", () => ask("act", { act: "clear" }).then(() => drawer.focus()));
element.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !drawer.hidden) open(false, true);
  if (drawer.contains(event.target)) event.stopPropagation(); // the page below has keys of its own
});
document.addEventListener("visibilitychange", look);
document.addEventListener("click", () => setTimeout(look, 700)); // it may have begun a job
let opened = "";
try { opened = sessionStorage.getItem(OPEN); } catch { /* private window */ }
open(Boolean(opened), false);
if (!opened) look();

};
