"use strict";
// What the layers did over time: rates of the whole run, and who sent when in its first sample.

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
    } }, h("span", {}, layer.name), strip(rates, 1, "var(--c1)", 26), h("span", { class: "number" }, percent(layer.spike_rate)));
  });
  function pick(layer) {
    buttons.forEach((button, index) => button.setAttribute("aria-pressed", String(layers[index] === layer)));
    stage.replaceChildren(...layerStage(layer));
  }
  pick(layers.find((layer) => layer.message_bits === 1) || layers[0]);
  const columns = [
    { head: "Step", text: true, value: (row) => row.step, show: (row) => stepName(row.step) },
    ...layers.slice(0, 12).map((layer) => ({ head: layer.name, value: (row) => perStep(layer)[row.step], show: (row) => percent(perStep(layer)[row.step]) })),
  ];
  const steps = Array.from({ length: perStep(layers[0]).length }, (_, step) => ({ step }));
  const fallback = table("Share of neurons that send, by step", columns, steps, { most: 20 });
  return card("Activity over time", {
    wide: true, fallback,
    note: `The list: which share of a layer's neurons sends, step by step, mean of ${plural(series.samples, "sample")}. Choose a layer to see who sent when.`,
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
    rasterFigure(layer),
    stripFigure(`Share that sends, ${layer.name}`, "sending", rates, largest(rates), percent, "var(--c1)", tip),
    largest(synops) > 0 && stripFigure(`Synaptic operations, ${layer.name}`, "synops", synops, largest(synops), digits, "var(--c2)", tip),
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
  return h("div", { class: "timed", "aria-hidden": "true" }, h("span"),
    h("div", { class: "ticks" }, marks.map((mark) => h("span", { style: { left: at(share(mark, steps)) } }, mark === 0 ? "step 0" : String(mark)))));
}

/** A feature map: a picture a channel, a pixel a neuron. */
function mapFigure(layer, own) {
  const what = layer.message_bits === 1 ? "spikes" : "messages";
  const [channels, ...places] = own.shape;
  const pictures = own.pictures.map((rows, channel) => {
    const sending = sum(rows.map((row) => [...row].filter((cell) => cell !== "0").length));
    const drawing = raster(rows, null);
    drawing.setAttribute("preserveAspectRatio", "xMidYMid meet");
    return h("div", { class: "picture", tip: { title: `${layer.name}, channel ${channel}`, rows: [["shown neurons that send", `${count(sending)} of ${count(rows.length * rows[0].length)}`]], note: `${what} of the first sample` } },
      drawing, h("small", {}, String(channel)));
  });
  const cut = pictures.length < channels ? `the first ${count(pictures.length)} of ${plural(channels, "channel")}` : plural(channels, "channel");
  const thinned = own.every > 1 ? `, one row and column in ${count(own.every)}` : "";
  const label = `${capital(what)} of ${layer.name} in the first sample, a picture a channel`;
  return h("div", {}, walkable(h("div", { class: "pictures" }, pictures), label),
    h("p", { class: "note" }, `${capital(what)} of the first sample, summed over its steps: ${cut} of ${places.map(count).join(" x ")}${thinned}. Darker is more.`));
}

function rasterFigure(layer) {
  const own = series.raster && series.raster.layers[layer.name];
  if (!own) return h("p", { class: "note" }, "No excerpt of this layer was kept.");
  if (own.pictures) return mapFigure(layer, own);
  const steps = own.rows.length ? own.rows[0].length : 0;
  const height = Math.min(260, Math.max(72, own.rows.length * 4));
  const which = own.rows.length < own.neurons ? `${count(own.rows.length)} of ${count(own.neurons)} neurons, one in ${count(own.every)}` : plural(own.neurons, "neuron");
  const tip = (step) => {
    const sent = own.rows.flatMap((cells, row) => (cells[step] === "0" ? [] : [row * own.every]));
    const names = sent.slice(0, 8).join(", ") + (sent.length > 8 ? ` and ${count(sent.length - 8)} more` : "");
    return { title: `Step ${step} of the first sample`, rows: [["shown neurons that send", `${sent.length} of ${own.rows.length}`]], note: sent.length ? `neurons ${names}` : "silence" };
  };
  const label = layer.message_bits === 1 ? `Spikes of ${layer.name} in the first sample` : `Messages of ${layer.name} in the first sample`;
  return h("div", {},
    h("div", { class: "timed" },
      h("div", { class: "timed-label" }, h("span", {}, layer.message_bits === 1 ? "spikes" : "messages"), h("small", {}, "first sample")),
      walkable(h("div", { class: "timed-chart" }, raster(own.rows, height), columns(steps, height, tip)), label)),
    h("div", { class: "timed" }, h("span"), h("p", { class: "note" },
      `${which}${steps < series.period ? `, the first ${count(steps)} of ${count(series.period)} steps` : ""}.${layer.message_bits === 1 ? "" : " Darker is larger."}`)));
}
