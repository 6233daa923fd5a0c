"use strict";
// A sweep, or runs that were found: what no other beats, two objectives at a time, and a table that sorts and filters.

const ROW = data.runs ? "run" : "trial"; // what a row is called
const rows = data.runs || data.trials;

const objectives = data.objectives; // [{name, column, most, unit, title}]
const objective = (name) => objectives.find((one) => one.name === name);
const SEEDS = ["seed", "learn.seed"];
const varied = data.varied.filter((name) => !SEEDS.includes(name));
const AMOUNT = {
  share: (value) => percent(value),
  uj: (value) => scaled(value, MICROJOULES),
  us: (value) => scaled(value, MICROSECONDS),
  s: (value) => seconds(value),
  count,
};
const amount = (unit, value) => (value === null || value === undefined ? NONE : AMOUNT[unit](value));
const said = (values) => varied.map((name) => `${name} ${name in values ? values[name] : NONE}`).join(", ");
const pages = new Map(rows.map((row) => [row.key, row.page]));
const report = (key) => (pages.get(key) ? pages.get(key).split("/").map(encodeURIComponent).join("/") : null);
const onFront = new Set(Object.values(data.fronts).flatMap((places) => places.flatMap((place) => data.points[place].keys)));

function spread(range, unit) {
  if (!range) return NONE;
  return range.low < range.high ? `${amount(unit, range.value)} (${amount(unit, range.low)} to ${amount(unit, range.high)})` : amount(unit, range.value);
}

const tipOf = (point) => ({
  title: said(point.values) || point.values.model,
  rows: objectives.map((one) => [one.title, spread(point[one.name], one.unit)]),
  note: point.keys.length > 1 ? `Mean of ${plural(point.keys.length, "seed")}, and the range of all.` : report(point.keys[0]) ? "Click to open its report." : "",
});

/** A card for each task of the runs: scores of different tasks are not held against each other. */
function frontCards(name, places) {
  const tasks = data.runs ? [...new Set(data.points.map((point) => point.values.model))] : [null];
  return tasks.map((task) => frontCard(name, places, task, tasks.length > 1 ? `${task}: ` : ""));
}

function frontCard(name, places, task, prefix) {
  const [up, across] = name.split(",").map(objective);
  const first = objectives.find((one) => data.points.some((point) => point[one.name] && (task === null || point.values.model === task)));
  if (!across || up !== first) return null;
  const drawn = data.points.map((point, place) => ({ point, place })).filter(({ point }) => point[up.name] && point[across.name] && (task === null || point.values.model === task));
  if (drawn.length < 2) return null; // one point beats nothing
  const axis = (one) => ({ title: `${one.title}${one.most ? " (more is better)" : ""}`, format: (value) => amount(one.unit, value), whole: one.unit === "count" });
  const bare = (range, ranges) => (ranges ? range : { value: range.value, low: range.value, high: range.value });
  const place = h("div");
  const draw = (ranges) => place.replaceChildren(scatter(`${up.title} against ${across.title}`, drawn.map(({ point, place }) => ({
    x: bare(point[across.name], ranges), y: bare(point[up.name], ranges), front: places.includes(place), href: report(point.keys[0]), tip: tipOf(point),
  })), axis(across), axis(up)));
  draw(true);
  const tools = choice("Ranges", [["with", "With ranges"], ["bare", "Values alone"]], "with", (key) => draw(key === "with"));
  const best = places.map((place) => data.points[place]).filter((point) => task === null || point.values.model === task);
  const columns = [
    ...varied.map((one) => ({ head: one, word: "setting", text: true, value: (point) => point.values[one] })),
    ...objectives.map((one) => ({ head: one.title, word: one.word, value: (point) => (point[one.name] ? point[one.name].value : null), show: (point) => spread(point[one.name], one.unit) })),
  ];
  return card(capital(`${prefix}${prefix ? up.title.toLowerCase() : up.title} against ${across.title.toLowerCase()}`),
    { wide: across === objectives[1], tools, fallback: table(`The front of ${name}`, columns, best) }, place);
}

// The table of trials or runs.

const link = (row) => (row.page ? h("a", { href: report(row.key) }, row.key.slice(0, 8)) : row.key.slice(0, 8));
const settingColumns = data.varied.filter((name) => !data.runs || name !== "model").map((name) => (
  { head: name, word: "setting", text: true, value: (row) => (name === "model" ? row.model : row.values[name]) }));
