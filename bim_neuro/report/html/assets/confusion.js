"use strict";
// Which class was taken for which, by the float model and by the integers, with 95 % intervals.

/** The 95 % interval of a share (Wilson), as in tasks/metrics.py. */
function wilson(right, of) {
  const [p, z] = [right / of, 1.959963984540054];
  const [middle, half] = [p + (z * z) / (2 * of), z * Math.sqrt((p * (1 - p)) / of + (z * z) / (4 * of * of))];
  const whole = 1 + (z * z) / of;
  return [Math.max(0, (middle - half) / whole), Math.min(1, (middle + half) / whole)];
}

const intervalText = (right, of, places = 0) => wilson(right, of).map((end) => (100 * end).toFixed(places)).join("\u2013") + " %";

/** A matrix as a table: a row a class, a column an answer, the darker the larger its share of the class. */
function matrix(name, classes, rows) {
  const head = (word, title, more) => h("th", { scope: "col", ...more, ...meaningOf(word, title) }, title);
  const heads = h("thead", {}, h("tr", {}, head("answer", "is, answered", { class: "text", tabindex: 0 }), classes.map((label) => head("answer", label)), head("right, 95 %", "right, 95 %", { tabindex: 0 })));
  const body = rows.map((row, at) => {
    const of = sum(row);
    return h("tr", {}, h("th", { scope: "row", class: "text" }, classes[at]), row.map((value, answer) => {
      const part = of ? value / of : 0;
      return h("td", { class: answer === at ? "same" : value ? "other" : "", style: { "--share": `${Math.round(12 + 68 * part)}%` } }, value ? h("span", {}, count(value)) : "");
    }), h("td", { class: "interval" }, of ? intervalText(row[at], of) : NONE));
  });
  const right = sum(rows.map((row, at) => row[at]));
  const all = sum(rows.map(sum));
  return h("div", { class: "matrix" }, h("h4", {}, `${name}: ${count(right)} of ${count(all)}, ${percent(right / all)} (95 %: ${intervalText(right, all, 1)})`),
    h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": `Answers of the ${name} run` }, h("table", {}, h("caption", { class: "visually-hidden" }, `Answers of the ${name} run by class`), heads, h("tbody", {}, body))));
}

/** What the integers confuse most, in words. */
function mostConfused(classes, rows) {
  const pairs = rows.flatMap((row, at) => row.map((value, answer) => ({ value, at, answer }))).filter(({ at, answer, value }) => at !== answer && value);
  if (!pairs.length) return "The integers confuse no classes.";
  const most = pairs.reduce((a, b) => (b.value > a.value ? b : a));
  return `Most often the integers take ${classes[most.at]} for ${classes[most.answer]}: ${count(most.value)} of ${count(sum(rows[most.at]))}.`;
}

function confusionCard() {
  const found = run.accuracy && run.accuracy.confusion;
  if (!found) return null;
  return card("Which class is taken for which", { wide: true, note: `${plural(run.accuracy.samples, "sample")}; a row is a class, a column an answer, a shade the share of the class. ${mostConfused(found.classes, found.integer)} Intervals are Wilson's: a class with few samples says little.` },
    h("div", { class: found.classes.length > 12 ? "matrices stacked" : "matrices" }, matrix("float", found.classes, found.float), matrix("integer", found.classes, found.integer)));
}
