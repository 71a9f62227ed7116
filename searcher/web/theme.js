// Light or dark before the first paint: loaded in the head as a classic script, so it blocks.
(() => {
  const KEY = "lookalike-theme";
  const root = document.documentElement;

  /** @returns {string | null} "light", "dark", or null for what the system says */
  function kept() {
    try {
      return localStorage.getItem(KEY);
    } catch {
      return null; // storage may be forbidden
    }
  }

  function isDark() {
    return root.dataset.theme
      ? root.dataset.theme === "dark"
      : matchMedia("(prefers-color-scheme: dark)").matches;
  }

  const before = kept();
  if (before === "light" || before === "dark") root.dataset.theme = before;

  addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    const tell = () => button.setAttribute("aria-pressed", String(isDark()));
    tell();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", tell);
    button.addEventListener("click", () => {
      root.dataset.theme = isDark() ? "light" : "dark";
      try {
        localStorage.setItem(KEY, root.dataset.theme);
      } catch {
        // it holds for this page then
      }
      tell();
    });
  });
})();
