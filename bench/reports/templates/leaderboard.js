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
prepare = (spec, place) => {
  const { label } = place.dataset;
  keep(spec, label === undefined ? shownLabels() : new Set([label]));
  if (label !== undefined) dropLegends(spec);
};

tellShown();
dress(stored ?? preferred);
route();
