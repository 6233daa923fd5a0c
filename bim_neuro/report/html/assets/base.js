"use strict";
// What every part of the page is made of: elements, numbers, the data. Text only ever enters as text nodes.

/** Rows in place of the columns that html/compact.py made of lists of like objects. */
function widened(value) {
  if (Array.isArray(value)) return value.map(widened);
  if (value === null || typeof value !== "object") return value;
  const keys = Object.keys(value);
  if (keys.length === 1 && keys[0] === "=") {
    const columns = Object.entries(widened(value["="]));
    return columns[0][1].map((_, row) => Object.fromEntries(columns.map(([key, column]) => [key, column[row]])));
  }
  return Object.fromEntries(keys.map((key) => [key.startsWith("=") ? key.slice(1) : key, widened(value[key])]));
}

const data = widened(JSON.parse(document.getElementById("data").textContent));

const tips = new WeakMap(); // element -> {title, rows: [[name, value]], note}

function build(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "tip") {
      tips.set(element, value);
      element.dataset.tip = "";
    } else if (name === "style") {
      for (const [property, setting] of Object.entries(value)) element.style.setProperty(property, setting);
    } else if (name.startsWith("on")) {
      element.addEventListener(name.slice(2), value);
    } else {
      element.setAttribute(name, value === true ? "" : value);
    }
  }
  element.append(...children.flat(2).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const h = (tag, attributes = {}, ...children) => build(document.createElement(tag), attributes, children);
const s = (tag, attributes = {}, ...children) =>
  build(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);

// Numbers. Three significant digits where a quantity is estimated, every digit where it was counted.

const NONE = "–";
const count = (number) => (number === null || number === undefined ? NONE : number.toLocaleString("en-US"));
const digits = (number) =>
  Math.abs(number) >= 1000
    ? Math.round(number).toLocaleString("en-US")
    : Number(number.toPrecision(3)).toLocaleString("en-US", { maximumSignificantDigits: 3 });

const ENERGY = [[1e12, "J"], [1e9, "mJ"], [1e6, "µJ"], [1e3, "nJ"], [1, "pJ"]]; // of a pJ
const MICROJOULES = ENERGY.map(([scale, unit]) => [scale / 1e6, unit]); // of a µJ
const TIME = [[1, "s"], [1e-3, "ms"], [1e-6, "µs"], [1e-9, "ns"]]; // of a second
const MICROSECONDS = TIME.map(([scale, unit]) => [scale * 1e6, unit]); // of a microsecond
const PLAIN = [[1e9, "G"], [1e6, "M"], [1, ""]];

const unitOf = (value, units) => units.find(([scale]) => Math.abs(value) >= scale) || units[units.length - 1];

function scaled(value, units) {
  if (value === null || value === undefined) return "unpriced";
  const [scale, unit] = value === 0 ? units[units.length - 1] : unitOf(value, units);
  return `${digits(value / scale)} ${unit}`.trim();
}

/** '3.32 µJ', and apart from it '1.23–10.6': low and high in the unit of the value. */
function rangeText(range, units) {
  if (!range || range.value === null || range.value === undefined) return "";
  const [scale] = unitOf(range.value || range.high || 1, units);
  return `${digits(range.low / scale)}–${digits(range.high / scale)}`;
}

const energy = (pj) => scaled(pj, ENERGY);
const seconds = (time) => scaled(time, TIME);

/** A share as per cent, never rounded up to 100 nor down to 0. */
function percent(share, places = 1) {
  if (share === null || share === undefined) return NONE;
  const least = 10 ** -places;
  const hundred = 100 * share;
  if (share < 1 && hundred > 100 - least) return `>${(100 - least).toFixed(places)} %`;
  if (share > 0 && hundred < least) return `<${least.toFixed(places)} %`;
  return `${hundred.toFixed(places)} %`;
}

const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);
const largest = (numbers) => numbers.reduce((most, number) => Math.max(most, number), 0);
const plural = (number, word) => `${count(number)} ${word}${number === 1 ? "" : "s"}`;
const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
const words = (name) => name.replaceAll("_", " ");

/** Round ticks from 0 to a little past `most`. */
function ticks(most, wanted = 4) {
  if (!(most > 0)) return [0, 1];
  const rough = most / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 2.5, 5, 10].find((factor) => factor * power >= rough) || 10);
  const marks = Math.ceil(most / step - 1e-9);
  return Array.from({ length: marks + 1 }, (_, index) => index * step);
}

/** A colour between the empty and the full end of the scale; the ends follow the theme. */
const shade = (share) => `color-mix(in oklab, var(--full) ${(100 * Math.min(1, Math.max(0, share))).toFixed(1)}%, var(--empty))`;

const KINDS = {
  synops: ["synaptic operations", "var(--c1)"],
  updates: ["neuron updates", "var(--c2)"],
  hops: ["hops on the mesh", "var(--c3)"],
  messages: ["sending messages", "var(--c4)"],
  links: ["links between chips", "var(--c5)"],
  learning: ["learning updates", "var(--c6)"],
  lif: ["hard-wired neuron updates", "var(--c2)"],
  microcode: ["microcode neuron updates", "var(--c3)"],
  reads: ["reads of synapse memory", "var(--c4)"],
};
const kindName = (kind) => (KINDS[kind] ? KINDS[kind][0] : words(kind));
const kindColour = (kind) => (KINDS[kind] ? KINDS[kind][1] : "var(--quiet)");
