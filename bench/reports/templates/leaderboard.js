const root = document.documentElement;
const stored = (() => { try { return localStorage.getItem("snowwolf-theme"); } catch { return null; } })();
const preferred = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";

function draw(theme) {
  root.dataset.theme = theme;
  root.classList.toggle("dark", theme === "dark");
  for (const place of document.querySelectorAll(".plot")) {
    const spec = JSON.parse(document.getElementById(place.dataset.spec).textContent);
    spec.config = { ...spec.config, background: "transparent" };
    window.vegaEmbed(place, spec, {
      renderer: "svg",
      theme: theme === "dark" ? "dark" : undefined,
      actions: { export: true, source: false, compiled: false, editor: false },
    });
  }
}

document.getElementById("theme").addEventListener("click", () => {
  const theme = root.dataset.theme === "dark" ? "light" : "dark";
  try { localStorage.setItem("snowwolf-theme", theme); } catch { /* a page opened from disk may have no storage */ }
  draw(theme);
});

new DataTable("#leaderboard", {
  paging: document.querySelectorAll("#leaderboard tbody tr").length > 50,
  pageLength: 50,
  info: false,
  autoWidth: false,
  titleRow: 1,
  order: [],
  language: { search: "Filter:" },
});
draw(stored ?? preferred);
