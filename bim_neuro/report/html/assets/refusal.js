"use strict";
// A refusal: what does not fit and by how much, which other target takes the model, what to do next.

const errors = data.findings.filter(({ severity }) => severity === "error");
const measured = errors.filter(({ used, limit }) => used !== null && limit !== null && limit > 0);
const taking = data.targets.filter(({ fits }) => fits);

function overflowCard() {
  if (!measured.length) return null;
  const rows = measured.slice(0, 40).map(({ layer, rule, used, limit, message, hint }) => ({
    label: layer || words(rule.replaceAll("-", "_")), parts: [[used / limit, "var(--bad)"]], range: null, text: `${digits(used / limit)}×`, aside: `${digits(used)} of ${digits(limit)}`,
    tip: { title: message, rows: [["needed", digits(used)], ["limit", digits(limit)]], note: hint ? `Hint: ${hint}` : "" },
  }));
  const rest = errors.length - rows.length;
  return card("By how much", { wide: true, note: `What is needed over what is allowed: 1 would just fit.${rest ? ` ${plural(rest, "more finding")} below.` : ""}` },
    rangeBars("Needed over allowed", rows, (mark) => `${digits(mark)}×`));
}

const findingsCard = () => h("ul", { class: "findings" }, data.findings.map((finding) =>
  h("li", { class: finding.severity }, h("p", {}, h("strong", {}, `${capital(finding.severity)}: `), finding.message),
    h("p", { class: "note" }, [finding.rule, finding.layer].filter(Boolean).join(" · ")),
    finding.hint ? h("p", { class: "note" }, `Hint: ${finding.hint}`) : null)));

function targetsCard() {
  const columns = [
    { head: "Target", text: true, value: (row) => row.name, show: (row) => row.name },
    { head: "Takes it", text: true, value: (row) => (row.fits ? "yes" : row.fits === null ? "not tried" : "no") },
    { head: "Cores", value: (row) => row.cores, show: (row) => (row.cores ? `${count(row.cores)}${row.limit ? ` of ${count(row.limit)}` : ""}` : NONE) },
    { head: "What it is, or why not", word: "target", text: true, value: (row) => row.why || row.title, show: (row) => h("span", { class: "wrapped" }, row.fits ? row.title : row.why) },
  ];
  return card("Other targets", { wide: true, note: "Each target that comes with the package was tried with this model; ranges that only a run measures are bounds." },
    table("Other targets", columns, [...data.targets].sort((a, b) => Number(b.fits) - Number(a.fits)), { most: 30 }));
}

function refusalPage() {
  const [name, file] = [data.model, data.target].map((path) => path.split(/[\\/]/).pop());
  const target = file.replace(/\.toml$/, "");
  document.title = `${name} does not fit ${target} - bim-neuro`;
  const next = !data.targets.length ? `The model itself fits ${target}; what was asked beyond it does not.` : taking.length ? `${taking.map((row) => row.name).join(", ")} ${taking.length > 1 ? "take" : "takes"} it.` : "No target of the package is known to take it.";
  page(`${name} does not fit ${target}`, [h("p", { class: "verdict" }, `${plural(errors.length, "error")}. ${next}`), h("p", { class: "note" }, "No result was written.")], [
    section("findings", "Findings", "What does not fit", null, overflowCard() ? cards(overflowCard()) : null, findingsCard()),
    data.targets.length ? section("targets", "Targets", "Where it fits", null, cards(targetsCard())) : null,
    section("made", "Request", "How this was asked", null, cards(card("Command", { wide: true }, h("pre", { tabindex: 0, role: "region", "aria-label": "Command" }, data.command)))),
  ], [`bim-neuro ${data.bim_neuro}, ${data.date}.`]);
}

refusalPage();
