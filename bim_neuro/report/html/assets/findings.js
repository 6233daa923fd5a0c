"use strict";
// Findings, errors first; if there are none, the tile says so.

const findings = [...(data.summary.findings || [])].sort((a, b) => (a.severity === "error" ? 0 : 1) - (b.severity === "error" ? 0 : 1));

function findingsTile() {
  const errors = findings.filter(({ severity }) => severity === "error").length;
  const warnings = findings.length - errors;
  const counted = [errors && plural(errors, "error"), warnings && plural(warnings, "warning")].filter(Boolean).join(", ");
  if (!counted) return tile("Warnings and errors", "nothing found", "no silent or saturated layer, no channel clipped by more than 1 %", null, "good");
  return tile("Warnings and errors", counted, findings[0].message, h("a", { href: "#findings" }, "All findings"), errors ? "bad" : "warn");
}

function findingsSection() {
  if (!findings.length) return null;
  return section("findings", "Findings", "Warnings and errors", null, h("ul", { class: "findings" }, findings.map((finding) =>
    h("li", { class: finding.severity }, h("p", {}, h("strong", {}, `${capital(finding.severity)}: `), finding.message),
      h("p", { class: "note" }, [finding.rule, finding.layer].filter(Boolean).join(" · ")),
      finding.hint ? h("p", { class: "note" }, `Hint: ${finding.hint}`) : null))));
}
