"use strict";
// The charts: bars with a range, shares, pairs, strips over time, rasters. Widths are per cent, so they need no layout.

const share = (part, whole) => (whole > 0 ? Math.min(100, (100 * part) / whole) : 0);
const at = (per) => `${per.toFixed(3)}%`;

function legend(entries) {
  return h("ul", { class: "legend" }, entries.map(([name, colour, shape]) =>
    h("li", {}, h("span", { class: `swatch ${shape || ""}`, style: { "--colour": colour } }), name)));
}

const WHISKER = "whisker"; // the shape of a range in a legend

const CROWDED = 24; // letters that the scale of a narrow card has room for

/** Texts along a scale, [per cent, text]; where it is narrow, those between the first and the last give way first. */
const tickRow = (marks) => h("div", { class: sum(marks.map(([, text]) => text.length + 2)) > CROWDED ? "ticks long" : "ticks" },
  marks.map(([place, text]) => h("span", { style: { left: at(place) } }, text)));

/** The scale over rows of bars: ticks from 0 to `most`. */
function axis(marks, most, format) {
  return h("div", { class: "row axis", "aria-hidden": "true" }, h("span"),
    tickRow(marks.map((mark) => [share(mark, most), mark === 0 ? "0" : format(mark)])));
}

function barRow(label, drawing, text, tip, aside) {
  return h("div", { class: "row", tip }, h("span", { class: "row-label", title: label }, label), drawing,
    h("span", { class: "row-value" }, text), h("span", { class: "row-aside" }, aside || ""));
}

/** A stacked bar up to a value, and the whisker of its range. `parts`: [[value, colour]]. */
function rangeBar(parts, range, most, marks = []) {
  const height = 22;
  const drawing = s("svg", { class: "bar-svg", height, role: "presentation" });
  for (const mark of marks) {
    drawing.append(s("line", { class: "grid", x1: at(share(mark, most)), x2: at(share(mark, most)), y1: 0, y2: height }));
  }
  let done = 0;
  for (const [value, colour] of parts) {
    drawing.append(s("rect", { x: at(share(done, most)), width: at(share(value, most)), y: 4, height: height - 8, style: { fill: colour } }));
    done += value;
  }
  if (range && range.low !== null && range.low !== undefined) {
    const [low, high] = [at(share(range.low, most)), at(share(range.high, most))];
    drawing.append(
      s("line", { class: "range", x1: low, x2: high, y1: height / 2, y2: height / 2 }),
      s("line", { class: "range", x1: low, x2: low, y1: 7, y2: height - 7 }),
      s("line", { class: "range", x1: high, x2: high, y1: 7, y2: height - 7 }),
    );
  }
  return drawing;
}

const DWARFED = 50; // where one value is so many times the next, the axis is logarithmic and bars are points

/** Points with ranges on a logarithmic axis, for rows of which one dwarfs the rest. */
function logRows(label, rows, format) {
  const valueOf = (row) => sum(row.parts.map(([value]) => value));
  const ends = rows.flatMap((row) => [valueOf(row), row.range && row.range.low, row.range && row.range.high]).filter((value) => value > 0);
  const [low, high] = [Math.floor(Math.log10(Math.min(...ends))), Math.ceil(Math.log10(largest(ends)))];
  const span = Math.max(1, high - low);
  const x = (value) => at(value > 0 ? (100 * (Math.log10(value) - low)) / span : 0);
  const every = Math.ceil(span / 6);
  const marks = Array.from({ length: Math.floor(span / every) + 1 }, (_, place) => 10 ** (low + place * every));
  const head = h("div", { class: "row axis", "aria-hidden": "true" }, h("span", {}, "log"), tickRow(marks.map((mark) => [parseFloat(x(mark)), format(mark)])));
  return walkable(h("div", { class: "rows" }, head, rows.map((row) => {
    const drawing = s("svg", { class: "bar-svg", height: 22, role: "presentation" }, marks.map((mark) => s("line", { class: "grid", x1: x(mark), x2: x(mark), y1: 0, y2: 22 })));
    if (row.range && row.range.low !== null) drawing.append(s("line", { class: "range", x1: x(row.range.low), x2: x(row.range.high), y1: 11, y2: 11 }));
    const main = row.parts.reduce((a, b) => (b[0] > a[0] ? b : a), [0, "var(--quiet)"]);
    if (valueOf(row) > 0) drawing.append(s("circle", { cx: x(valueOf(row)), cy: 11, r: 5, style: { fill: main[1] } }));
    return barRow(row.label, drawing, row.text, row.tip, row.aside);
  })), label);
}

