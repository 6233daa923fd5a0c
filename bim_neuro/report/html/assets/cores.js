"use strict";
// The core map and the cores' memory.

data.cores = data.cores.map(([core, members, used]) => ({ core, members, used }));
const RESOURCES = data.resources; // [{name, limit}]
const WORDS = RESOURCES.filter(({ name }) => name.endsWith("_words") && name !== "core_words");
const WORD_COLOURS = ["var(--c1)", "var(--c2)", "var(--c3)", "var(--c4)", "var(--c5)", "var(--c6)"];
const fullness = (core, index) => (RESOURCES[index].limit > 0 ? core.used[index] / RESOURCES[index].limit : 0);
const fullest = (core) => {
  const shares = RESOURCES.map((_, index) => fullness(core, index));
  const index = shares.indexOf(largest(shares));
  return { share: shares[index] || 0, name: index < 0 ? "" : words(RESOURCES[index].name), index };
};
const heading = (name) => (name === "core_words" ? "All words" : capital(words(name).replace(/ words$/, "")));
const memberText = ([layer, first, last, ofMap]) => `${layer} ${ofMap || `${first}–${last}`}`; // rows or channels of a feature map
const membersText = (core) => core.members.map(memberText).join(", ");
const shortMembers = ({ members: [member, ...rest] }) => `${memberText(member)}${rest.length ? ` and ${rest.length} more` : ""}`;
const coreName = ({ core }) =>
  data.mesh.chips > 1 ? `chip ${Math.floor(core / data.mesh.per_chip)}, core ${core % data.mesh.per_chip}` : `core ${core}`;
const shortName = ({ core }) => (data.mesh.chips > 1 ? `${Math.floor(core / data.mesh.per_chip)}:${core % data.mesh.per_chip}` : String(core));
const layerOf = (core) => core.members[0][0];

function coreTip(core) {
  const rows = RESOURCES.map(({ name, limit }, index) => [words(name), `${count(core.used[index])} of ${count(limit)} · ${percent(fullness(core, index))}`]);
  return { title: capital(coreName(core)), rows: [["neurons", membersText(core)], ["messages sent", `${digits(sentBy(core))} a sample`], ...rows] };
}

const coreAt = new Map(data.cores.map((core) => [core.core, core]));
const flowsFrom = new Map(); // core -> [[core, messages a sample]]
for (const [source, target, messages] of data.flows) {
  if (!flowsFrom.has(source)) flowsFrom.set(source, []);
  flowsFrom.get(source).push([target, messages]);
}

/** Messages that a core sends in a sample, once for each core that needs them. */
const sentBy = (core) => sum((flowsFrom.get(core.core) || []).map(([, messages]) => messages));

/** Where a core lies, in tiles: its chip on the board, then its place on the chip's mesh. */
function placeOf(index) {
  const { columns, rows, per_chip, chip_columns } = data.mesh;
  const [chip, within] = [Math.floor(index / per_chip), index % per_chip];
  return {
    x: (chip % chip_columns) * (columns + 1) + (within % columns),
    y: Math.floor(chip / chip_columns) * (rows + 1) + Math.floor(within / columns),
  };
}

/** What is drawn of the mesh: of one chip the rectangle around the cores in use, of several chips all of each. */
function drawnMesh() {
  const { columns, rows, per_chip, chip_columns, chips } = data.mesh;
  const used = Math.max(1, Math.min(chips, 1 + Math.floor(largest(data.cores.map(({ core }) => core)) / per_chip)));
  const whole = { left: 0, top: 0, width: Math.min(used, chip_columns) * (columns + 1) - 1, height: Math.ceil(used / chip_columns) * (rows + 1) - 1 };
  const places = data.cores.map(({ core }) => placeOf(core));
  const [left, right, top, bottom] = [Math.min(...places.map(({ x }) => x)), largest(places.map(({ x }) => x)), Math.min(...places.map(({ y }) => y)), largest(places.map(({ y }) => y))];
  const drawn = used > 1 ? whole : { left, top, width: right - left + 1, height: bottom - top + 1 };
  const tiles = Array.from({ length: used * per_chip }, (_, index) => index).filter((index) => {
    const { x, y } = placeOf(index);
    return x >= drawn.left && x < drawn.left + drawn.width && y >= drawn.top && y < drawn.top + drawn.height;
  });
  return { ...drawn, tiles, used, left_out: used * per_chip - tiles.length };
}

const tileSize = ({ width }) => (width > 4 ? null : "56px"); // a few cores are drawn large
const viewOf = ({ left, top, width, height }, margin) => `${left - margin} ${top - margin} ${width + 2 * margin} ${height + 2 * margin}`;
const freeText = ({ left_out: free }) => (free ? ` ${free === 1 ? "One free core is" : `${count(free)} free cores are`} not drawn.` : "");

const COLOUR_BY = {
  fill: ["Fullness", (core) => fullest(core).share],
  traffic: ["Traffic", (core, most) => (most.traffic ? sentBy(core) / most.traffic : 0)],
};

