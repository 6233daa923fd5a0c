"use strict";
// The report of one compile: the answers first, then what they rest on.

const isRange = (value) => value !== null && typeof value === "object" && "low" in value && "value" in value && "high" in value;

/** Whatever a block of the summary says, name by name; `units` maps the end of a name to how it is written. */
function facts(block, prefix = "") {
  return Object.entries(block).flatMap(([name, value]) => {
    const label = prefix ? `${prefix}, ${words(name)}` : words(name);
    if (isRange(value)) return [[label, withUnit(name, value.value), rangeText(value, unitsOf(name))]];
    if (Array.isArray(value)) return value.every((entry) => typeof entry !== "object") ? [[label, value.join(", "), ""]] : [];
    if (value !== null && typeof value === "object") return facts(value, label);
    return [[label, withUnit(name, value), ""]];
  });
}

const UNITS = [[/_pj$/, ENERGY], [/_us$/, MICROSECONDS], [/seconds$/, TIME]];
const unitsOf = (name) => (UNITS.find(([end]) => end.test(name)) || [null, PLAIN])[1];

function withUnit(name, value) {
  if (value === null || value === undefined) return "not known";
  if (typeof value !== "number") return String(value);
  if (/sparsity|accuracy/i.test(name)) return percent(value, 2);
  const units = unitsOf(name);
  if (units !== PLAIN) return scaled(value, units);
  return Number.isInteger(value) ? count(value) : digits(value);
}

const factList = (rows) => h("dl", { class: "facts" }, rows.map(([name, value, range = ""]) =>
  h("div", {}, h("dt", {}, name), h("dd", {}, value, range ? h("small", {}, range) : ""))));

function timeSection() {
  const { latency } = run;
  const steps = [["input of a sample", plural(run.steps, "step")], ["a new sample every", plural(run.period, "step")], ["first answer after", plural(run.latency_steps, "step")], ["step of the model", run.dt ? seconds(run.dt) : NONE]];
  if (latency) {
    const perSecond = latency.samples_per_second;
    steps.push(["steps that take the least a step can", `${count(latency.floor_steps)} of ${count(latency.steps_per_sample)}`],
      ["samples a second", perSecond.value === null ? "not known" : digits(perSecond.value), perSecond.value === null ? "" : rangeText(perSecond, PLAIN)],
      ["weakest basis", latency.weakest_basis]);
  }
  return section("time", "Time", "Where the time goes", null, cards(
    latency && busyCard(latency), timesCard(latency), run.time && waitCard(run.time), run.power && powerCard(run), run.sensitivity && swingCard(run), card("A sample", {}, factList(steps))));
}

const TERM_NAMES = { neurons: "neurons of the slowest core", synapses: "its synaptic operations", memory: "its reads of synapse memory", link: "the busiest link", barrier: "the barrier", floor: "the least a step takes" };

const BOUNDARY_NAMES = { cores: "neurocores", chip: "chip with its processors", board: "whole board" };
const ENERGY_DELAY = [[1e6, "J ms"], [1e3, "mJ ms"], [1, "\u00b5J ms"]];
const MILLIWATTS = [[1e3, "W"], [1, "mW"], [1e-3, "\u00b5W"]];

/** Mean power at the task's rate, by boundary: each contains the one before. */
function powerCard({ power, boundary, sample_rate_hz: rate, duty, at_rate: sample }) {
  const rows = Object.entries(power).map(([name, line]) => ({
    label: BOUNDARY_NAMES[name], range: line.mean_mw, parts: [[line.mean_mw.value, name === boundary ? "var(--accent)" : "var(--quiet)"]],
    text: scaled(line.mean_mw.value, MILLIWATTS), aside: rangeText(line.mean_mw, MILLIWATTS),
    tip: { title: BOUNDARY_NAMES[name], rows: [["static", withRange(line.static_mw, MILLIWATTS)], ["mean", withRange(line.mean_mw, MILLIWATTS)], ["peak", withRange(line.peak_mw, MILLIWATTS)], ["weakest basis", line.basis]] },
  }));
  const restsOn = h("details", {}, h("summary", {}, "Where the static powers are from"), h("ul", { class: "plain" }, Object.entries(power).map(([name, line]) => h("li", {}, `${capital(BOUNDARY_NAMES[name])}, static: ${line.source}.`))));
  const kept = sample.behind ? `It is ${digits(sample.behind)} times too slow for that.` : `It computes ${percent(duty.value)} of the time.`;
  const fast = run.energy.energy_uj;
  const facts = factList([["energy of a sample at this rate", scaled(sample.energy_uj.value, MICROJOULES), rangeText(sample.energy_uj, MICROJOULES)],
    ...(fast.value === null ? [] : [["as fast as it goes", scaled(fast.value, MICROJOULES), rangeText(fast, MICROJOULES)]]),
    ["energy times delay, at this rate", scaled(sample.edp_uj_ms.value, ENERGY_DELAY), rangeText(sample.edp_uj_ms, ENERGY_DELAY)]]);
  return card("Power at the task's rate", { note: `${digits(rate)} samples a second. ${kept} A boundary contains the one before: they are not added.` },
    rangeBars("Mean power by boundary", rows, (mark) => scaled(mark, MILLIWATTS)), facts, restsOn);
}

