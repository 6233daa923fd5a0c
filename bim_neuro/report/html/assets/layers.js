"use strict";
// How sparse the layers are, and every number of every layer.

function sparsityCard() {
  const rows = layers.map((layer) => ({
    label: layer.name, parts: [[layer.sparsity, "var(--c1)"]], text: percent(layer.sparsity), aside: `weights ${percent(layer.weight_sparsity)}`,
    tip: { title: layer.name, rows: [["slots without a message", percent(layer.sparsity, 2)], ["zero weights", percent(layer.weight_sparsity, 2)],
      ["synops on non-zero weights", layer.synops_hardware ? percent(layer.synops_effective / layer.synops_hardware) : NONE], ["message bits", count(layer.message_bits)]] },
    weights: layer.weight_sparsity,
  }));
  const marks = [0, 0.25, 0.5, 0.75, 1];
  const chart = walkable(h("div", { class: "rows" }, axis(marks, 1, (mark) => percent(mark, 0)), rows.slice(0, 60).map((row) => {
    const drawing = rangeBar(row.parts, null, 1, marks);
    drawing.append(s("line", { class: "mark", x1: at(100 * row.weights), x2: at(100 * row.weights), y1: 2, y2: 20 }));
    return barRow(row.label, drawing, row.text, row.tip, row.aside);
  })), "Sparsity by layer");
  return card("Silence and zero weights", { wide: true, note: "Bars: the share of slots (neuron and step) without a message. Marks: the share of weights that are zero." }, chart,
    legend([["silent slots", "var(--c1)"], ["zero weights", "", "mark"]]));
}

function layerTable() {
  const columns = [
    { head: "Layer", text: true, value: (layer) => layer.name },
    { head: "Kind", text: true, value: (layer) => layer.kind },
    { head: "Law", text: true, value: (layer) => layer.law || (layer.judge === "lava" ? "Lava's" : "ours") },
    { head: "Neurons", value: (layer) => layer.neurons },
    ...(layers.some((layer) => layer.shape) ? [{ head: "Shape", text: true, value: (layer) => (layer.shape ? layer.shape.join(" x ") : "") }] : []),
    { head: "Synapses", value: (layer) => layer.synapses },
    { head: "Cores", value: (layer) => layer.cores },
    { head: "Synops", value: (layer) => layer.synops_hardware / run.samples, show: (layer) => count(Math.round(layer.synops_hardware / run.samples)) },
    { head: "Effective", value: (layer) => (layer.synops_hardware ? layer.synops_effective / layer.synops_hardware : null), show: (layer) => (layer.synops_hardware ? percent(layer.synops_effective / layer.synops_hardware) : NONE) },
    { head: "Silent", value: (layer) => layer.sparsity, show: (layer) => percent(layer.sparsity) },
    { head: "Zero weights", value: (layer) => layer.weight_sparsity, show: (layer) => percent(layer.weight_sparsity) },
    { head: "Energy", value: (layer) => layer.energy_pj.value, show: (layer) => energy(layer.energy_pj.value) },
    { head: "Saturated", value: (layer) => layer.saturations, show: (layer) => (layer.saturations ? h("strong", { class: "bad" }, count(layer.saturations)) : "none") },
  ];
  return card("Every layer", { wide: true, note: data.left_out.layers }, table("Layers", columns, layers, { most: 25 }));
}