const numberColumns = [
  ...objectives.filter((one) => rows.some((row) => (row.metrics[one.column] ?? null) !== null)).map((one) => ({
    head: one.title, word: one.word, value: (row) => row.metrics[one.column],
    show: (row) => [amount(one.unit, row.metrics[one.column]), ends(row.metrics, one)],
  })),
  ...(rows.some((row) => row.lost_by_pruning !== null) ? [{
    head: "Lost by pruning",
    value: (row) => row.lost_by_pruning, show: (row) => (row.lost_by_pruning === null ? NONE : `${(100 * row.lost_by_pruning).toFixed(1)} points`),
  }] : []),
];
const keyColumn = { head: capital(ROW), text: true, value: (row) => row.key, show: link };
const columnsOfRows = data.runs
  ? [keyColumn, { head: "Task", text: true, value: (row) => row.model }, ...numberColumns, ...settingColumns, { head: "File", text: true, value: (row) => row.said }]
  : [keyColumn,
    { head: "Status", text: true, value: (row) => row.status, show: (row) => h("span", { class: row.status === "done" ? "" : "bad", title: row.said }, row.status) },
    ...settingColumns, ...numberColumns,
    { head: "Computed in", value: (row) => row.seconds, show: (row) => seconds(row.seconds ?? null) },
    { head: "Says", text: true, value: (row) => row.said }];

function ends(metrics, one) {
  const [low, high] = [metrics[`${one.column}_low`], metrics[`${one.column}_high`]];
  return low === undefined || low === null ? "" : h("small", {}, `${amount(one.unit, low)} to ${amount(one.unit, high)}`);
}

function rowsCard() {
  const place = h("div");
  const chosen = { text: "", front: "all" };
  const written = (row) => [row.status, row.key, row.said, row.model, ...Object.entries(row.values).map(([name, value]) => `${name}=${value}`)].join(" ").toLowerCase();
  const fits = (row) => (chosen.front === "all" || onFront.has(row.key)) && chosen.text.split(/\s+/).every((word) => written(row).includes(word));
  const found = h("span", { class: "note", "aria-live": "polite" });
  function fill() {
    const heads = [...place.querySelectorAll("th[aria-sort]")];
    const sorted = heads.findIndex((head) => head.getAttribute("aria-sort") !== "none");
    const shown = rows.filter(fits);
    const sort = sorted < 0 ? [columnsOfRows.indexOf(numberColumns[0]), "descending"] : [sorted, heads[sorted].getAttribute("aria-sort")];
    place.replaceChildren(table(`${capital(ROW)}s`, columnsOfRows, shown, { sort }));
    found.textContent = plural(shown.length, ROW);
  }
  const box = h("input", { type: "search", class: "filter", placeholder: data.runs ? "Filter: rule=rtrl digits" : "Filter: weight_bits=8 stock", "aria-label": `Filter the ${ROW}s by their settings`,
    oninput: (event) => { chosen.text = event.target.value.trim().toLowerCase(); fill(); } });
  const which = choice(`Which ${ROW}s`, [["all", "All"], ["front", "On a front"]], "all", (key) => { chosen.front = key; fill(); });
  fill();
  return card(`${capital(ROW)}s`, { wide: true, note: data.note, tools: h("div", { class: "tools" }, found, box, which) }, place);
}

function sweep() {
  const statuses = Object.entries(data.by_status).map(([status, number]) => `${count(number)} ${status}`).join(", ");
  const drawn = Object.entries(data.fronts).flatMap(([name, places]) => frontCards(name, places)).filter(Boolean);
  page(data.title || "Sweep", [h("p", { class: "verdict" }, `${plural(rows.length, ROW)}${data.runs ? "" : `: ${statuses}`}`),
    data.left_out ? h("p", { class: "note" }, `${plural(data.left_out, ROW)} of other code or libraries left out.`) : null], [
    drawn.length ? section("fronts", "Fronts", "What no other beats", `The line joins the points that no other beats in both. A whisker is the range of prices and seeds.${rows.some((row) => row.page) ? " A point opens its report." : ""}`, cards(drawn)) : null,
    section(`${ROW}s`, `${capital(ROW)}s`, `Every ${ROW}`, null, cards(rowsCard())),
  ], [`bim-neuro ${data.bim_neuro}. `, h("code", {}, data.command || "")]);
}

sweep();