/** A tornado: the energy of a sample with one price at its ends. */
function swingCard({ sensitivity, interval_pj: interval, energy }) {
  const value = energy.energy_uj.value === null ? energy.dynamic.value : 1e6 * energy.energy_uj.value;
  const still = sensitivity.filter((row) => row.low_pj === row.high_pj).map((row) => row.price);
  const rows = sensitivity.filter((row) => row.low_pj !== row.high_pj).slice(0, 12).map((row) => ({
    label: row.price, range: { low: Math.min(row.low_pj, row.high_pj), value, high: Math.max(row.low_pj, row.high_pj) }, parts: [[value, "var(--quiet)"]],
    text: scaled(Math.abs(row.high_pj - row.low_pj), ENERGY), aside: row.basis || "",
    tip: { title: row.price, rows: [["at its low end", scaled(row.low_pj, ENERGY)], ["at its high end", scaled(row.high_pj, ENERGY)], ...(row.basis ? [["basis", row.basis]] : [])] },
  }));
  if (!rows.length) return null;
  const idle = still.length ? ` Assumed, and moves nothing here: ${still.join(", ")}.` : "";
  return card("What decides the energy", { note: `Energy of a sample with one price at its ends, the others likely; measure the first first. With all prices drawn at random it is ${scaled(interval.value, ENERGY)}, 90 % of draws in ${rangeText(interval, ENERGY)}.${idle}` },
    rangeBars("What decides the energy", rows, (mark) => scaled(mark, ENERGY)));
}

/** What a step waits for: the longest of what goes on side by side. */
function waitCard({ term, terms, link }) {
  const rows = terms.filter(({ us }) => us.value !== null).map((row) => ({
    label: TERM_NAMES[row.term], range: row.us, parts: [[row.us.value, row.term === term ? "var(--accent)" : "var(--quiet)"]],
    text: scaled(row.us.value, MICROSECONDS), aside: rangeText(row.us, MICROSECONDS),
    tip: { title: TERM_NAMES[row.term], rows: [["at most", withRange(row.us, MICROSECONDS)], ["longest in", plural(row.steps, "step")], ["weakest basis", row.basis]] },
  }));
  const busiest = link ? ` Busiest link: core ${link.source} to core ${link.target}, ${digits(link.messages)} messages in its longest step.` : "";
  return card("What a step waits for", { note: `The longest step waits for ${TERM_NAMES[term]}.${busiest}` },
    rangeBars("What a step waits for", rows, (mark) => scaled(mark, MICROSECONDS)));
}

const TIMES = [["a step, mean", "step_us"], ["the longest step", "longest_step_us"], ["first answer", "first_answer_us"], ["last answer", "answer_us"], ["a sample after another", "sample_us"]];

function timesCard(latency) {
  const given = latency ? TIMES.map(([name, key]) => [name, latency[key], MICROSECONDS]) : [["a sample", run.energy.seconds_per_sample, TIME]];
  const rows = given.filter(([, range]) => range.value !== null).map(([label, range, units]) => ({
    label, range, parts: [[range.value, "var(--accent)"]], text: scaled(range.value, units), aside: rangeText(range, units), tip: eventsTip(label, range, {}, units),
  }));
  if (!rows.length) return null;
  return card("Times on the chip", { note: latency && latency.untimed.length ? `At least: no time is published for ${latency.untimed.join(", ")}.` : null },
    rangeBars("Times on the chip", rows, (mark) => scaled(mark, latency ? MICROSECONDS : TIME)));
}

