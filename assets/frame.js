// Runs first on every page: light or dark before anything is painted, the button that switches and remembers it, and
// the sorting of tables. It knows nothing of pages; Gradio asks matchMedia what the system prefers, so it answers.
(() => {
  const KEY = "exdd-theme";
  const ask = window.matchMedia.bind(window);
  const system = ask("(prefers-color-scheme: dark)");
  const systemTheme = () => (system.matches ? "dark" : "light");
  const theme = () => localStorage.getItem(KEY) || systemTheme();

  window.matchMedia = (query) =>
    /prefers-color-scheme:\s*dark/.test(query)
      ? { matches: theme() === "dark", media: query, addEventListener() {}, removeEventListener() {} }
      : ask(query);

  const apply = () => {
    const dark = theme() === "dark";
    document.documentElement.classList.toggle("dark", dark);
    document.body?.classList.toggle("dark", dark);
  };
  apply();
  document.addEventListener("DOMContentLoaded", apply);
  system.addEventListener("change", apply);

  document.addEventListener("click", (event) => {
    if (!event.target.closest?.("[data-theme-toggle]")) return;
    const next = theme() === "dark" ? "light" : "dark";
    // Back at the system's own preference there is nothing to remember.
    if (next === systemTheme()) localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, next);
    apply();
  });

  // A click on a column's title sorts the table by it, a second one the other way round.
  const value = (row, column) => row.cells[column].dataset.sort ?? row.cells[column].innerText.replaceAll(",", "");
  document.addEventListener("click", (event) => {
    const head = event.target.closest?.(".sortable .sort")?.closest("th");
    if (!head) return;
    const down = head.getAttribute("aria-sort") !== "descending";
    for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const body = head.closest("table").tBodies[0];
    const order = new Intl.Collator(undefined, { numeric: true });
    const rows = [...body.rows].sort((a, b) => order.compare(value(a, head.cellIndex), value(b, head.cellIndex)));
    body.append(...(down ? rows.reverse() : rows));
  });
})();