const tint = (part) => shade(0.12 + 0.88 * part);
/** The colour of a link by its share of the heaviest load; none of the cores' colours. */
const linkTint = (share) => `color-mix(in oklab, var(--c2) ${Math.round(100 * share)}%, transparent)`;
const linkScale = (most) => ["links: 0", h("span", { class: "gradient", style: { background: `linear-gradient(90deg, ${linkTint(0)}, ${linkTint(1)})` } }), `${digits(most)} messages a sample`];

const scaleOf = (most) => ["0", h("span", { class: "gradient", style: { background: `linear-gradient(90deg, ${tint(0)}, ${tint(1)})` } }), most];

function coreMap() {
  const { per_chip, chips } = data.mesh;
  const mesh = drawnMesh();
  const most = { traffic: largest(data.cores.map(sentBy)) };
  const drawing = s("svg", { class: "map", viewBox: viewOf(mesh, 0.1), role: "presentation", style: { "--tiles": mesh.width, "--tile": tileSize(mesh) } });
  const tiles = new Map();
  for (const index of mesh.tiles) {
    const { x, y } = placeOf(index);
    const core = coreAt.get(index);
    const tile = s("rect", { class: core ? "core" : "core free", x: x + 0.06, y: y + 0.06, width: 0.88, height: 0.88, rx: 0.14, tip: core && coreTip(core) });
    if (core) {
      tiles.set(core, tile);
      tile.addEventListener("marked", () => showTargets(core));
      tile.addEventListener("unmarked", () => { arcs.replaceChildren(); said.textContent = REST; });
    }
    drawing.append(tile);
  }
  const heaviest = largest((data.links || []).map(([, , messages]) => messages));
  for (const [source, target, messages] of [...(data.links || [])].reverse()) {
    const [from, to] = [placeOf(source), placeOf(target)];
    const aside = 0.12 * (Math.sign(to.x - from.x) + Math.sign(to.y - from.y)); // each direction of a link is drawn apart
    const [dx, dy] = to.y === from.y ? [0, aside] : [aside, 0];
    drawing.append(s("line", { x1: from.x + 0.5 + dx, y1: from.y + 0.5 + dy, x2: to.x + 0.5 + dx, y2: to.y + 0.5 + dy,
      "stroke-width": 0.1, "pointer-events": "none", style: { stroke: linkTint(messages / heaviest) } }));
  }
  const arcs = s("g", { class: "arcs" });
  drawing.append(arcs);
  const REST = "Point at a core to see where it sends.";
  const said = h("p", { class: "note said" }, REST);

  function showTargets(core) {
    const from = placeOf(core.core);
    const targets = flowsFrom.get(core.core) || [];
    arcs.replaceChildren(...targets.slice(0, 400).map(([target]) => {
      const to = placeOf(target);
      return s("path", { "vector-effect": "non-scaling-stroke", d: `M${from.x + 0.5} ${from.y + 0.5}Q${(from.x + to.x) / 2 + 0.5 + (to.y - from.y) * 0.15} ${(from.y + to.y) / 2 + 0.5 - (to.x - from.x) * 0.15} ${to.x + 0.5} ${to.y + 0.5}` });
    }));
    said.textContent = targets.length ? `${capital(coreName(core))} sends ${digits(sentBy(core))} messages a sample, to ${plural(targets.length, "core")}.` : `${capital(coreName(core))} sends to no other core.`;
  }

  function colour(by) {
    for (const [core, tile] of tiles) tile.style.fill = tint(COLOUR_BY[by][1](core, most));
    scale.replaceChildren(...scaleOf(by === "fill" ? "100 % of a limit" : `${digits(most.traffic)} messages a sample`));
  }
  const scale = h("div", { class: "scale" });
  colour("fill");
  const tools = choice("Colour of the map", Object.entries(COLOUR_BY).map(([key, [name]]) => [key, name]), "fill", colour);
  const chipsText = chips > 1 ? `${count(mesh.used)} of ${plural(chips, "chip")}` : `one chip of ${count(per_chip)} cores`;
  return card("Core map", { tools, wide: mesh.width > 30, note: `${plural(data.cores.length, "core")} in use, on ${chipsText}.${freeText(mesh)}${heaviest ? " Lines are the links of the mesh, coloured by how many messages cross them." : ""}` },
    walkable(h("div", { class: "map-box" }, drawing), `Core map: ${plural(data.cores.length, "core")} in use`), scale, heaviest ? h("div", { class: "scale" }, linkScale(heaviest)) : "", said);
}

