"use strict";
// A scatter of points with ranges, and the front: the line through the points that no other beats.

const FRAME = { width: 520, height: 320, left: 76, right: 16, top: 28, bottom: 40 };
const LOG_FROM = 30; // a scale is logarithmic where its largest value is so many times the least

/** A scale from values to pixels, with its ticks. */
function scale(values, from, to, whole) {
  const least = Math.min(...values);
  const most = Math.max(...values);
  if (!whole && least > 0 && most / least > LOG_FROM) {
    const [low, high] = [Math.floor(Math.log10(least)), Math.ceil(Math.log10(most))];
    const marks = Array.from({ length: high - low + 1 }, (_, step) => 10 ** (low + step));
    return { marks, at: (value) => from + ((Math.log10(value) - low) / Math.max(1, high - low)) * (to - from) };
  }
  const [low, high] = padded(least, most);
  const size = whole ? Math.max(1, Math.ceil(ticks(high - low)[1])) : ticks(high - low)[1];
  const marks = [];
  for (let mark = Math.ceil(low / size) * size; mark <= high + size * 1e-9; mark += size) marks.push(Number(mark.toPrecision(12)));
  return { marks, at: (value) => from + ((value - low) / (high - low)) * (to - from) };
}

function padded(least, most) {
  const room = (most - least) * 0.06 || Math.abs(most) * 0.1 || 1;
  return [least >= 0 ? Math.max(0, least - room) : least - room, most + room];
}

/** Points {x, y, front, href, tip}, x and y as {value, low, high}. `across`, `up`: {title, format, whole}. */
function scatter(label, points, across, up) {
  const { width, height, left, right, top, bottom } = FRAME;
  const ends = (axis) => points.flatMap((point) => [point[axis].low, point[axis].value, point[axis].high]);
  const x = scale(ends("x"), left, width - right, across.whole);
  const y = scale(ends("y"), height - bottom, top, up.whole);
  const drawing = s("svg", { class: "scatter", viewBox: `0 0 ${width} ${height}`, role: "presentation" });
  for (const mark of x.marks) {
    drawing.append(s("line", { class: "grid", x1: x.at(mark), x2: x.at(mark), y1: top, y2: height - bottom }),
      s("text", { class: "mark-text", x: x.at(mark), y: height - bottom + 16, "text-anchor": "middle" }, across.format(mark)));
  }
  for (const mark of y.marks) {
    drawing.append(s("line", { class: "grid", x1: left, x2: width - right, y1: y.at(mark), y2: y.at(mark) }),
      s("text", { class: "mark-text", x: left - 8, y: y.at(mark) + 4, "text-anchor": "end" }, up.format(mark)));
  }
  drawing.append(
    s("text", { class: "mark-text", x: width - right, y: height - 6, "text-anchor": "end" }, across.title),
    s("text", { class: "mark-text", x: 6, y: 12 }, up.title));
  const best = points.filter((point) => point.front).sort((a, b) => a.x.value - b.x.value || a.y.value - b.y.value);
  drawing.append(s("path", { class: "front", d: best.map((point, index) => `${index ? "L" : "M"}${x.at(point.x.value)} ${y.at(point.y.value)}`).join("") }));
  for (const point of [...points.filter((each) => !each.front), ...best]) drawing.append(dot(point, x, y));
  return walkable(h("div", {}, drawing), `${label}${points.some((point) => point.href) ? ". Enter opens a point's report" : ""}`);
}

function dot(point, x, y) {
  const [cx, cy] = [x.at(point.x.value), y.at(point.y.value)];
  const whisker = (name, x1, x2, y1, y2) => (x1 === x2 && y1 === y2 ? null : s("line", { class: name, x1, x2, y1, y2 }));
  return s("a", { href: point.href, class: point.front ? "point best-point" : "point", tip: point.tip, tabindex: -1 },
    whisker("spread", x.at(point.x.low), x.at(point.x.high), cy, cy),
    whisker("spread", cx, cx, y.at(point.y.low), y.at(point.y.high)),
    s("circle", { cx, cy, r: point.front ? 5 : 4 }));
}
