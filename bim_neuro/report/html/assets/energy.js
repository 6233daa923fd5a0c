"use strict";
// Where the energy of a sample goes: by layer, by kind of event, and what lies beside the layers.

const withRange = (range, units) => (range.value === null ? "unpriced" : `${scaled(range.value, units)} (${rangeText(range, units)})`);

function eventsTip(title, total, events, units) {
  const rows = Object.entries(events || {}).map(([kind, own]) => [kindName(kind), withRange(own, units)]);
  return { title, rows: [["in all", withRange(total, units)], ...rows] };
}

function energyRows() {
  return layers.filter((layer) => layer.energy_pj.value !== null).map((layer) => {
    const events = (energyOf[layer.name] || { events: {} }).events;
    return {
      label: layer.name, value: layer.energy_pj.value, range: layer.energy_pj,
      parts: Object.entries(events).map(([kind, range]) => [range.value, kindColour(kind)]),
      text: energy(layer.energy_pj.value), aside: rangeText(layer.energy_pj, ENERGY),
      tip: eventsTip(layer.name, layer.energy_pj, events, ENERGY),
    };
  });
}

function energyByLayer() {
  const rows = energyRows();
  if (!rows.length) return card("By layer", {}, h("p", { class: "note" }, `${run.target} has no published price for what happened.`));
  const present = Object.keys(run.energy.events).filter((kind) => run.energy.events[kind].high > 0);
  const chart = h("div");
  const most = 40;
  const draw = (order) => {
    const sorted = order === "size" ? [...rows].sort((a, b) => b.value - a.value) : rows;
    chart.replaceChildren(rangeBars("Energy a sample, by layer", sorted.slice(0, most), energy));
  };
  draw("graph");
  const fallback = table("Energy a sample by layer, pJ", [
    { head: "Layer", text: true, value: (row) => row.label },
    ...["low", "value", "high"].map((end) => ({ head: capital(end), value: (row) => row.range[end], show: (row) => energy(row.range[end]) })),
  ], rows);
  return card("By layer", {
    wide: true, fallback, tools: choice("Order", [["graph", "Graph order"], ["size", "Largest first"]], "graph", draw),
    note: `Dynamic energy of a sample. Bars are the likely value, the line runs from low to high.${rows.length > most ? ` ${most} of ${rows.length} layers drawn.` : ""}`,
  }, chart, legend([...present.map((kind) => [kindName(kind), kindColour(kind)]), ["low to high", "", WHISKER]]));
}

function energyByKind() {
  const kinds = Object.entries(run.energy.events).filter(([, range]) => range.value > 0);
  const whole = sum(kinds.map(([, range]) => range.value));
  if (!whole) return null;
  const parts = kinds.map(([kind, range]) => ({
    name: kindName(kind), value: range.value, colour: kindColour(kind),
    tip: { title: kindName(kind), rows: [["energy", withRange(range, ENERGY)], ["share", percent(range.value / whole)]] },
  })).sort((a, b) => b.value - a.value);
  return card("By kind of event", {}, shareBar("Energy by kind of event", parts, whole),
    h("ul", { class: "keyed" }, parts.map((part) => h("li", {}, h("span", { class: "swatch", style: { "--colour": part.colour } }), part.name, h("span", { class: "number" }, percent(part.value / whole))))));
}

function energyBeside() {
  const pj = Object.fromEntries(Object.entries(run.energy.energy_uj).map(([end, value]) => [end, value === null ? null : value * 1e6]));
  const lines = [["dynamic and static", pj], ["dynamic", run.energy.dynamic], ["barrier", run.energy.barrier], ["static", run.energy.static], ["host", run.energy.host], ["input and output", run.energy.io]];
  const rows = lines.filter(([, range]) => range && range.value !== null).map(([name, range]) => ({
    label: name, parts: [[range.value, name === "dynamic and static" ? "var(--accent)" : "var(--quiet)"]], range, text: energy(range.value), aside: rangeText(range, ENERGY), tip: eventsTip(name, range, {}, ENERGY),
  }));
  return card("In all, and beside the layers", { note: `A sample's share. Barrier is part of dynamic; host and input are in no sum.${run.energy.energy_uj.value === null && run.energy.dynamic.value !== null ? " Static power is unpublished, so nothing is added up." : ""}` },
    rangeBars("Energy outside the layers", rows, energy),
    run.energy.unpriced.length ? h("p", { class: "note" }, "No published price, so not in any figure: ", run.energy.unpriced.map((name) => [h("span", { class: "chip" }, name), " "])) : null);
}

const energySection = () => section("energy", "Energy", "Where the energy goes", null, cards(energyByLayer(), energyByKind(), energyBeside()));
