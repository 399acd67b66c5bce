"use strict";
const SETS = JSON.parse(document.getElementById("data").textContent);
const field = (name) => document.getElementById(name);
const CLEAN = (set) => set.conditions.findIndex((condition) => condition.entry === "clean");

/** An element with text and children; text is never read as HTML. */
function make(tag, { text, kind, ...rest } = {}, children = []) {
  const element = Object.assign(document.createElement(tag), rest);
  if (text !== undefined) element.textContent = text;
  if (kind) element.className = kind;
  element.append(...children);
  return element;
}

function fill(select, options, chosen) {
  select.replaceChildren(...options.map(([value, text]) => make("option", { value, text })));
  if (options.some(([value]) => String(value) === String(chosen))) select.value = chosen;
}

/** The conditions of a set, one group of options for each kind of change. */
function fillConditions(set, chosen) {
  const groups = new Map();
  set.conditions.forEach((condition, number) => {
    const key = condition.name && condition.name !== condition.entry ? `${condition.entry} · ${condition.name}` : condition.entry;
    if (!groups.has(key)) groups.set(key, make("optgroup", { label: key.replaceAll("_", " ") }));
    groups.get(key).append(make("option", { value: number, text: condition.words }));
  });
  field("condition").replaceChildren(...groups.values());
  field("condition").value = chosen < set.conditions.length ? chosen : 0;
}

const className = (set, number) => set.classes[number] ?? String(number);
/** The first of a class's synonyms, as WordNet lists them. */
const shortName = (set, number) => className(set, number).split(",")[0];
const answersOf = (set, image, condition) => set.answers.map((row) => row[condition][image]);

function picture(number, image, condition, set) {
  const { strip, place, words } = set.conditions[condition];
  const places = set.conditions.filter((other) => other.strip === strip).length;
  const tile = make("img", {
    kind: "tile",
    loading: "lazy",
    alt: `${className(set, set.images[image].label)}, ${words}`,
    src: `${FOLDER}/${number}/${image}-${strip}.jpg`,
  });
  // the file has the pictures of all strengths side by side: cover fits its height, the position picks one
  tile.style.objectPosition = places > 1 ? `${(100 * place) / (places - 1)}% 0` : "0 0";
  return tile;
}

function answerList(set, image, condition) {
  const items = answersOf(set, image, condition).map((answer, row) => {
    const who = make("span", { kind: "who", text: set.rows[row] });
    if (!answer.length) return make("li", {}, [who, make("span", { kind: "unseen", text: "not shown" })]);
    const [label, sure, right] = answer;
    const said = make("span", { kind: right ? "right" : "wrong", text: shortName(set, label), title: className(set, label) });
    return make("li", {}, [who, said, make("span", { kind: "sure", text: `${(sure / 10).toFixed(0)} %` })]);
  });
  return make("ul", { kind: "answers" }, items);
}

/** Whether the classifier was shown the image: its answer is not empty. */
const shown = (answer) => answer.length > 0;
const FILTERS = {
  shown: (answers) => answers.some(shown),
  all: () => true,
  wrong: (answers) => answers.some(shown) && answers.every((answer) => !answer[2]),
  disagree: (answers) => new Set(answers.filter(shown).map((answer) => answer[0])).size > 1,
  only: (answers, clean, first, second) => Boolean(answers[first]?.[2]) && shown(answers[second]) && !answers[second][2],
  flip: (answers, clean, first) => Boolean(clean[first]?.[2]) && shown(answers[first]) && !answers[first][2],
};
const surest = (answers) => Math.max(-1, ...answers.filter((answer) => shown(answer) && !answer[2]).map((answer) => answer[1]));
const split = (answers) => new Set(answers.filter(shown).map((answer) => answer[0])).size;

function chosenImages(set, condition) {
  const words = field("words").value.trim().toLowerCase();
  const first = Number(field("first").value), second = Number(field("second").value);
  const clean = CLEAN(set), sort = field("sort").value;
  const images = set.images.map((image, number) => number).filter((number) => {
    const answers = answersOf(set, number, condition);
    const text = [set.images[number].id, className(set, set.images[number].label), ...answers.filter(shown).map((answer) => className(set, answer[0]))];
    return (
      FILTERS[field("filter").value](answers, clean < 0 ? [] : answersOf(set, number, clean), first, second) &&
      (!words || text.some((part) => part.toLowerCase().includes(words)))
    );
  });
  const by = { sure: surest, split }[sort];
  return by ? images.sort((a, b) => by(answersOf(set, b, condition)) - by(answersOf(set, a, condition))) : images;
}

