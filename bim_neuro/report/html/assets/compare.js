"use strict";
// Runs side by side: the headline of each, what differs, and the layers they share.

const RUN_COLOURS = ["var(--c1)", "var(--c2)", "var(--c3)", "var(--c4)", "var(--c5)", "var(--c6)"];
const runs = data.runs; // [{name, folder, ...}]
const colourOf = (index) => RUN_COLOURS[index % RUN_COLOURS.length];
const named = (index) => [h("span", { class: "swatch", style: { "--colour": colourOf(index) } }), " ", runs[index].name];

const FORMATS = {
  pj: energy,
  seconds,
  share: (value) => percent(value, 2),
  count,
  text: String,
};
const UNITS_OF = { pj: ENERGY, seconds: TIME };

function written(row, index) {
  const value = row.values[index];
  const range = row.ranges && row.ranges[index];
  if (value === null) return NONE;
  return [FORMATS[row.unit](value), range && range.value !== null ? h("small", {}, rangeText(range, UNITS_OF[row.unit])) : ""];
}

const transposed = runs.length >= data.transposed; // each run is a row, not a column

const shown = (row, index) => h("span", { class: row.best.includes(index) ? "best" : "" }, written(row, index), row.best.includes(index) ? h("span", { class: "visually-hidden" }, ", best") : "");
const BETTER = data.warning ? "No run is marked as better, as they did different work." : "Green and bold is better, where the difference is clear. A range is what the prices allow.";
const runHead = { head: "Run", text: true, value: (index) => runs[index].name, show: named };

/** Many runs: a row each, and the differences in a table of their own. */
function headlineByRun() {
  const columns = [runHead, ...data.rows.map((row) => ({ head: capital(row.label), word: row.label, help: row.verdict, value: (index) => row.values[index], show: (index) => shown(row, index) }))];
  const differences = [{ head: "Figure", text: true, value: (row) => capital(row.label) }, { head: "Difference", text: true, value: (row) => row.verdict }];
  return [card("Side by side", { wide: true, note: BETTER }, table("Runs side by side", columns, [...runs.keys()])),
    card("How far apart", { wide: true }, table("Differences between the runs", differences, data.rows))];
}

function headline() {
  if (transposed) return headlineByRun();
  const columns = [
    { head: "Figure", text: true, value: (row) => capital(row.label) },
    ...runs.map((_, index) => ({
      head: runs[index].name, word: "run", value: (row) => row.values[index],
      show: (row) => shown(row, index),
    })),
    { head: "Difference", text: true, value: (row) => row.verdict },
  ];
  return card("Side by side", { wide: true, note: BETTER }, table("Runs side by side", columns, data.rows));
}

function settings() {
  if (!data.settings.length) return null;
  if (transposed) {
    const byRun = [runHead, ...data.settings.map((row) => ({ head: capital(row.label), word: "setting", text: true, value: (index) => row.values[index] }))];
    return card("Made differently", { wide: true, note: data.warning }, table("Settings that differ", byRun, [...runs.keys()]));
  }
  const columns = [
    { head: "Setting", text: true, value: (row) => row.label },
    ...runs.map((_, index) => ({ head: runs[index].name, word: "run", text: true, value: (row) => row.values[index] })),
  ];
  return card("Made differently", { wide: true, note: data.warning }, table("Settings that differ", columns, data.settings));
}

function bars(row) {
  const shown = runs.map((one, index) => ({ index, range: row.ranges ? row.ranges[index] : null, value: row.values[index] })).filter(({ value }) => value !== null);
  if (!shown.length) return null;
  const format = FORMATS[row.unit];
  return card(capital(row.label), {}, rangeBars(row.label, shown.map(({ index, range, value }) => ({
    label: runs[index].name, parts: [[value, colourOf(index)]], range, text: format(value), aside: range ? rangeText(range, UNITS_OF[row.unit]) : "",
    tip: { title: runs[index].name, rows: [[row.label, format(value)], ...(range ? [["low to high", rangeText(range, UNITS_OF[row.unit])]] : [])] },
  })), row.unit === "share" ? (mark) => percent(mark, 0) : format));
}

/** Of many runs a table for each of the two numbers, as wide as there are runs. */
function layerTables() {
  const one = (title, value, show) => card(title, { wide: true, note: data.left_out }, table(title, [
    { head: "Layer", text: true, value: (row) => row.layer },
    ...runs.map((_, index) => ({ head: runs[index].name, word: "run", value: (row) => value(row)[index], show: (row) => (row.present[index] ? show(value(row)[index]) : NONE) })),
  ], data.layers, { most: 40 }));
  return [one("Energy of each layer", (row) => row.energy_pj, energy), one("Silence of each layer", (row) => row.sparsity, percent)];
}

function layerTable() {
  if (transposed) return layerTables();
  const columns = [
    { head: "Layer", text: true, value: (row) => row.layer },
    ...runs.flatMap((_, index) => [
      { head: `Energy, ${runs[index].name}`, word: "energy", value: (row) => row.energy_pj[index], show: (row) => (row.present[index] ? energy(row.energy_pj[index]) : NONE) },
      { head: `Silent, ${runs[index].name}`, word: "silent", value: (row) => row.sparsity[index], show: (row) => percent(row.sparsity[index]) },
    ]),
  ];
  return card("Layer by layer", { wide: true, note: data.left_out }, table("Layers side by side", columns, data.layers, { most: 40 }));
}

function comparison() {
  const drawn = data.rows.filter((row) => row.drawn);
  document.title = transposed ? `${runs.length} runs side by side - bim-neuro` : `${runs.map(({ name }) => name).join(", ")} side by side - bim-neuro`;
  page(transposed ? `${runs.length} runs side by side` : runs.map(({ name }) => name).join(" and "),
    [h("ul", { class: "legend" }, runs.map((one, index) => h("li", {}, named(index), one.folder === one.name ? null : h("span", { class: "note" }, one.folder))))],
    [
      section("rows", "Side by side", "Side by side", null, cards(settings(), headline())),
      section("charts", "Charts", "In pictures", null, cards(drawn.map(bars))),
      data.layers.length ? section("layers", "Layers", "Layers", null, cards(layerTable())) : null,
    ],
    [`bim-neuro ${data.bim_neuro}.`]);
}

comparison();
