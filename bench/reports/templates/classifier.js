const NAMES = ["label", "decision_maker", "first", "second"]; // columns of a plot's data that say whose row it is
const MOST = 12; // classifiers in a plot: more cannot be told apart
const title = document.title;
const everyone = new Set([...document.querySelectorAll("article.classifier")].map((article) => article.dataset.label));

/** Keep the rows of the classifiers in `shown`, and of whoever is not on the leaderboard; how many are `shown`'s. */
function keep(spec, shown) {
  let kept = 0;
  for (const [name, rows] of Object.entries(spec.datasets ?? {})) {
    const columns = NAMES.filter((column) => rows.length && column in rows[0]);
    const stays = (row) => columns.every((column) => shown.has(row[column]) || !everyone.has(row[column]));
    spec.datasets[name] = rows.filter(stays);
    const own = spec.datasets[name].filter((row) => columns.length && columns.every((column) => shown.has(row[column])));
    kept = Math.max(kept, own.length);
  }
  return kept;
}

/** Drop the legends that name classifiers: a view of one needs none. */
function dropLegends(node) {
  if (node === null || typeof node !== "object") return;
  for (const channel of ["color", "shape", "strokeDash"]) {
    if (NAMES.includes(node[channel]?.field)) node[channel].legend = null;
  }
  Object.values(node).forEach(dropLegends);
}

/** Give a classifier's view a place for each plot and picture that shows it. */
function furnish(article) {
  const plots = article.querySelector(".plots");
  if (plots.childElementCount) return;
  for (const place of document.querySelectorAll("main > section .plot")) {
    const text = document.getElementById(place.dataset.spec).textContent;
    if (keep(JSON.parse(text), new Set([article.dataset.label])) < 2) continue; // one point is no curve
    const section = place.closest("section").cloneNode(true);
    section.querySelector("script").remove();
    section.querySelector(".plot").replaceChildren();
    section.querySelector(".plot").dataset.label = article.dataset.label;
    plots.append(section);
  }
  for (const details of document.querySelectorAll("main > section details[data-label]")) {
    if (details.dataset.label !== article.dataset.label) continue;
    const section = document.createElement("section");
    section.append(details.cloneNode(true));
    section.querySelector("details").open = true;
    plots.append(section);
  }
}

/** Show the leaderboard, or the classifier that the address names. */
function route() {
  const chosen = /^#classifier-\d+$/.test(location.hash) ? document.querySelector(location.hash) : null;
  for (const article of document.querySelectorAll("article.classifier")) article.hidden = article !== chosen;
  document.body.classList.toggle("one", chosen !== null);
  document.title = chosen ? `${chosen.dataset.label} · ${title}` : title;
  if (chosen) {
    furnish(chosen);
    scrollTo(0, 0);
    chosen.querySelector("h2").focus({ preventScroll: true });
  }
  draw();
}

addEventListener("hashchange", route);
addEventListener("keydown", (event) => {
  if (event.key === "Escape" && document.body.classList.contains("one")) location.hash = "";
});
