"use strict";
// How the page behaves: hover and keyboard on every mark, tables that sort, light and dark.

// One tip for the whole page. A chart is one tab stop; the arrow keys walk its marks.

const tipBox = h("div", { class: "tip", role: "tooltip", id: "tip", hidden: true });
const spoken = h("div", { class: "visually-hidden", "aria-live": "polite" });
let active = null;

function showTip(mark, announce) {
  hideTip();
  const content = tips.get(mark);
  if (!content) return;
  active = mark;
  mark.classList.add("active");
  const rows = content.rows || [];
  tipBox.replaceChildren(
    h("strong", {}, content.title),
    rows.length ? h("dl", {}, rows.map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])) : "",
    content.note ? h("p", {}, content.note) : "",
    content.meaning ? h("p", {}, content.meaning) : "", // read with its element, so not spoken again
  );
  tipBox.hidden = false;
  placeTip(mark.getBoundingClientRect());
  if (announce) spoken.textContent = [content.title, ...rows.map((row) => row.join(" ")), content.note || ""].join(", ");
  mark.dispatchEvent(new CustomEvent("marked", { bubbles: true }));
}

function placeTip(around) {
  const box = tipBox.getBoundingClientRect();
  const left = Math.min(Math.max(8, around.left + Math.min(around.width, 320) / 2 - box.width / 2), innerWidth - box.width - 8);
  const above = around.top - box.height - 8;
  tipBox.style.left = `${Math.max(8, left)}px`;
  tipBox.style.top = `${above > 60 ? above : Math.min(around.bottom + 8, innerHeight - box.height - 8)}px`;
}

function hideTip() {
  if (!active) return;
  active.classList.remove("active");
  active.dispatchEvent(new CustomEvent("unmarked", { bubbles: true }));
  active = null;
  tipBox.hidden = true;
}

document.addEventListener("pointerover", (event) => {
  const mark = event.target.closest("[data-tip]");
  if (mark !== active) mark ? showTip(mark, false) : hideTip();
});
document.addEventListener("scroll", () => active && placeTip(active.getBoundingClientRect()), { passive: true, capture: true });
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") hideTip();
});
document.addEventListener("focusin", (event) => {
  if (!event.target.matches(":focus-visible")) return;
  const own = event.target.closest("[data-tip]");
  if (own) showTip(own, true);
  else if (event.target.matches(".marks")) step(event.target, 0);
});
document.addEventListener("focusout", hideTip);

const STEPS = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1, Home: -Infinity, End: Infinity };

function step(chart, by) {
  const marks = [...chart.querySelectorAll("[data-tip]")];
  if (!marks.length) return;
  const here = Math.max(0, marks.indexOf(active));
  const mark = marks[Math.min(marks.length - 1, Math.max(0, here + by))];
  mark.scrollIntoView({ block: "nearest", inline: "nearest" });
  showTip(mark, true);
}

/** Make an element one tab stop whose marks the arrow keys walk; Enter follows a mark that is a link. */
function walkable(element, label) {
  element.classList.add("marks");
  element.tabIndex = 0;
  element.setAttribute("role", "group");
  element.setAttribute("aria-label", `${label}. Arrow keys walk through it.`);
  element.addEventListener("keydown", (event) => {
    if (event.target !== element) return;
    if (event.key === "Enter" && active && active.matches("a")) active.dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true }));
    if (!(event.key in STEPS)) return;
    event.preventDefault();
    step(element, STEPS[event.key]);
  });
  return element;
}

// Words. A column head is a word of the glossary: its meaning is read with it, shown beside it, and listed below.

const wordsUsed = new Map(); // word -> [dt, dd]
const wordList = h("dl", { class: "words" });

