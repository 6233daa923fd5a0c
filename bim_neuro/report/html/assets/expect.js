"use strict";
// A recording of somebody else's run, by the model's framework or a chip, beside this one.

const BINS = [
  { head: "Layer", text: true, value: (row) => row.layer },
  { head: "What", text: true, value: (row) => (row.what === "message" ? "messages" : `${row.what}s`) },
  { head: "Law", text: true, value: (row) => row.law },
  { head: "Bins", word: "bin", value: (row) => row.bins },
  { head: "Different", help: "Ties are left out.", value: (row) => row.differing, show: (row) => (row.differing ? h("strong", { class: "bad" }, count(row.differing)) : "none") },
  { head: "Ties", value: (row) => row.ties, show: (row) => (row.ties ? `${count(row.ties)}, of them different ${count(row.ties_differing)}` : "none") },
  { head: "Theirs", value: (row) => row.theirs },
  { head: "Ours", value: (row) => row.ours },
  { head: "First", text: true, value: (row) => (row.first && row.differing ? `sample ${row.first.sample}, step ${row.first.step}, neuron ${row.first.neuron}` : ""), show: (row) => (row.first && row.differing ? `sample ${row.first.sample}, step ${row.first.step}, neuron ${row.first.neuron}` : NONE) },
];

/** What the recording proves, in a sentence. */
function expectVerdict({ kind, proved, differing, spikes, consistent, tried }) {
  const whose = kind === "integers" ? "the integers are the recording's" : "the float law is its framework's";
  if (proved) return `Proved on ${count(spikes)} spikes of the output: ${whose}.`;
  if (!differing) return `Nothing is proved: the recorded output has ${count(spikes)} spikes, 100 are needed.`;
  const found = kind === "integers" ? "" : consistent.length ? ` No bin differs under ${consistent.join(" or ")}.` : tried ? ` Bins differ under each of ${count(tried)} dialects.` : "";
  return `${count(differing)} bins differ.${found}`;
}

function dialectsCard({ dialects, dialect, undecided }) {
  const rows = Object.entries(dialects).map(([name, bins]) => ({ name, bins })).sort((a, b) => a.bins - b.bins);
  if (!rows.length) return null;
  const columns = [
    { head: "Dialect", text: true, value: (row) => row.name, show: (row) => (row.name === dialect ? `${row.name} (in force)` : row.name) },
    { head: "Different bins", word: "different", value: (row) => row.bins, show: (row) => (row.bins ? count(row.bins) : "none") },
  ];
  const open = undecided.map((row) => `${row.switch} (${row.values.join(" or ")})`).join(", ");
  return card("Dialects beside the recording", { note: open ? `The recording does not decide: ${open}.` : null }, table("Dialects and the bins that differ", columns, rows, { most: 12 }));
}

function expectSection() {
  const { expect } = run;
  if (!expect) return null;
  return section("expect", "Recording", "Beside somebody else's run", null, cards(
    card("Recorded and ours", { wide: true, note: `${expectVerdict(expect)} ${expect.file}` }, table("A recording beside this run", BINS, expect.layers, { most: 24 })),
    dialectsCard(expect)));
}
