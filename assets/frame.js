// Runs first on every page: light or dark before anything is painted, and the button that switches and remembers it.
// It knows nothing of pages; Gradio asks matchMedia for the system's preference, so the answer is given here.
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
})();
