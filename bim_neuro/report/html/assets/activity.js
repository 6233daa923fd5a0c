"use strict";
// What the layers did over time: rates of the whole run, and the feature maps of its first sample.

const series = data.series;

function perStep(layer) {
  const own = series.layers[layer.name];
  return own ? own.messages.map((messages) => messages / layer.neurons) : [];
}

function stepName(step) {
  const first = step * series.bin;
  return series.bin === 1 ? `Step ${first}` : `Steps ${first}–${Math.min(series.period, first + series.bin) - 1}`;
}

function activity() {
  const layers = data.summary.layers.filter((layer) => series.layers[layer.name]);
  if (!layers.length) return null;
  const stage = h("div", { class: "stage" });
  const buttons = layers.map((layer) => {
    const rates = perStep(layer);
    return h("button", { type: "button", class: "layer-pick", "aria-pressed": "false", onclick: () => pick(layer), tip: {
      title: layer.name,
      rows: [["mean rate", percent(layer.spike_rate)], ["busiest step", percent(largest(rates))]],
      note: layer.message_bits === 1 ? "spikes" : `graded messages of ${layer.message_bits} bits`,
    } }, h("span", {}, layer.name), strip(rates, 1, layerHue(layer.name), 26), h("span", { class: "number" }, percent(layer.spike_rate)));
  });
  function pick(layer) {
    buttons.forEach((button, index) => button.setAttribute("aria-pressed", String(layers[index] === layer)));
    stage.replaceChildren(...layerStage(layer));
  }
  pick(layers.find((layer) => layer.message_bits === 1) || layers[0]);
  const columns = [
    { head: "Step", text: true, value: (row) => row.step, show: (row) => stepName(row.step) },
    ...layers.slice(0, 12).map((layer) => ({ head: layer.name, word: "spike rate", value: (row) => perStep(layer)[row.step], show: (row) => percent(perStep(layer)[row.step]) })),
  ];
  const steps = Array.from({ length: perStep(layers[0]).length }, (_, step) => ({ step }));
  const fallback = table("Share of neurons that send, by step", columns, steps, { most: 20 });
  return card("Activity over time", {
    wide: true, fallback,
    note: `The list: which share of a layer's neurons sends, step by step, mean of ${plural(series.samples, "sample")}. Choose a layer for its rates and its synaptic operations.${["steps", "layers"].map((what) => (series.left_out || {})[what] || "").filter(Boolean).map((said) => ` ${said}`).join("")}`,
  }, h("div", { class: "split" }, h("div", { class: "picks" }, buttons), stage));
}

function layerStage(layer) {
  const own = series.layers[layer.name];
  const rates = perStep(layer);
  const synops = own.synops;
  const tip = (step) => ({
    title: `${layer.name}, ${stepName(step).toLowerCase()}`,
    rows: [["neurons that send", `${digits(own.messages[step])} of ${count(layer.neurons)} · ${percent(rates[step])}`], ["synaptic operations", digits(synops[step])]],
    note: "mean of the run, a step of a sample",
  });
  return [
    mapFigure(layer),
    stripFigure(`Share that sends, ${layer.name}`, "sending", rates, largest(rates), percent, layerHue(layer.name), tip),
    largest(synops) > 0 && stripFigure(`Synaptic operations, ${layer.name}`, "synops", synops, largest(synops), digits, layerHue(layer.name), tip),
    timeAxis(series.period),
  ].filter(Boolean);
}

function stripFigure(label, short, values, most, format, colour, tip) {
  return h("div", { class: "timed" },
    h("div", { class: "timed-label" }, h("span", {}, short), h("small", {}, `to ${format(most)}`)),
    walkable(h("div", { class: "timed-chart" }, strip(values, most, colour, 44), columns(values.length, 44, tip)), label));
}

function timeAxis(steps) {
  const marks = ticks(steps, 6).filter((mark) => mark <= steps && Number.isInteger(mark));
  return h("div", { class: "timed", "aria-hidden": "true" }, h("small", {}, "step"),
    h("div", { class: "ticks" }, marks.map((mark) => h("span", { style: { left: at(share(mark, steps)) } }, String(mark)))));
}

const FEW = 6; // pictures that are drawn large

/** A feature map: a picture a channel, a pixel a neuron. */
function mapFigure(layer) {
  const own = ((series.raster && series.raster.pictures) || {})[layer.name];
  if (!own) return null;
  const what = layer.message_bits === 1 ? "spikes" : "messages";
  const [channels, ...places] = own.shape;
  const pictures = own.pictures.map((rows, channel) => {
    const sending = sum(rows.map((row) => [...row].filter((cell) => cell !== "0").length));
    const drawing = raster(rows, null, 1);
    drawing.setAttribute("preserveAspectRatio", "xMidYMid meet");
    return h("div", { class: "picture", tip: { title: `${layer.name}, channel ${channel}`, rows: [["shown neurons that send", `${count(sending)} of ${count(rows.length * rows[0].length)}`]], note: `${what} of the first sample` } },
      drawing, h("small", {}, String(channel)));
  });
  const cut = pictures.length < channels ? `the first ${count(pictures.length)} of ${plural(channels, "channel")}` : plural(channels, "channel");
  const thinned = own.every > 1 ? `, one row and column in ${count(own.every)}` : "";
  const label = `${capital(what)} of ${layer.name} in the first sample, a picture a channel`;
  return h("div", {}, walkable(h("div", { class: pictures.length > FEW ? "pictures" : "pictures few" }, pictures), label),
    h("p", { class: "note" }, `${capital(what)} of the first sample, summed over its steps: ${cut} of ${places.map(count).join(" x ")}${thinned}. Darker is more.`));
}
