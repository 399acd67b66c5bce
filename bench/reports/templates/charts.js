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

/** What a page does to a plot's specification before it is drawn. */
let prepare = () => {};

function draw() {
  for (const place of document.querySelectorAll(".plot")) {
    const room = place.parentElement.clientWidth;
    if (!room) continue; // of a view that is not shown
    const spec = JSON.parse(document.getElementById(place.dataset.spec).textContent);
    prepare(spec, place);
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
  draw();
}

document.getElementById("theme").addEventListener("click", () => {
  const theme = root.dataset.theme === "dark" ? "light" : "dark";
  try { localStorage.setItem("snowwolf-theme", theme); } catch { /* a page opened from disk may have no storage */ }
  dress(theme);
});

let width = innerWidth;
addEventListener("resize", () => {
  if (innerWidth !== width) {
    width = innerWidth;
    draw();
  }
});
