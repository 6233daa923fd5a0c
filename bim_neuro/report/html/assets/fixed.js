"use strict";
// What fixed point changed: spikes, answers, and the integers held against another backend.

function agreementCard() {
  if (!run.agreement.length) return null;
  const rows = run.agreement.map((row) => ({
    label: row.layer, left: row.rate_float, right: row.rate_integer, text: percent(row.share, 2), aside: "equal",
    tip: { title: row.layer, rows: [["equal slots", `${count(row.equal)} of ${count(row.spike_slots)}`], ["float rate", percent(row.rate_float, 2)], ["integer rate", percent(row.rate_integer, 2)]] },
  }));
  return card("Spikes, float and integer", { note: "Rate of each run, and the share of slots (neuron and step) where both spike or neither does." },
    pairs("Spike rates, float and integer", rows, largest(rows.flatMap((row) => [row.left, row.right])), (mark) => percent(mark, 0)),
    legend([["float", "", "ring"], ["integer", "", "dot"]]));
}

function accuracyCard() {
  if (!run.accuracy) return null;
  const metrics = run.accuracy.metrics;
  const rows = [["all", run.accuracy.float, run.accuracy.integer], ...(metrics ? Object.keys(metrics.float.sensitivity).map((label) => [`class ${label}`, metrics.float.sensitivity[label], metrics.integer.sensitivity[label]]) : [])]
    .map(([label, left, right]) => ({ label, left, right, text: percent(right), aside: left === right ? "same" : `float ${percent(left)}`, tip: { title: label, rows: [["float", percent(left, 2)], ["integer", percent(right, 2)]] } }));
  return card("Right answers, float and integer", { note: `${plural(run.samples, "sample")}${metrics ? "; a class's share is of its own samples" : ""}.` },
    pairs("Right answers, float and integer", rows.slice(0, 41), 1, (mark) => percent(mark, 0)), legend([["float", "", "ring"], ["integer", "", "dot"]]));
}

function verifyCard() {
  if (!run.verify) return null;
  const columns = [
    { head: "Layer", text: true, value: (row) => row.layer },
    { head: "What", text: true, value: (row) => row.what },
    { head: "Values", value: (row) => row.values },
    { head: "Different", value: (row) => row.values - row.equal, show: (row) => (row.values === row.equal ? "none" : h("strong", { class: "bad" }, count(row.values - row.equal))) },
  ];
  return card(`Verified on ${run.verify.backend}`, { wide: true, note: `${plural(run.verify.samples, "sample")}, every message and state of every step. ${data.left_out.verify || ""}` },
    table("Verification", columns, run.verify.layers, { most: 14 }));
}

const fixedSection = () => section("fixed", "Fixed point", "What fixed point changed", null, cards(agreementCard(), accuracyCard(), verifyCard()));