/** Many chips: a tile a chip. */
function chipMap() {
  const columns = data.mesh.chip_columns;
  const rows = Math.ceil(data.chips.length / columns);
  const drawing = s("svg", { class: "map", viewBox: `-0.1 -0.1 ${columns + 0.2} ${rows + 0.2}`, role: "presentation", style: { "--tiles": columns } },
    data.chips.map((chip) => s("rect", { class: "core", x: (chip.chip % columns) + 0.06, y: Math.floor(chip.chip / columns) + 0.06, width: 0.88, height: 0.88, rx: 0.14, style: { fill: tint(chip.fullest) },
      tip: { title: `Chip ${chip.chip}`, rows: [["cores in use", `${count(chip.cores)} of ${count(data.mesh.per_chip)}`], ["fullest core", percent(chip.fullest)]] } })));
  return card("Chip map", { note: `A tile is a chip, coloured by its fullest core: ${count(sum(data.chips.map(({ cores }) => cores)))} cores in use on ${plural(data.chips.length, "chip")}.` },
    walkable(h("div", { class: "map-box" }, drawing), "Chip map"), h("div", { class: "scale" }, scaleOf("100 % of a limit")));
}

/** What fills the words of a core: its memories, one beside the other, against the limit of all of them together. */
function memoryBars() {
  const whole = RESOURCES.find(({ name }) => name === "core_words");
  const limit = whole && whole.limit;
  const indices = WORDS.map((resource) => RESOURCES.indexOf(resource));
  const total = (core) => sum(indices.map((index) => core.used[index]));
  const shown = [...data.cores].sort((a, b) => total(b) - total(a)).slice(0, 12);
  const rows = shown.map((core) => ({
    label: `${shortName(core)} · ${layerOf(core)}`,
    parts: indices.map((index, place) => [core.used[index], WORD_COLOURS[place % WORD_COLOURS.length]]),
    text: count(total(core)),
    aside: limit ? percent(total(core) / limit) : "",
    tip: coreTip(core),
  }));
  const rest = data.summary.cores.used - shown.length;
  const title = data.cores.length > 1 ? "Memory of the fullest cores" : "Memory of the core";
  return card(title, {
    note: `Words in use${limit ? `; a core has ${count(limit)}` : ""}.${data.cores.length > 1 ? "" : ` One core is in use, of ${count(data.summary.cores.limit)}.`}${rest > 0 ? ` The other ${count(rest)} hold no more.` : ""}`,
  }, rangeBars(title, rows, (mark) => (mark >= 1000 ? `${digits(mark / 1000)} k` : digits(mark))),
  legend(WORDS.map(({ name }, place) => [words(name).replace(" words", ""), WORD_COLOURS[place % WORD_COLOURS.length]])));
}

function coreTable() {
  const columns = [
    { head: "Core", value: (core) => core.core, show: shortName },
    { head: "Holds", text: true, value: membersText, show: (core) => h("span", { tip: coreTip(core), class: "hint", tabindex: 0 }, shortMembers(core)) },
    { head: "Fullest", value: (core) => fullest(core).share,
      show: (core) => { const { share: part, name } = fullest(core); return [`${name} ${percent(part)}`, meter(part, name)]; } },
    ...RESOURCES.map(({ name, limit }, index) => ({ head: heading(name), word: words(name), help: `A core has ${count(limit)}.`, value: (core) => core.used[index] })),
    { head: "Sends", value: sentBy, show: (core) => digits(sentBy(core)) },
  ];
  return card("Every core", { wide: true, note: data.left_out.cores },
    table("Cores", columns, data.cores, { sort: [2, "descending"], most: 12 }));
}

/** How good the placement is, beside what no placement can go below. */
function placementCard() {
  const { placement } = data.summary;
  if (!placement) return null;
  const traffic = [["this placement", placement.traffic_hops, "var(--accent)"], ["row by row", placement.naive_traffic_hops, "var(--quiet)"], ["lower bound", placement.traffic_lower_bound, "var(--quiet)"]];
  const rows = traffic.filter(([, hops]) => hops > 0).map(([label, hops, colour]) => ({ label, parts: [[hops, colour]], text: digits(hops), tip: { title: label, rows: [["messages times hops", digits(hops)]] } }));
  const encodings = {};
  for (const counts of Object.values(placement.encodings || {})) {
    for (const [name, cores] of Object.entries(counts)) encodings[name] = (encodings[name] || 0) + cores;
  }
  return card("Placement", { note: rows.length ? `Messages times hops${placement.measured ? " of a sample" : ", one message a neuron"}: less is better.` : "Nothing is sent between cores." },
    rows.length ? rangeBars("Traffic", rows, digits) : null,
    factList([
      ["cores", `${count(placement.cores)}, at least ${count(placement.lower_bound)}`],
      ["what asks for them", placement.binding],
      ["chips", count(placement.chips)],
      ...Object.entries(placement.cuts || {}).slice(0, 12).map(([layer, cut]) => [`${layer} is cut`, `by ${cut.by}: so it fills ${plural(cut.parts, "core")}, by ${cut.by === "rows" ? "channels" : "rows"} ${cut.more ? "more than " : ""}${count(cut.other)}`]),
      ["kept as", Object.entries(encodings).map(([name, cores]) => `${name} ${count(cores)}`).join(", ") || NONE],
    ].filter(([, value]) => value !== undefined)));
}
