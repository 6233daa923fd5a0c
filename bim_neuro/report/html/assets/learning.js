"use strict";
// What the program learnt on the chip: right answers before, during and after, what it cost, where its parts run.

const learning = run.learning;

function learningSection() {
  if (!learning) return null;
  return section("learning", "Learning", "Learning on the chip", null, cards(learntCard(), learningCost(), learningFacts()));
}

function learntCard() {
  const measured = [[learning.measured_on || "the samples", learning.accuracy_before, learning.accuracy_after],
    ...Object.entries(learning.others || {}).map(([name, shares]) => [name, shares.before, shares.after])];
  const rows = measured.filter(([, left, right]) => typeof left === "number" && typeof right === "number").map(([label, left, right]) => ({
    label, left, right, text: percent(right), aside: `from ${percent(left)}`, tip: { title: label, rows: [["before", percent(left, 2)], ["after", percent(right, 2)]] },
  }));
  const curve = learning.curve || [];
  const tip = (part) => ({ title: `Part ${part + 1} of ${curve.length} of the stream`, rows: [["right answers", percent(curve[part], 2)]] });
  return card("Right answers", { note: learning.samples ? `Learnt from a stream of ${plural(learning.samples, "sample")}.` : null },
    pairs("Right answers before and after learning", rows, 1, (mark) => percent(mark, 0)),
    legend([["before", "", "ring"], ["after", "", "dot"]]),
    curve.length > 1 ? stripFigure("Right answers while learning", "while learning", curve, 1, (most) => percent(most, 0), "var(--c1)", tip) : null);
}

function learningCost() {
  if (!learning.energy_pj || learning.energy_pj.value === null) return null;
  const lines = [["in all", learning.energy_pj], ...Object.entries(learning.energy_events || {}).map(([name, range]) => [words(name), range])];
  const rows = lines.filter(([, range]) => range.value > 0).map(([label, range]) => ({
    label, range, parts: [[range.value, label === "in all" ? "var(--accent)" : "var(--quiet)"]], text: energy(range.value), aside: rangeText(range, ENERGY), tip: eventsTip(label, range, {}, ENERGY),
  }));
  const left = (learning.unpriced || []).length ? ` No published price: ${learning.unpriced.join(", ")}.` : "";
  return card("What learning costs", { note: `A sample, beside inference${learning.weakest_basis ? `; weakest basis: ${learning.weakest_basis}` : ""}.${left}` },
    rows.length ? rangeBars("Energy of learning", rows, energy) : null);
}

function learningFacts() {
  const shown = ["rule", "placement", "learning_signal", "updates", "trace_words", "trace_bits", "trace_cores", "saturated_trace_words", "energy_share"];
  const rows = shown.filter((name) => learning[name] !== undefined && learning[name] !== null).map((name) =>
    [words(name), name === "energy_share" ? percent(learning[name]) : withUnit(name, learning[name])]);
  const check = learning.verify;
  if (check) rows.push([`${check.backend}, first ${plural(check.samples, "sample")}`, check.left_out ? `not compared: ${check.left_out}`
    : `${check.rows.map((row) => `${count(row.equal)} of ${count(row.values)} ${row.what}`).join(", ")} equal (synapses: ${check.synapses})`]);
  return card("The rule and where it runs", { wide: true }, factList(rows),
    (learning.placement_reasons || []).length ? h("ul", { class: "plain" }, learning.placement_reasons.map((reason) => h("li", {}, reason))) : null);
}