function drawGrid(number, condition) {
  const set = SETS[number], images = chosenImages(set, condition);
  field("grid").replaceChildren(
    ...images.map((image) =>
      make("a", { kind: "card", href: `#/${number}/${image}` }, [
        picture(number, image, condition, set),
        make("strong", { text: shortName(set, set.images[image].label) }),
        answerList(set, image, condition),
      ]),
    ),
  );
  const which = set.images.length < set.n_images ? `, chosen because the classifiers differ on them, of ${set.n_images}` : "";
  field("count").textContent = `${images.length} of ${set.images.length} images${which} · ${set.conditions[condition].words}`;
}

function drawOne(number, image) {
  const set = SETS[number], strips = new Map();
  set.conditions.forEach((condition, at) => {
    if (!strips.has(condition.strip)) strips.set(condition.strip, []);
    strips.get(condition.strip).push(at);
  });
  const heading = make("h2", { tabIndex: -1 }, [
    make("span", { text: `${className(set, set.images[image].label)} ` }, [make("small", { text: set.images[image].id })]),
    make("a", { href: `#/${number}`, text: "all images" }),
  ]);
  const parts = [...strips.values()].flatMap((places) => {
    const { entry, name } = set.conditions[places[0]];
    const title = (name && name !== entry ? `${entry} · ${name}` : entry).replaceAll("_", " ");
    const figures = places.map((at) =>
      make("figure", {}, [
        picture(number, image, at, set),
        make("figcaption", { text: set.conditions[at].words }),
        answerList(set, image, at),
      ]),
    );
    return [make("h3", { text: title }), make("div", { kind: "strip", tabIndex: 0, role: "group", ariaLabel: title }, figures)];
  });
  field("one").replaceChildren(heading, ...parts);
  heading.focus({ preventScroll: true });
  window.scrollTo(0, 0);
}

let current = -1;
function openSet(number) {
  if (number === current) return;
  current = number;
  const set = SETS[number], rows = set.rows.map((label, row) => [row, label]);
  field("set").value = number;
  const changed = set.conditions.findIndex((condition) => condition.entry !== "clean");
  const strengths = set.conditions.filter((condition) => condition.strip === set.conditions[changed]?.strip).length;
  fillConditions(set, Math.max(0, changed + Math.floor(strengths / 2)));
  fill(field("first"), rows, 0);
  fill(field("second"), rows, Math.min(1, rows.length - 1));
}

/** ``#/SET`` is the grid, ``#/SET/IMAGE`` one image with all that was done to it. */
function route() {
  const [, set = "0", image] = location.hash.split("/");
  const number = SETS[Number(set)] ? Number(set) : 0;
  const one = image !== undefined && SETS[number].images[Number(image)] ? Number(image) : null;
  openSet(number);
  field("grid").hidden = field("choose").hidden = one !== null;
  field("one").hidden = one === null;
  if (one === null) drawGrid(number, Number(field("condition").value));
  else drawOne(number, one);
}

const pair = () => {
  const kind = field("filter").value;
  field("first").parentElement.hidden = !["only", "flip"].includes(kind);
  field("second").parentElement.hidden = kind !== "only";
};
const stored = (() => { try { return localStorage.getItem("snowwolf-theme"); } catch { return null; } })();
function dress(theme) {
  document.documentElement.dataset.theme = theme;
  try { localStorage.setItem("snowwolf-theme", theme); } catch { /* a page from disk may not store anything */ }
}
field("theme").addEventListener("click", () => dress(document.documentElement.dataset.theme === "dark" ? "light" : "dark"));
dress(stored ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"));

fill(field("set"), SETS.map((set, number) => [number, `${set.title}, ${set.images.length} images`]), 0);
field("set-label").hidden = SETS.length < 2;
field("set").addEventListener("change", () => { location.hash = `#/${field("set").value}`; });
for (const name of ["condition", "filter", "first", "second", "sort"]) field(name).addEventListener("change", () => { pair(); route(); });
field("words").addEventListener("input", route);
window.addEventListener("hashchange", route);
pair();
route();
