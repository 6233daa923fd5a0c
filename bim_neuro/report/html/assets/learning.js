"use strict";
// What the program learnt on the chip: right answers before, during and after, what it cost, where its parts run.

const learning = run.learning;

function learningSection() {
  if (!learning) return null;
  return section("learning", "Learning", "Learning on the chip", null, cards(learntCard(), taskAxes(), learningCost(), learningFacts()));
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

/** What was learnt against what was kept: a new task upwards, an old one to the right, from the ring to the dot. */
function taskAxes() {
  const { accuracy_before: before, accuracy_after: after, others = {} } = learning;
  const old = Object.entries(others).filter(([, shares]) => typeof shares.before === "number" && typeof shares.after === "number");
  if (!old.length || typeof before !== "number" || typeof after !== "number") return null;
  const fresh = learning.measured_on || "the new task";
  const size = 220;
  const place = (share) => ({ x: 40 + size * share, y: 16 + size * (1 - share) });
  const marks = [0, 0.25, 0.5, 0.75, 1];
  const figures = old.map(([name, shares]) => {
    const [from, to] = [{ x: place(shares.before).x, y: place(before).y }, { x: place(shares.after).x, y: place(after).y }];
    const tip = { title: `${fresh}, and ${name}`, rows: [[fresh, `${percent(before)} to ${percent(after)}`], [name, `${percent(shares.before)} to ${percent(shares.after)}`]] };
    const drawing = s("svg", { class: "axes", viewBox: `0 0 ${size + 64} ${size + 64}`, role: "presentation" },
      marks.flatMap((mark) => [
        s("line", { class: "grid", x1: place(mark).x, x2: place(mark).x, y1: 16, y2: 16 + size }), s("line", { class: "grid", x1: 40, x2: 40 + size, y1: place(mark).y, y2: place(mark).y }),
        s("text", { class: "mark-text", x: place(mark).x, y: size + 34, "text-anchor": "middle" }, `${100 * mark} %`), mark ? s("text", { class: "mark-text", x: 34, y: place(mark).y + 4, "text-anchor": "end" }, `${100 * mark}`) : ""]),
      s("text", { class: "mark-text", x: 40 + size / 2, y: size + 54, "text-anchor": "middle" }, cut(`right in ${name}`, 36)),
      s("g", { tip }, s("line", { class: "between", x1: from.x, y1: from.y, x2: to.x, y2: to.y }), s("circle", { class: "ring", cx: from.x, cy: from.y, r: 7 }), s("circle", { class: "dot", cx: to.x, cy: to.y, r: 5 })));
    return walkable(h("div", { class: "task" }, drawing), `${fresh} from ${percent(before)} to ${percent(after)}, ${name} from ${percent(shares.before)} to ${percent(shares.after)}`);
  });
  return card("Learnt and kept", { note: `Upwards: right in ${fresh}. To the right: right in what it could before. Straight up has forgotten nothing.` },
    h("div", { class: "tasks" }, figures), legend([["before", "", "ring"], ["after", "", "dot"]]));
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
