"use strict";
// One neuron at a time, float against integer: its states step by step, what its words can hold, its threshold, its spikes.

const beside = series.neurons && Object.keys(series.neurons.layers).length ? series.neurons : null;

/** The values of a signal: 16-bit words, most significant byte first, times its step. */
function valuesOf(text, step) {
  const bytes = atob(text);
  return Array.from({ length: bytes.length / 2 }, (_, at) => {
    const word = (bytes.charCodeAt(2 * at) << 8) | bytes.charCodeAt(2 * at + 1);
    return step * (word > 32767 ? word - 65536 : word);
  });
}

const SIGNAL_NAMES = { v: "membrane v", u: "current u", h: "scan state h", message: "message" };
const signalName = (name) => SIGNAL_NAMES[name] || name;

/** Two runs on one axis. `ends`: the lowest and highest value drawn; `marks`: [value, class] of horizontal lines. */
function twoLines(floats, integers, [low, high], marks) {
  const height = 96;
  const y = (value) => (height - (height * (value - low)) / (high - low || 1)).toFixed(2);
  const path = (values) => values.map((value, step) => `${step ? "L" : "M"}${step + 0.5} ${y(value)}`).join("");
  const drawing = s("svg", { class: "lines", viewBox: `0 0 ${floats.length} ${height}`, preserveAspectRatio: "none", height, role: "presentation" },
    marks.map(([value, kind]) => s("line", { class: kind, x1: 0, x2: floats.length, y1: y(value), y2: y(value), "vector-effect": "non-scaling-stroke" })),
    s("path", { class: "of-float", d: path(floats), "vector-effect": "non-scaling-stroke" }),
    s("path", { class: "of-integer", d: path(integers), "vector-effect": "non-scaling-stroke" }));
  return drawing;
}

/** What is drawn of a signal: as far as the two runs go, or all that the word can hold. */
function endsOf(values, limit, threshold, whole) {
  if (whole) return [-limit, limit];
  const near = threshold && threshold[0] < 3 * largest(values.map(Math.abs)) ? threshold : [];
  const [low, high] = [Math.min(0, ...values, ...near), Math.max(0, ...values, ...near)];
  const room = 0.06 * (high - low || 1);
  return [low - room, high + room];
}

function signalFigure({ name, limit, bits, floats, integers }, threshold, whole) {
  const all = [...floats, ...integers];
  const most = largest(all.map(Math.abs));
  const ends = endsOf(all, limit, threshold, whole);
  const marks = [[0, "zero"], ...(threshold ? [[threshold[1], "threshold"]] : []), ...(whole ? [[limit, "limit"], [-limit, "limit"]] : [])]
    .filter(([value]) => value >= ends[0] && value <= ends[1]);
  const tip = (step) => ({ title: `${signalName(name)}, step ${step}`, rows: [["float", digits(floats[step])], ["integer", digits(integers[step])], ["off by", digits(integers[step] - floats[step])],
    ...(threshold ? [["threshold", digits(threshold[1])]] : [])], note: `${bits} bits hold \u00b1${digits(limit)}` });
  return h("div", { class: "timed" },
    h("div", { class: "timed-label" }, h("span", {}, signalName(name)), h("small", {}, `to ${digits(most)}: ${percent(most / limit)} of \u00b1${digits(limit)}, ${bits} bits`)),
    walkable(h("div", { class: "timed-chart" }, twoLines(floats, integers, ends, marks), columns(floats.length, 96, tip)), `${signalName(name)}, float and integer`));
}

/** When each run spiked: a row of ticks each. */
function spikeRows(spikes) {
  const rows = [["float", "of-float", spikes[0]], ["integer", "of-integer", spikes[1]]];
  return rows.map(([name, kind, fired]) => h("div", { class: "timed" },
    h("div", { class: "timed-label" }, h("span", {}, `spikes, ${name}`), h("small", {}, count(fired.filter(Boolean).length))),
    s("svg", { class: "lines", viewBox: `0 0 ${fired.length} 14`, preserveAspectRatio: "none", height: 14, role: "img", "aria-label": `Spikes of the ${name} run in steps ${fired.flatMap((one, step) => (one ? [step] : [])).join(", ") || "none"}` },
      fired.flatMap((one, step) => (one ? [s("line", { class: kind, x1: step + 0.5, x2: step + 0.5, y1: 1, y2: 13, "vector-effect": "non-scaling-stroke" })] : [])))));
}

function neuronCard() {
  if (!beside) return null;
  const names = Object.keys(beside.layers);
  const [stage, chosen, fallback] = [h("div", { class: "stage" }), h("span"), h("div")];
  let [layer, neuron, whole] = [null, null, false];
  function draw() {
    const signals = layer.signals.map((signal, at) => ({ ...signal,
      floats: valuesOf(neuron.signals[at].float, neuron.signals[at].step), integers: valuesOf(neuron.signals[at].integer, neuron.signals[at].step) }));
    const spikes = (neuron.spikes || []).map((text) => [...cellsOf(text, 1, beside.steps)]);
    stage.replaceChildren(h("p", { class: "printed" }, `${layerPicker.value}, neuron ${count(neuron.neuron)}`), ...signals.map((signal) => signalFigure(signal, signal.name === "v" ? neuron.threshold : null, whole)),
      ...(spikes.length ? spikeRows(spikes) : []), timeAxis(beside.steps));
    fallback.replaceChildren(neuronTable(signals));
  }
  function pickLayer(name) {
    layer = beside.layers[name];
    const rank = (at) => (at === 0 ? " (furthest off)" : at === layer.shown.length - 1 ? " (nearest)" : "");
    chosen.replaceChildren(picker("Neuron", layer.shown.map((one, at) => [at, `neuron ${count(one.neuron)}${layer.shown.length > 1 ? rank(at) : ""}`]), (at) => { neuron = layer.shown[at]; draw(); }));
    [neuron] = layer.shown;
    draw();
  }
  const layerPicker = picker("Layer", names.map((name) => [name, name]), pickLayer);
  layerPicker.value = names.find((name) => beside.layers[name].shown[0].spikes) || names[0];
  pickLayer(layerPicker.value);
  const tools = h("div", { class: "tools" }, layerPicker, chosen,
    choice("Scale", [[false, "Signal"], [true, "Whole range"]], false, (value) => { whole = value; draw(); }));
  const note = `Sample ${count(beside.sample)}, ${plural(beside.steps, "step")}. Does fixed point follow the float model, and does it use its words? A format should hold the signal with a little room: far more of it wastes bits, less saturates. Membranes are drawn after their reset; of several scan states the largest. Neurons are those furthest off, nearest, and at equal ranks between. ${beside.left_out || ""}`;
  return card("One neuron, float and integer", { wide: true, note, tools, fallback }, stage,
    legend([["float", "var(--c2)", "stroke"], ["integer", "var(--c1)", "stroke"], ["threshold", "var(--quiet)", "stroke"]]));
}

function neuronTable(signals) {
  const ends = signals.flatMap(({ name, floats, integers }) => [
    { head: `${signalName(name)}, float`, word: "float", value: (row) => floats[row.step], show: (row) => digits(floats[row.step]) },
    { head: `${signalName(name)}, integer`, word: "integer", value: (row) => integers[row.step], show: (row) => digits(integers[row.step]) }]);
  return table("One neuron, step by step", [{ head: "Step", value: (row) => row.step }, ...ends], Array.from({ length: beside.steps }, (_, step) => ({ step })), { most: 32 });
}