/** The kind of event that takes the longest. */
const longestOf = (events) => Object.entries(events).reduce((a, b) => (b[1].value > a[1].value ? b : a), ["", { value: -1 }])[0];

/** What the fullest core of each layer does in a sample. */
function busyCard({ layers: byLayer, busiest }) {
  const rows = byLayer.filter((layer) => layer.total.value !== null).map((layer) => ({
    label: layer.layers.join(", "), range: layer.total, text: scaled(layer.total.value, MICROSECONDS), aside: rangeText(layer.total, MICROSECONDS),
    parts: [[layer.total.value, kindColour(longestOf(layer.events))]], // side by side: the whole is no sum
    tip: eventsTip(`${layer.layers.join(", ")} on core ${layer.core}`, layer.total, layer.events, MICROSECONDS),
  }));
  if (!rows.length) return null;
  const kinds = [...new Set(byLayer.map((layer) => longestOf(layer.events)))];
  const fallback = table("Work of the fullest core of each layer", [
    { head: "Layer", text: true, value: (row) => row.label },
    ...["low", "value", "high"].map((end) => ({ head: capital(end), value: (row) => row.range[end], show: (row) => scaled(row.range[end], MICROSECONDS) })),
  ], rows);
  return card("Work by layer", {
    wide: true, fallback,
    note: `What the fullest core of each layer works in a sample; synaptic operations, reads and neurons go on side by side, and a bar has the colour of the longest.${busiest && busiest.total.value !== null ? ` Busiest: core ${busiest.core} (${busiest.layers.join(", ")}), ${withRange(busiest.total, MICROSECONDS)} in its longest step.` : ""}`,
  }, rangeBars("Work of the fullest core of each layer", rows.slice(0, 40), (mark) => scaled(mark, MICROSECONDS)),
  legend([...kinds.map((kind) => [kindName(kind), kindColour(kind)]), ["low to high", "", WHISKER]]));
}

function buildTimes() {
  const stages = Object.entries(run.seconds);
  if (!stages.length) return null;
  const rows = stages.map(([name, value]) => ({ label: name, parts: [[value, "var(--quiet)"]], text: seconds(value), tip: { title: name, rows: [["wall-clock", seconds(value)]] } }));
  return card("Time of the compile", { note: "Wall-clock of each stage; nothing to do with the chip." }, rangeBars("Seconds of each stage", rows, seconds));
}

function chipSection() {
  if (!data.cores.length) return null;
  if (data.cores.length === 1) return section("chip", "Chip", "On the chip", null, cards(memoryBars(), placementCard(), coreTable()));
  const map = data.chips.length ? chipMap() : coreMap();
  const beside = [memoryBars(), placementCard()];
  const high = !data.chips.length && !map.classList.contains("wide") && drawnMesh().height > 6; // as high as both beside it
  return section("chip", "Chip", "On the chip", null, cards(map, high ? h("div", { class: "stack" }, beside) : beside, coreTable()));
}

const activitySection = () => section("activity", "Activity", "How sparse it is", null, cards(activity(), sparsityCard()));

function furtherSection() {
  if (!run.neurobench) return null;
  const spaced = facts(run.neurobench).map(([name, ...rest]) => [name === "footprint" ? "footprint, bytes" : name, ...rest]).map(([name, ...rest]) => [name.replace(/([a-z])([A-Z])/g, "$1 $2").toLowerCase().replace(/ (ac|mac)s/, (one) => one.toUpperCase().replace("S", "s")), ...rest]);
  return section("further", "Metrics", "Beside other work", null, cards(denseCard(), card("NeuroBench metrics", {}, factList(spaced))));
}

/** The same model on processors that compute every product; their prices have another scope than the chip's. */
function denseCard() {
  if (!run.dense) return null;
  const own = { device: run.energy.energy_uj.value === null ? null : run.energy.energy_uj.value * 1e6, arithmetic: run.energy.dynamic.value };
  const columns = [
    { head: "Computed densely on", word: "dense processor", text: true, value: (row) => row.name, show: (row) => h("span", { tip: { title: row.name, rows: [["a product", energy(row.mac_pj.value)], ["basis", row.mac_pj.basis]], note: row.mac_pj.source }, class: "hint wrapped", tabindex: 0 }, row.name) },
    { head: "Scope", text: true, value: (row) => row.scope },
    { head: "Energy", value: (row) => row.energy.value, show: (row) => energy(row.energy.value) },
    { head: "Of this run's", value: (row) => (own[row.scope] ? row.energy.value / own[row.scope] : null), show: (row) => (own[row.scope] ? `${digits(row.energy.value / own[row.scope])}×` : NONE) },
  ];
  return card("The same model, dense", { note: `${count(run.dense.macs)} products a sample at published prices. Another scope than the chip's: not to be read as a ranking.` },
    table("The same model computed densely", columns, run.dense.processors));
}

