"use strict";
// One sample at a time: who sent when in every layer, on one axis of the sample's steps, drawn on canvas.

/** The cells of a layer in a sample, as levels 0 to 9: neuron by neuron, a step after the other. */
function cellsOf(text, bits, length) {
  const bytes = atob(text);
  const perByte = 8 / bits;
  const [top, scale] = [2 ** bits - 1, bits === 1 ? 9 : 1];
  return Uint8Array.from({ length }, (_, index) =>
    scale * ((bytes.charCodeAt(Math.floor(index / perByte)) >> (bits * (perByte - 1 - (index % perByte)))) & top));
}

const rasters = series.raster && series.raster.samples ? series.raster : null;

/** {name, rows, cells, sending: neurons shown that send, by step} of each layer of a sample. */
function lanesOf(sample) {
  const { steps } = rasters;
  return Object.entries(rasters.layers).map(([name, own]) => {
    const rows = Math.ceil(own.neurons / own.every);
    const cells = cellsOf(sample.cells[name], own.bits, rows * steps);
    const sending = Array.from({ length: steps }, (_, step) => {
      let sent = 0;
      for (let row = 0; row < rows; row += 1) if (cells[row * steps + step]) sent += 1;
      return sent;
    });
    return { name, rows, cells, sending, ...own };
  });
}

const laneHeight = ({ rows }) => Math.min(56, Math.max(18, rows));

/** A lane as pixels: a column a step; where neurons outnumber pixels, the largest of those that share one. */
function drawLane(canvas, lane) {
  const { steps } = rasters;
  const height = Math.min(lane.rows, 2 * laneHeight(lane));
  [canvas.width, canvas.height] = [steps, height];
  const [red, green, blue] = getComputedStyle(canvas).color.match(/[\d.]+/g).map(Number);
  const context = canvas.getContext("2d");
  const image = context.createImageData(steps, height);
  for (let row = 0; row < lane.rows; row += 1) {
    const y = Math.floor((row * height) / lane.rows);
    for (let step = 0; step < steps; step += 1) {
      const level = lane.cells[row * steps + step];
      const at = 4 * (y * steps + step);
      const alpha = level ? 70 + Math.round((185 * level) / 9) : 0;
      if (alpha > image.data[at + 3]) image.data.set([red, green, blue, alpha], at);
    }
  }
  context.putImageData(image, 0, 0);
}

const answerText = ({ label, float, integer }) => {
  if (integer === null) return "";
  const runs = float === integer ? `both runs answer ${integer}` : `float answers ${float}, the integers ${integer}`;
  return label === null ? runs : `${label === integer ? "right" : "wrong"}: is ${label}, ${runs}`;
};
const sampleText = (sample) => [`Sample ${sample.sample}`, answerText(sample)].filter(Boolean).join(", ");

function picker(label, options, change) {
  const select = h("select", { "aria-label": label, onchange: () => change(select.value) }, options.map(([value, text]) => h("option", { value }, text)));
  return select;
}

function rasterCard() {
  if (!rasters || !rasters.samples.length) return null;
  const classOf = (sample) => sample.label ?? sample.integer;
  const classes = [...new Set(rasters.samples.map(classOf))].filter((name) => name !== null).sort((a, b) => compareValues(a, b));
  const [lanes, said, fallback, chosen] = [h("div", { class: "lanes" }), h("p", { class: "note", "aria-live": "polite" }), h("div"), h("span")];
  let shown = [];
  function show(sample) {
    shown = lanesOf(sample);
    lanes.replaceChildren(...shown.map(laneRow), sharedTips(shown));
    said.textContent = `${sampleText(sample)}.`;
    fallback.replaceChildren(stepTable(shown));
    paint();
  }
  const paint = () => lanes.isConnected && shown.forEach((lane, at) => drawLane(lanes.children[at].querySelector("canvas"), lane));
  function fill(name) {
    const fitting = rasters.samples.filter((sample) => name === "" || classOf(sample) === name);
    chosen.replaceChildren(picker("Sample", fitting.map((sample) => [sample.sample, sampleText(sample)]),
      (value) => show(fitting.find((sample) => String(sample.sample) === value))));
    show(fitting[0]);
  }
  fill("");
  new MutationObserver(paint).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
  for (const query of ["(prefers-color-scheme: dark)", "print"]) matchMedia(query).addEventListener("change", paint);
  document.addEventListener("DOMContentLoaded", paint);
  const tools = h("div", { class: "tools" }, classes.length > 1 ? picker(run.accuracy ? "Class" : "Answer", [["", "every class"], ...classes.map((name) => [name, `class ${name}`])], fill) : null, chosen);
  const left = Object.keys(series.layers).length - shown.length;
  const note = `Every layer over the steps of the sample, a row a neuron. A layer computes a step some chip steps after the input has sent it, so that all are drawn below one another. ${rasters.steps < series.period ? `The first ${count(rasters.steps)} of ${count(series.period)} steps. ` : ""}${left > 0 ? `The ${shown.length} busiest layers. ` : ""}Darker is larger.`;
  return card("One sample, layer by layer", { wide: true, note, tools, fallback }, said, walkable(lanes, "Messages of every layer, step by step"), timeAxis(rasters.steps));
}

function laneRow(lane) {
  const which = lane.every > 1 ? `${count(lane.rows)} of ${count(lane.neurons)}, one in ${count(lane.every)}` : plural(lane.neurons, "neuron");
  const height = `${laneHeight(lane)}px`;
  return h("div", { class: "timed lane", style: { "--hue": layerHue(lane.name) } },
    h("div", { class: "timed-label", title: lane.name }, h("span", {}, lane.name), h("small", {}, which)),
    h("canvas", { style: { height }, "aria-hidden": "true" }));
}

function sharedTips(lanes) {
  const tip = (step) => ({ title: `Step ${step}`, rows: lanes.slice(0, 12).map((lane) => [lane.name, `${count(lane.sending[step])} of ${count(lane.rows)} send`]), note: lanes.length > 12 ? `and ${lanes.length - 12} layers more` : "" });
  return h("div", { class: "timed lane-hits" }, h("span"), h("div", { class: "timed-chart" }, columns(rasters.steps, 100, tip)));
}

function stepTable(lanes) {
  const head = { head: "Step", value: (row) => row.step };
  const rows = Array.from({ length: rasters.steps }, (_, step) => ({ step }));
  return table("Neurons shown that send, by step", [head, ...lanes.slice(0, 12).map((lane) => ({
    head: lane.name, word: "layer", help: `How many of ${count(lane.rows)} neurons shown send.`, value: (row) => lane.sending[row.step] }))], rows, { most: 32 });
}