/** Rows of bars with ranges. A row: {label, parts, range, text, aside, tip}. */
function rangeBars(label, rows, format) {
  const [most = 0, next = 0] = rows.map((row) => sum(row.parts.map(([value]) => value))).sort((a, b) => b - a);
  if (next > 0 && most > DWARFED * next) return logRows(label, rows, format);
  const top = largest(rows.map((row) => (row.range && row.range.high) || sum(row.parts.map(([value]) => value))));
  const marks = ticks(top);
  const end = marks[marks.length - 1];
  return walkable(h("div", { class: "rows" }, axis(marks, end, format),
    rows.map((row) => barRow(row.label, rangeBar(row.parts, row.range, end, marks), row.text, row.tip, row.aside))), label);
}

/** A bar of parts that fill it, as shares of a whole. */
function shareBar(label, parts, whole) {
  let done = 0;
  const drawing = s("svg", { class: "share-svg", height: 28, role: "img", "aria-label": `${label}: ${parts.map((part) => `${part.name} ${percent(part.value / whole)}`).join(", ")}` });
  for (const part of parts) {
    drawing.append(s("rect", { x: at(share(done, whole)), width: at(share(part.value, whole)), y: 0, height: 28, style: { fill: part.colour }, tip: part.tip }));
    done += part.value;
  }
  return walkable(h("div", { class: "share" }, drawing), label);
}

/** A meter: how full something is. */
function meter(part, label) {
  const full = Math.min(1, Math.max(0, part));
  return s("svg", { class: "meter", height: 6, role: "img", "aria-label": label || percent(part) },
    s("rect", { class: "track", width: "100%", height: 6, rx: 3 }),
    s("rect", { class: full > 0.9 ? "fill tight" : "fill", width: at(100 * full), height: 6, rx: 3 }));
}

/** Two values on one line: a ring for the float run, a dot for the integers. */
function pair(left, right, most) {
  const y = 11;
  return s("svg", { class: "bar-svg", height: 22, role: "presentation" },
    s("line", { class: "grid", x1: "0%", x2: "100%", y1: y, y2: y }),
    s("line", { class: "between", x1: at(share(left, most)), x2: at(share(right, most)), y1: y, y2: y }),
    s("circle", { class: "ring", cx: at(share(left, most)), cy: y, r: 5.5 }),
    s("circle", { class: "dot", cx: at(share(right, most)), cy: y, r: 3 }));
}

function pairs(label, rows, most, format) {
  const marks = ticks(most);
  const top = Math.max(most, marks[marks.length - 1]);
  return walkable(h("div", { class: "rows inset" }, axis(marks, top, format),
    rows.map((row) => barRow(row.label, pair(row.left, row.right, top), row.text, row.tip, row.aside))), label);
}

/** Values over time as a stepped area; `most` is the top of the scale. */
function strip(values, most, colour, height = 36) {
  const top = most || largest(values) || 1;
  const y = (value) => (height - (height * Math.min(top, value)) / top).toFixed(2);
  const line = values.map((value, step) => `V${y(value)}H${step + 1}`).join("");
  return s("svg", { class: "strip", viewBox: `0 0 ${values.length} ${height}`, preserveAspectRatio: "none", height, role: "presentation", style: { "--colour": colour } },
    s("path", { class: "area", d: `M0 ${height}${line}V${height}Z` }),
    s("path", { class: "line", d: `M0 ${y(values[0] || 0)}${line}`, "vector-effect": "non-scaling-stroke" }));
}

/** Invisible columns over a strip, one a step, each with its tip. */
function columns(steps, height, tip) {
  return s("svg", { class: "hits", viewBox: `0 0 ${steps} ${height}`, preserveAspectRatio: "none", height, role: "presentation" },
    Array.from({ length: steps }, (_, step) => s("rect", { x: step, width: 1, height, tip: tip(step) })));
}

const LEVELS = 9; // a cell is a digit: 0 nothing, 9 the largest message of the layer

/** Who sent when: a row a neuron, a column a step; or, with cells of height 1, a picture. The darker, the larger the message. */
function raster(rows, height, cell = 0.8) {
  const paths = Array.from({ length: LEVELS + 1 }, () => []);
  rows.forEach((cells, y) => [...cells].forEach((level, x) => {
    if (level !== "0") paths[Number(level)].push(`M${x} ${y}h1v${cell}h-1z`);
  }));
  const steps = rows.length ? rows[0].length : 1;
  return s("svg", { class: "raster", viewBox: `0 0 ${steps} ${rows.length || 1}`, preserveAspectRatio: "none", height, "shape-rendering": "crispEdges", role: "presentation" },
    paths.map((path, level) => (path.length ? s("path", { d: path.join(""), style: { fill: shade(0.15 + (0.85 * level) / LEVELS) } }) : "")));
}
