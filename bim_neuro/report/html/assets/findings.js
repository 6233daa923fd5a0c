"use strict";
// Findings: what speaks against the numbers, errors first; none is an answer too.

const findings = [...(data.summary.findings || [])].sort((a, b) => (a.severity === "error" ? 0 : 1) - (b.severity === "error" ? 0 : 1));

function findingsTile() {
  const errors = findings.filter(({ severity }) => severity === "error").length;
  const warnings = findings.length - errors;
  const counted = [errors && plural(errors, "error"), warnings && plural(warnings, "warning")].filter(Boolean).join(", ");
  if (!counted) return tile("What speaks against it?", "nothing found", "no silent or saturated layer, no clipped input", null, "good");
  return tile("What speaks against it?", counted, findings[0].message, h("a", { href: "#findings" }, "All findings"), errors ? "bad" : "warn");
}

function findingsSection() {
  if (!findings.length) return null;
  return section("findings", "Findings", "What speaks against it", null, h("ul", { class: "findings" }, findings.map((finding) =>
    h("li", { class: finding.severity }, h("p", {}, h("strong", {}, `${capital(finding.severity)}: `), finding.message),
      h("p", { class: "note" }, [finding.rule, finding.layer].filter(Boolean).join(" · ")),
      finding.hint ? h("p", { class: "note" }, `Hint: ${finding.hint}`) : null))));
}
