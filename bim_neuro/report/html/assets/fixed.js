"use strict";
// What fixed point changed: spikes, answers, and the integers held against another backend.

function agreementCard() {
  const rows = run.agreement.filter((row) => row.measure === "spikes").map((row) => ({
    label: row.layer, left: row.rate_float, right: row.rate_integer, text: row.share === null ? "dead" : percent(row.share, 2), aside: row.share === null ? "" : "equal",
    tip: { title: row.layer, rows: [["equal spikes", `${count(row.equal)} of ${count(row.of)}`], ["slots", count(row.spike_slots)], ["float rate", percent(row.rate_float, 2)], ["integer rate", percent(row.rate_integer, 2)]] },
  }));
  if (!rows.length) return null;
  return card("Spikes, float and integer", { note: "Rate of each run, and of the spikes that either fired the share that both did." },
    pairs("Spike rates, float and integer", rows, largest(rows.flatMap((row) => [row.left, row.right])), (mark) => percent(mark, 0)),
    legend([["float", "", "ring"], ["integer", "", "dot"]]));
}

/** How near the outputs and other readouts stay to those of the float run. */
function readoutCard() {
  const rows = run.agreement.filter((row) => row.measure !== "spikes");
  if (!rows.length) return null;
  const columns = [
    { head: "Layer", text: true, value: (row) => row.layer },
    { head: "Same answer", value: (row) => (row.measure === "answers" ? row.share : null), show: (row) => (row.measure === "answers" && row.of ? `${percent(row.share, 2)} of ${count(row.of)}` : NONE) },
    { head: "Relative error", value: (row) => row.relative_rms, show: (row) => percent(row.relative_rms, 2) },
  ];
  return card("Readouts, float and integer", { note: "Of the samples in which either run prefers an answer, the share with the same one." }, table("Readouts, float and integer", columns, rows));
}

function accuracyCard() {
  if (!run.accuracy) return null;
  const metrics = run.accuracy.metrics;
  const rows = [["all", run.accuracy.float, run.accuracy.integer], ...(metrics ? Object.keys(metrics.float.sensitivity).map((label) => [`class ${label}`, metrics.float.sensitivity[label], metrics.integer.sensitivity[label]]) : [])]
    .map(([label, left, right]) => ({ label, left, right, text: percent(right), aside: left === right ? "same" : `float ${percent(left)}`, tip: { title: label, rows: [["float", percent(left, 2)], ["integer", percent(right, 2)]] } }));
  const { samples, integer_interval: interval } = run.accuracy;
  const sure = interval ? ` The integers are right in ${percent(run.accuracy.integer)} (95 %: ${percent(interval.low)} to ${percent(interval.high)}).` : "";
  return card("Right answers, float and integer", { note: `${plural(samples || run.samples, "sample")}${metrics ? "; a class's share is of its own samples" : ""}. Always answering “${run.accuracy.majority_class}” is right in ${percent(run.accuracy.majority)}.${sure}` },
    pairs("Right answers, float and integer", rows.slice(0, 41), 1, (mark) => percent(mark, 0)), legend([["float", "", "ring"], ["integer", "", "dot"]]));
}

/** What the encoder cut off, and the scale it takes. */
function inputCard() {
  if (!data.input.length) return null;
  const { kind, values } = run.encoder;
  const columns = [
    { head: "Channel", value: (row) => row.channel },
    { head: "Clipped", value: (row) => row.clipped / values, show: (row) => (row.clipped ? h(row.clipped > values / 100 ? "strong" : "span", { class: row.clipped > values / 100 ? "bad" : "" }, percent(row.clipped / values)) : "none") },
    { head: "Came", text: true, value: (row) => row.seen_high, show: (row) => `${digits(row.seen_low)} to ${digits(row.seen_high)}` },
    kind === "delta"
      ? { head: "An event a change of", word: "event", value: (row) => row.step, show: (row) => digits(row.step) }
      : { head: "Taken", text: true, value: (row) => row.high, show: (row) => `${digits(row.low)} to ${digits(row.high)}` },
  ];
  return card("Input", { note: `${count(values)} values a channel; what lies beyond the range that is taken is cut off. ${data.left_out.input || ""}` }, table("Input by channel", columns, data.input, { most: 12 }));
}

function verifyCard() {
  if (!run.verify) return null;
  const columns = [
    { head: "Layer", text: true, value: (row) => row.layer },
    { head: "What", text: true, value: (row) => row.what },
    { head: "Values", value: (row) => row.values },
    { head: "Not zero", value: (row) => row.nonzero },
    { head: "Different", value: (row) => row.values - row.equal, show: (row) => (row.values === row.equal ? "none" : h("strong", { class: "bad" }, count(row.values - row.equal))) },
  ];
  return card(`Verified on ${run.verify.backend}`, { wide: true, note: `${plural(run.verify.samples, "sample")}, every message and state of every step. ${data.left_out.verify || ""}` },
    table("Verification", columns, run.verify.layers, { most: 14 }));
}

const fixedSection = () => section("fixed", "Fixed point", "What fixed point changed", null, cards(neuronCard(), agreementCard(), readoutCard(), confusionCard(), accuracyCard(), inputCard(), formatCard(), verifyCard()));