/** Attributes that tie an element to the meaning of a word; `help` is what the element says beyond it. */
function meaningOf(word, title, help) {
  const [name, meaning] = [word.toLowerCase(), data.glossary[word.toLowerCase()]];
  if (meaning === undefined) {
    console.warn(`'${name}' is not in the glossary`);
    return {};
  }
  const id = `word-${name.replace(/[^a-z0-9]+/g, "-")}`;
  if (!wordsUsed.has(name)) {
    wordsUsed.set(name, [h("dt", {}, name), h("dd", { id }, meaning.replaceAll("`", ""))]);
    const sorted = [...wordsUsed].sort(([a], [b]) => a.localeCompare(b, "en"));
    wordList.replaceChildren(...sorted.map(([, pair]) => h("div", {}, pair)));
  }
  return { "aria-describedby": id, tip: { title, note: help, meaning: `${capital(meaning.replaceAll("`", ""))}.` } };
}

function wordSection() {
  if (!wordsUsed.size) return null;
  const fold = h("details", {}, h("summary", {}, `The ${count(wordsUsed.size)} words at the heads of columns`), wordList);
  addEventListener("beforeprint", () => { fold.open = true; }); // paper has no pointer to ask with
  addEventListener("afterprint", () => { fold.open = false; });
  return section("words", "Words", "What the columns mean", null, h("div", { class: "card" }, fold,
    h("p", { class: "note" }, "Each head shows its meaning too. The whole glossary is in docs/README.md.")));
}

// Tables. A column: {head, value(row), show(row), help, text: true where it is left-aligned}; `word` where the glossary
// calls it otherwise than its head.

function table(caption, columns, rows, { sort = null, most = 100 } = {}) {
  const body = h("tbody");
  const heads = columns.map((column, index) =>
    h(
      "th",
      { scope: "col", class: column.text ? "text" : "", "aria-sort": "none" },
      h("button", { type: "button", onclick: () => sortBy(index), ...meaningOf(column.word || column.head, column.head, column.help) }, column.head),
    ),
  );
  let shown = most;
  let order = rows;
  const more = h("button", { type: "button", class: "more", onclick: () => fill((shown = Infinity)) });

  function fill() {
    body.replaceChildren(
      ...order.slice(0, shown).map((row) =>
        h("tr", {}, columns.map((column, index) =>
          h(index ? "td" : "th", { class: column.text ? "text" : "", scope: index ? null : "row" },
            column.show ? column.show(row) : cell(column.value(row))))),
      ),
    );
    more.hidden = order.length <= shown;
    more.textContent = `Show all ${count(order.length)} rows`;
  }

  function sortBy(index, direction) {
    const now = direction || (heads[index].getAttribute("aria-sort") === "descending" ? "ascending" : "descending");
    heads.forEach((head, other) => head.setAttribute("aria-sort", other === index ? now : "none"));
    const sign = now === "ascending" ? 1 : -1;
    const key = columns[index].value;
    order = [...rows].sort((a, b) => sign * compareValues(key(a), key(b)));
    fill();
  }

  fill();
  if (sort) sortBy(...sort);
  const scroller = h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": caption },
    h("table", {}, h("caption", { class: "visually-hidden" }, caption), h("thead", {}, h("tr", {}, heads)), body));
  return h("div", { class: "table" }, scroller, more);
}

const cell = (value) => (typeof value === "number" ? count(value) : value === null || value === undefined ? NONE : String(value));

function compareValues(a, b) {
  if (typeof a === "string" && typeof b === "string") return a.localeCompare(b, "en", { numeric: true });
  const missing = (value) => value === null || value === undefined;
  if (missing(a) || missing(b)) return missing(b) - missing(a);
  return a - b || 0;
}

/** A row of buttons of which one is pressed. */
function choice(label, options, chosen, change) {
  const buttons = options.map(([key, name]) =>
    h("button", { type: "button", "aria-pressed": String(key === chosen), onclick: () => {
      buttons.forEach((button, index) => button.setAttribute("aria-pressed", String(options[index][0] === key)));
      change(key);
    } }, name));
  return h("div", { class: "choice", role: "group", "aria-label": label }, buttons);
}

// Light and dark: the system's choice until the reader makes one, which is remembered where the browser allows.

const THEMES = { light: "Light", dark: "Dark" };

function themeButton() {
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const now = () => root.dataset.theme || (system.matches ? "dark" : "light");
  const button = h("button", { type: "button", class: "theme", onclick: () => {
    root.dataset.theme = now() === "dark" ? "light" : "dark";
    remember(root.dataset.theme);
    label();
  } });
  const label = () => {
    const other = now() === "dark" ? "light" : "dark";
    button.textContent = THEMES[other];
    button.setAttribute("aria-label", `Switch to the ${other} theme`);
  };
  const kept = remembered();
  if (kept in THEMES) root.dataset.theme = kept;
  system.addEventListener("change", label);
  label();
  return button;
}

function remember(theme) {
  try { localStorage.setItem("bim-neuro-theme", theme); } catch { /* a browser may forbid it for files */ }
}

function remembered() {
  try { return localStorage.getItem("bim-neuro-theme"); } catch { return null; }
}

/** The frame: a bar with the way to every section, the sections, the foot. */
function page(title, lead, sections, foot) {
  const present = [...sections, wordSection()].filter(Boolean);
  document.body.append(
    h("a", { class: "skip", href: "#main" }, "Skip to the report"),
    h("header", { class: "bar" },
      h("span", { class: "brand" }, "bim-neuro"),
      h("nav", { "aria-label": "Sections" }, present.filter((section) => section.id).map((section) =>
        h("a", { href: `#${section.id}` }, section.dataset.short))),
      themeButton()),
    h("main", { id: "main" }, h("div", { class: "lead" }, h("h1", {}, title), lead), present),
    h("footer", {}, foot),
    tipBox,
    spoken,
  );
}

const section = (id, short, title, note, ...content) =>
  build(h("section", { id, "aria-labelledby": `${id}-title` }), { "data-short": short },
    [h("h2", { id: `${id}-title` }, title), note && h("p", { class: "note" }, note), ...content]);

/** A card with a heading, what it shows, and the same as a table for whoever cannot or will not read a picture. */
function card(title, { note, tools, wide, fallback } = {}, ...content) {
  return h("div", { class: wide ? "card wide" : "card" },
    h("div", { class: "card-head" }, h("h3", {}, title), tools),
    note && h("p", { class: "note" }, note),
    content,
    fallback && h("details", {}, h("summary", {}, "As a table"), fallback));
}

/** Cards in two columns; the last of an odd number between two wide ones is wide, so that no place stays empty. */
function cards(...content) {
  const present = content.flat().filter(Boolean);
  let before = 0;
  present.forEach((one, at) => {
    const wide = (other) => !other || other.classList.contains("wide");
    before = wide(one) ? 0 : before + 1;
    if (before % 2 === 1 && wide(present[at + 1])) one.classList.add("wide");
  });
  return h("div", { class: "cards" }, present);
}
