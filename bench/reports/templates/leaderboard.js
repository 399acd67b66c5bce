const root = document.documentElement;
const stored = (() => { try { return localStorage.getItem("snowwolf-theme"); } catch { return null; } })();
const preferred = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
const AXIS_ROOM = 75; // pixels left of a chart's panels, for the axis and its title
const GAP = 24; // pixels between panels

/** Fit a chart into `room` pixels: as many panels a row as have space, the legend above them. */
function fit(spec, room) {
  const inner = room - AXIS_ROOM;
  if (spec.facet) {
    const columns = Math.max(1, Math.min(spec.columns, Math.floor(inner / (spec.spec.width + GAP))));
    spec.columns = columns;
    spec.spec.width = Math.floor(inner / columns) - GAP;
  } else if (spec.width <= inner || spec.usermeta?.shrink) {
    spec.width = Math.min(inner - GAP, Math.max(spec.width, 760));
  }
  return spec;
}

/** Colours and type of the page, for the charts. */
function look(room) {
  const colour = (name) => getComputedStyle(root).getPropertyValue(name).trim();
  const text = { labelColor: colour("--soft"), titleColor: colour("--soft"), labelFontSize: 11, titleFontSize: 12 };
  return {
    background: "transparent",
    font: "system-ui, sans-serif",
    view: { stroke: null },
    axis: { ...text, titleFontWeight: 500, gridColor: colour("--line"), domainColor: colour("--line"), tickColor: colour("--line") },
    header: { labelColor: colour("--ink") },
    legend: { ...text, orient: "top", columns: Math.max(1, Math.floor(room / 200)), titleAnchor: "start" },
  };
}

function draw() {
  for (const place of document.querySelectorAll(".plot")) {
    const room = place.parentElement.clientWidth;
    if (!room) continue; // of a view that is not shown
    const spec = JSON.parse(document.getElementById(place.dataset.spec).textContent);
    const { label } = place.dataset;
    keep(spec, label === undefined ? shownLabels() : new Set([label]));
    if (label !== undefined) dropLegends(spec);
    spec.config = look(room);
    window.vegaEmbed(place, fit(spec, room), {
      renderer: "svg",
      actions: { export: true, source: false, compiled: false, editor: false },
    });
  }
}

function dress(theme) {
  root.dataset.theme = theme;
  root.classList.toggle("dark", theme === "dark");
  route();
}

document.getElementById("theme").addEventListener("click", () => {
  const theme = root.dataset.theme === "dark" ? "light" : "dark";
  try { localStorage.setItem("snowwolf-theme", theme); } catch { /* a page opened from disk may have no storage */ }
  dress(theme);
});

const table = new DataTable("#leaderboard", {
  paging: document.querySelectorAll("#leaderboard tbody tr").length > 50,
  pageLength: 50,
  info: false,
  autoWidth: false,
  titleRow: 1,
  order: [],
  language: { search: "Filter:" },
});

/** The classifiers that the plots show: all, or the first of the table as it is sorted and filtered. */
function shownLabels() {
  const rows = table.rows({ order: "applied", search: "applied" }).nodes().toArray();
  return new Set(rows.slice(0, MOST).map((row) => row.dataset.label));
}

/** Say which classifiers the plots show, where it is not all. */
function tellShown() {
  const told = document.getElementById("shown");
  const n = shownLabels().size;
  told.hidden = n === everyone.size;
  told.textContent = `The plots show ${n} of ${everyone.size} classifiers: the first rows of the table. Sort or filter it to see others.`;
}

table.on("draw", () => {
  tellShown();
  draw();
});
tellShown();
dress(stored ?? preferred);

let width = innerWidth;
addEventListener("resize", () => {
  if (innerWidth !== width) {
    width = innerWidth;
    draw();
  }
});