function assumptionsSection() {
  const own = Object.entries(run.judge).filter(([, judge]) => judge === "own").map(([name]) => name);
  return section("assumptions", "Assumptions", "What this rests on", null, cards(
    card("Assumptions", { wide: true }, h("ul", { class: "plain" }, run.assumptions.map((sentence) => h("li", {}, sentence)))),
    card("How it was made", {}, h("pre", { tabindex: 0, role: "region", "aria-label": "Command" }, run.command),
      h("p", { class: "note" }, `bim-neuro ${run.bim_neuro}, backend ${run.backend}, target ${run.target}, ${run.energy.scope === "all_in" ? "all-in prices" : "a price for each kind of event"}. ${own.length ? `Lava ships no process for ${own.slice(0, 12).join(", ")}${own.length > 12 ? ` and ${own.length - 12} more` : ""}: microcode neurons of our own.` : ""}`)),
    buildTimes()));
}

function verdict() {
  const pieces = [run.cores.limit === null ? `Runs on ${run.target}` : `Fits ${run.target} on ${plural(run.cores.used, "core")}`];
  const least = run.energy.unpriced.length ? "at least " : "";
  if (run.energy.energy_uj.value !== null) pieces.push(`${least}${scaled(run.energy.energy_uj.value, MICROJOULES)} (${rangeText(run.energy.energy_uj, MICROJOULES)}) a sample, of it ${energy(run.energy.dynamic.value)} dynamic`);
  else if (run.energy.dynamic.value !== null) pieces.push(`${least}${energy(run.energy.dynamic.value)} (${rangeText(run.energy.dynamic, ENERGY)}) of dynamic energy a sample`);
  const compared = run.agreement.filter((row) => row.share !== null);
  if (compared.length) {
    const worst = compared.reduce((a, b) => (b.share < a.share ? b : a));
    pieces.push(worst.share === 1 ? "fixed point changed no spike and no answer" : `fixed point keeps ${percent(worst.share, 2)} of the ${worst.measure} of ${worst.layer}, the worst layer`);
  }
  return `${pieces.join("; ")}.`;
}

/** What made this page: when, with what, from what. */
function provenance() {
  const { hashes, versions, options } = run.request;
  const given = Object.entries(options).filter(([, value]) => value !== null && value !== false && value !== "");
  return h("dl", { class: "provenance" }, [
    ["Made", [data.series.date ? `${data.series.date.replace("T", " ").replace("+00:00", " UTC")}, ` : "", `bim-neuro ${run.bim_neuro}`]],
    ["With", Object.entries(versions).filter(([name]) => name !== "bim-neuro").map(([name, version]) => `${name} ${version}`).join(", ")],
    ["SHA-256", Object.entries(hashes).filter(([, hash]) => hash).map(([name, hash]) => [`${name} `, h("code", { title: hash }, hash.slice(0, 12)), " "])],
    ["Request", given.map(([name, value]) => `${name} ${value}`).join(", ")],
  ].filter(([, said]) => said.length).map(([name, said]) => h("div", {}, h("dt", {}, name), h("dd", {}, said))));
}

function report() {
  const name = run.model.split(/[\\/]/).pop();
  document.title = `${name} on ${run.target} - bim-neuro`;
  const lead = [h("p", { class: "verdict" }, verdict()),
    h("p", { class: "note" }, `${plural(run.samples, "sample")} of ${plural(run.steps, "step")} (${run.input}), ${run.backend} integers.`)];
  page(`${name} on ${run.target}`, lead,
    [programSection(), glance(), findingsSection(), energySection(), timeSection(), chipSection(), activitySection(), fixedSection(), expectSection(), learningSection(), section("layers", "Layers", "Layer by layer", null, cards(layerTable())), trainingSection(), furtherSection(), assumptionsSection()],
    [provenance(), `Counts are of ${plural(run.samples, "sample")}, energy is of one. The same numbers: summary.json, per-layer.csv, mapping.json, series.json.`]);
}

report();
