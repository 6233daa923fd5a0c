"use strict";
// How weights, states and messages fill their formats: histograms of one layer, and every word in a table.

const formatsOf = series.formats && Object.keys(series.formats).length ? series.formats : null;
const bitsOf = (number) => (number > 0 ? Math.floor(Math.log2(number)) + 1 : 0);

/** Bars side by side. A bar: {value, tip, mark}. */
function histogram(label, bars, colour) {
  const height = 72;
  const most = largest(bars.map((bar) => bar.value)) || 1;
  return walkable(s("svg", { class: "histogram", viewBox: `0 0 ${bars.length} ${height}`, preserveAspectRatio: "none", height, role: "presentation" },
    bars.map((bar, at) => s("g", { tip: bar.tip },
      s("rect", { class: "ground", x: at, width: 1, y: 0, height }),
      s("rect", { class: bar.mark ? "full" : "", x: at + 0.06, width: 0.88, y: height - (height * bar.value) / most, height: (height * bar.value) / most, style: { "--colour": colour } })))), label);
}

const under = (...texts) => h("div", { class: "under", "aria-hidden": "true" }, texts.map((text) => h("span", {}, text)));

function weightFigure(name, { limit, largest: most, zeros, total, counts }) {
  const width = (2 * limit + 1) / counts.length;
  const bars = counts.map((value, at) => ({ value, tip: { title: `Weights ${count(Math.ceil(at * width - limit))} to ${count(Math.ceil((at + 1) * width - limit) - 1)}`, rows: [["weights", count(value)], ["share", percent(value / total)]] } }));
  return h("div", { class: "format" }, h("h4", {}, "weights"),
    h("p", { class: "note" }, `${count(total)} of \u00b1${count(limit)}; largest ${count(most)}; ${percent(zeros / total)} are 0`),
    histogram(`Weights into ${name}`, bars, layerHue(name)), under(`\u2212${count(limit)}`, "0", count(limit)));
}

function wordFigure(layer, { name, limit, unit, largest: most, full, bits }) {
  const [held, total] = [bitsOf(limit), sum(bits)];
  const bars = bits.slice(0, Math.max(held + 1, bitsOf(most) + 1)).map((value, at) => ({ value, mark: at > held,
    tip: { title: at ? `${plural(at, "bit")}: ${count(2 ** (at - 1))} to ${count(2 ** at - 1)}` : "0", rows: [["values", count(value)], ["share", percent(value / total)]], note: unit ? `one unit is ${digits(unit)}` : "" } }));
  const spare = held - bitsOf(most);
  const room = most === 0 ? "always 0" : full ? `${plural(full, "value")} at the limit` : `${plural(spare, "bit")} to spare`;
  return h("div", { class: "format" }, h("h4", {}, signalName(name)),
    h("p", { class: "note" }, `${held} bits and a sign; largest ${count(most)}${unit ? ` (${digits(most * unit)} of \u00b1${digits(limit * unit)})` : ""}; `, full ? h("strong", { class: "bad" }, room) : room),
    histogram(`${signalName(name)} of ${layer}, by the bits of its values`, bars, layerHue(layer)), under("0", "bits of the value", String(bars.length - 1)));
}

function formatCard() {
  if (!formatsOf) return null;
  const names = Object.keys(formatsOf);
  const stage = h("div", { class: "formats" });
  const chosen = h("p", { class: "printed" });
  const show = (name) => {
    chosen.textContent = name;
    stage.replaceChildren(...[formatsOf[name].weights && weightFigure(name, formatsOf[name].weights), ...formatsOf[name].words.map((word) => wordFigure(name, word))].filter(Boolean));
  };
  const first = names.find((name) => formatsOf[name].weights && formatsOf[name].words.length) || names[0];
  show(first);
  const layerPicker = picker("Layer of the formats", names.map((name) => [name, name]), show);
  layerPicker.value = first;
  const rows = names.flatMap((name) => [
    ...(formatsOf[name].weights ? [{ layer: name, word: "weights", ...formatsOf[name].weights, full: null, unit: null }] : []),
    ...formatsOf[name].words.map((word) => ({ layer: name, word: signalName(word.name), ...word }))]);
  const fallback = table("Formats of weights, states and messages", [
    { head: "Layer", text: true, value: (row) => row.layer },
    { head: "What", text: true, value: (row) => row.word },
    { head: "Bits", value: (row) => bitsOf(row.limit) },
    { head: "Used", value: (row) => bitsOf(row.largest) },
    { head: "To spare", value: (row) => bitsOf(row.limit) - bitsOf(row.largest) },
    { head: "Largest", value: (row) => row.largest },
    { head: "In real units", value: (row) => (row.unit ? row.largest * row.unit : null), show: (row) => (row.unit ? `${digits(row.largest * row.unit)} of \u00b1${digits(row.limit * row.unit)}` : NONE) },
    { head: "At the limit", value: (row) => row.full, show: (row) => (row.full === null ? NONE : row.full ? h("strong", { class: "bad" }, count(row.full)) : "none") },
  ], rows, { most: 40 });
  const note = `Does each number fit its format, and how much of it is used? Weights of the program; states and messages of sample ${count(beside ? beside.sample : 0)}. Bars of words count values by the bits they need: each further bit is twice as large.${beside && beside.left_out ? " Layers that a lowering made have no real units." : ""}`;
  return card("Weights, states and messages in their formats", { wide: true, note, tools: h("div", { class: "tools" }, layerPicker), fallback }, chosen, stage);
}
