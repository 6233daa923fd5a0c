"use strict";
// At a glance: the questions a reader has, answered in a line each.

const run = data.summary;
const layers = run.layers;
const energyOf = Object.fromEntries(run.energy.layers.map((layer) => [layer.layer, layer]));
const worst = data.cores.length ? data.cores.map((core) => ({ core, ...fullest(core) })).reduce((a, b) => (b.share > a.share ? b : a)) : null;
const spiking = layers.filter((layer) => layer.message_bits === 1);

function tile(question, answer, detail, extra, state) {
  return h("div", { class: `tile ${state || ""}` }, h("dt", {}, question), h("dd", {}, h("span", { class: "answer" }, answer), extra, h("span", { class: "detail" }, detail)));
}

function fitTile() {
  const { used, limit } = run.cores;
  if (limit === null) return tile("Does it fit?", "Nothing to place", `${run.target} is a simulation without cores`, null, "good");
  const least = run.placement && run.placement.lower_bound;
  const detail = `${count(used)} of ${count(limit)} cores${least === used ? "; no placement takes fewer" : least ? `; at least ${plural(least, "core")} needed` : ""}`;
  return tile("Does it fit?", "It fits", detail, meter(used / limit, detail), "good");
}

function bindsTile() {
  if (!worst) return null;
  return tile("What binds?", capital(worst.name), `${percent(worst.share)} used on ${coreName(worst.core)}, ${layerOf(worst.core)}`, meter(worst.share, percent(worst.share)));
}

function quantityTile(question, range, units, detail) {
  if (!range || range.value === null) return tile(question, "unpriced", detail);
  return tile(question, scaled(range.value, units), detail, h("span", { class: "between-text" }, `${rangeText(range, units)} ${unitOf(range.value, units)[1]}`));
}

/** Dynamic and static energy: what a placement is chosen and held to. */
function costTile() {
  const { energy_uj, dynamic, static: idle, weakest_basis, scope } = run.energy;
  const parts = `dynamic ${energy(dynamic.value)}, static ${scope === "all_in" ? "in it" : idle.value === null ? "unpublished" : energy(idle.value)}; weakest price: ${weakest_basis}`;
  const least = run.energy.unpriced.length ? "at least " : "";
  if (energy_uj.value === null) return tile("What does a sample cost?", dynamic.value === null ? "unpriced" : "not known whole", parts);
  return tile("What does a sample cost?", `${least}${scaled(energy_uj.value, MICROJOULES)}`, parts, h("span", { class: "between-text" }, `${rangeText(energy_uj, MICROJOULES)} ${unitOf(energy_uj.value, MICROJOULES)[1]}`));
}

function sparseTile() {
  const of = spiking.length ? spiking : layers;
  const rate = sum(of.map((layer) => layer.spike_rate * layer.neurons)) / sum(of.map((layer) => layer.neurons));
  const densest = layers.reduce((a, b) => (b.spike_rate > a.spike_rate ? b : a));
  return tile("How sparse?", `${percent(1 - rate)} silent`, `${spiking.length ? "the spiking neurons" : "all neurons"}; busiest layer: ${densest.name}, ${percent(densest.spike_rate)} send`);
}

function fixedTile() {
  const rows = run.agreement;
  const accuracy = run.accuracy ? `accuracy ${percent(run.accuracy.float)} float, ${percent(run.accuracy.integer)} integer, ${percent(run.accuracy.majority)} for always “${run.accuracy.majority_class}”` : "no labels, so no accuracy";
  if (!rows.length) return tile("What did fixed point change?", "not compared", accuracy);
  const least = rows.reduce((a, b) => ((b.share ?? -1) < (a.share ?? -1) ? b : a));
  if (least.share === null) return tile("What did fixed point change?", "nothing to compare", `${least.layer} gives nothing; ${accuracy}`, null, "bad");
  if (least.share === 1) return tile("What did fixed point change?", "nothing", `every spike and answer is float's; ${accuracy}`, null, "good");
  return tile("What did fixed point change?", `${percent(1 - least.share, 2)} of ${least.measure}`, `worst layer: ${least.layer}; ${accuracy}`, null, least.share === 0 ? "bad" : null);
}

const lessons = (run.learning && run.learning.verify && run.learning.verify.rows) || [];
const verified = run.verify && run.verify.equal === run.verify.spike_slots && run.verify.states_equal === run.verify.states
  && lessons.every((row) => row.equal === row.values);

function checkTile() {
  if (!run.verify) return null;
  const { messages, messages_equal, spike_slots, equal, states, states_equal, backend } = run.verify;
  const values = `${count(messages_equal)} of ${count(messages)} messages, ${count(equal + states_equal)} of ${count(spike_slots + states)} values equal${lessons.length ? `; learning: ${count(lessons.reduce((sum, row) => sum + row.equal, 0))} of ${count(lessons.reduce((sum, row) => sum + row.values, 0))}` : ""}`;
  return tile("Are the integers right?", verified ? `equal to ${backend}` : `differ from ${backend}`, values, null, verified ? "good" : "bad");
}

function learnTile() {
  const { learning } = run;
  if (!learning) return null;
  const { accuracy_before: before, accuracy_after: after, forgotten } = learning;
  const measured = typeof before === "number" && typeof after === "number";
  const rose = measured && after > before;
  const lost = typeof forgotten !== "number" ? "" : forgotten > 0 ? `; forgotten of the old task: ${percent(forgotten)}` : "; nothing forgotten";
  const costly = typeof forgotten === "number" && forgotten > Math.max(0, after - before);
  return tile("Can it learn?", measured ? `${percent(before)} to ${percent(after)}` : "yes", `${learning.rule || "a rule"} on ${learning.placement || "the chip"}${lost}`, null,
    !measured ? null : !rose ? "bad" : costly ? "warn" : "good");
}

/** What makes figures doubtful: layers that never send, words that saturated, input that was cut off. */
function lossTile() {
  const dead = spiking.filter((layer) => layer.spikes === 0);
  const saturated = sum(layers.map((layer) => layer.saturations));
  const met = data.input.length * (run.encoder.values || 0);
  const clipped = sum(data.input.map((row) => row.clipped));
  const said = [`${plural(dead.length, "dead layer")}`, `${plural(saturated, "saturated word")}`, met ? `${percent(clipped / met)} of the input clipped` : null].filter(Boolean);
  const found = [dead.length && said[0], saturated && said[1], clipped && said[2]].filter(Boolean);
  const state = dead.length ? "bad" : saturated || clipped > met / 100 ? "warn" : "good"; // 1 %: as the finding clipped-input
  return tile("Dead, saturated, clipped?", found.join(", ") || "nothing", dead.map((layer) => layer.name).join(", ") || said.filter((text) => !found.includes(text)).join(", "), null, state);
}

/** What was not asked for, in one line. */
function unasked() {
  const left = [!run.verify && ["a comparison with Lava", "--verify lava"], !run.learning && ["learning on the chip", "--learn"]].filter(Boolean);
  if (!left.length) return null;
  return h("p", { class: "note unasked" }, "Not asked: ", left.flatMap(([what, option], at) => [at ? ", " : "", `${what} `, h("code", {}, option)]), ".");
}

function glance() {
  return section("glance", "At a glance", "At a glance", null, h("dl", { class: "tiles" },
    fitTile(), findingsTile(), bindsTile(),
    costTile(),
    quantityTile("How long does it take?", run.energy.seconds_per_sample, TIME, `${plural(run.period, "step")} a sample, first answer after ${run.latency_steps}`),
    sparseTile(), lossTile(), fixedTile(), checkTile(), learnTile()), unasked());
}
