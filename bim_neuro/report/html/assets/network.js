"use strict";
// The program in one picture: its layers and edges, and beside them the chip's cores, coloured by what binds each.

const HUES = 6; // layers have the hue of their place among the layers, everywhere on the page
const hueOf = new Map(run.layers.map((layer, place) => [layer.name, `var(--c${(place % HUES) + 1})`]));
const layerHue = (name) => hueOf.get(name) || "var(--quiet)";
const layerNamed = new Map(run.layers.map((layer) => [layer.name, layer]));
const NODES_DRAWN = 60;
const BOX = { width: 128, height: 46, across: 62, down: 22, edge: 10 };

/** Messages a sample that a layer, or the input, sends. */
function sentInSample(name) {
  const layer = layerNamed.get(name);
  if (layer) return layer.spikes / run.samples;
  const own = series.layers[name];
  return own ? sum(own.messages) * series.bin : 0;
}

/** The nodes drawn, by column: a node lies right of all that it reads, loops aside. */
function columnsOfNodes() {
  const names = [...new Set([...data.edges.flatMap((edge) => [edge.from, edge.to])])];
  const most = [...names].sort((a, b) => sentInSample(b) - sentInSample(a)).slice(0, NODES_DRAWN);
  const drawn = new Set(names.length > NODES_DRAWN ? most : names);
  const forward = data.edges.filter((edge) => !edge.loop && drawn.has(edge.from) && drawn.has(edge.to));
  const column = new Map([...drawn].map((name) => [name, 0]));
  for (let moved = true, turn = 0; moved && turn <= drawn.size; turn += 1) {
    moved = false;
    for (const { from, to } of forward) {
      if (column.get(to) <= column.get(from)) { column.set(to, column.get(from) + 1); moved = true; }
    }
  }
  const columns = [];
  for (const [name, at] of column) (columns[at] = columns[at] || []).push(name);
  return { columns: columns.filter(Boolean), left: names.length - drawn.size };
}

function placesOf(columns) {
  const rows = largest(columns.map((column) => column.length));
  const height = rows * (BOX.height + BOX.down) - BOX.down;
  const places = new Map();
  columns.forEach((column, at) => column.forEach((name, row) => {
    const own = column.length * (BOX.height + BOX.down) - BOX.down;
    places.set(name, { x: at * (BOX.width + BOX.across), y: (height - own) / 2 + row * (BOX.height + BOX.down), column: at });
  }));
  return { places, height, width: columns.length * (BOX.width + BOX.across) - BOX.across };
}

/** From the right side of a node to the left of the next; past a column by an arc above, a loop by one below. */
function edgePath(from, to, loop, height) {
  const [x1, y1, x2, y2] = [from.x + BOX.width, from.y + BOX.height / 2, to.x, to.y + BOX.height / 2];
  if (loop) {
    const low = Math.max(from.y, to.y) + BOX.height + 22;
    return `M${x1} ${y1}C${x1 + 34} ${y1} ${x1 + 34} ${low} ${x1 - 10} ${low}H${x2 + 10}C${x2 - 34} ${low} ${x2 - 34} ${y2} ${x2} ${y2}`;
  }
  const middle = (x1 + x2) / 2;
  if (to.column - from.column < 2) return `M${x1} ${y1}C${middle} ${y1} ${middle} ${y2} ${x2} ${y2}`;
  const bow = (y1 + y2) / 2 > height / 2 ? height + 16 : -16;
  return `M${x1} ${y1}C${x1 + 40} ${y1} ${x1 + 20} ${bow} ${x1 + 70} ${bow}H${x2 - 70}C${x2 - 20} ${bow} ${x2 - 40} ${y2} ${x2} ${y2}`;
}

function nodeTip(name) {
  const layer = layerNamed.get(name);
  const sent = ["messages a sample", digits(sentInSample(name))];
  if (!layer) return { title: name, rows: [sent], note: "the input lines" };
  return { title: name, rows: [["neurons", count(layer.neurons)], ["synapses into it", count(layer.synapses)], ["cores", count(layer.cores)], sent,
    ["neurons that send in a step", percent(layer.spike_rate)], ["energy a sample", energy(layer.energy_pj.value)]], note: `${layer.kind}, law: ${layer.law || layer.judge}` };
}

const cut = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

function nodeBox(name, { x, y }) {
  const layer = layerNamed.get(name);
  const says = layer ? `${count(layer.neurons)} ${layer.kind}${layer.cores > 1 ? ` · ${count(layer.cores)} cores` : ""}` : series.raster && series.raster.layers && series.raster.layers[name] ? plural(series.raster.layers[name].neurons, "line") : "input";
  return s("g", { class: "node", transform: `translate(${x} ${y})`, tip: nodeTip(name), "data-layer": name },
    s("rect", { class: "box", width: BOX.width, height: BOX.height, rx: 7 }),
    s("rect", { class: "stripe", width: 5, height: BOX.height - 12, x: 6, y: 6, rx: 2.5, style: { fill: layerHue(name) } }),
    s("text", { class: "node-name", x: 18, y: 20 }, cut(name, 15)), s("text", { class: "node-says", x: 18, y: 36 }, cut(says, 19)));
}

function networkPicture() {
  const { columns, left } = columnsOfNodes();
  const { places, width, height } = placesOf(columns);
  const edges = data.edges.filter((edge) => places.has(edge.from) && places.has(edge.to));
  const most = largest(edges.map((edge) => sentInSample(edge.from))) || 1;
  const loops = edges.some((edge) => edge.loop);
  const margin = 30;
  const drawing = s("svg", { class: "network", viewBox: `${-margin} ${-margin} ${width + 2 * margin} ${height + 2 * margin + (loops ? 20 : 0)}`, role: "presentation", style: { "--natural": `${width + 2 * margin}px` } },
    edges.map((edge) => s("path", {
      class: `edge${edge.loop ? " loop" : ""}${edge.wire ? " wire" : ""}`, d: edgePath(places.get(edge.from), places.get(edge.to), edge.loop, height),
      "stroke-width": edge.wire ? 3 : (1 + BOX.edge * Math.sqrt(sentInSample(edge.from) / most)).toFixed(2), style: { stroke: layerHue(edge.from) },
      tip: { title: `${edge.from} to ${edge.to}`, rows: [["messages a sample", digits(sentInSample(edge.from))], ["ports", edge.ports.join(", ")], ...(edge.delays.some((delay) => delay) ? [["delays, steps", edge.delays.join(", ")]] : [])],
        note: edge.wire ? "a wire inside one neuron: no message on the mesh" : edge.loop ? "a loop" : "" },
    })), [...places].map(([name, place]) => nodeBox(name, place)));
  return { drawing, left, loops, long: columns.length > 6 };
}

// The chip beside it. What binds a core is the resource of which it uses the largest share.

function binding() {
  const counted = new Map();
  for (const core of data.cores) counted.set(fullest(core).index, (counted.get(fullest(core).index) || 0) + 1);
  const order = [...counted].sort((a, b) => b[1] - a[1]);
  return new Map(order.map(([index, cores], place) => [index, { name: words(RESOURCES[index].name), cores, colour: `var(--c${(place % HUES) + 1})` }]));
}

const toned = (colour, full) => `color-mix(in oklab, ${colour} ${Math.round(25 + 75 * Math.min(1, full))}%, var(--card))`;

function chipPicture(binds) {
  const { columns, rows, per_chip } = data.mesh;
  const mesh = drawnMesh();
  const outlines = Array.from({ length: mesh.left_out ? 0 : mesh.used }, (_, chip) => {
    const { x, y } = placeOf(chip * per_chip);
    return s("rect", { class: "chip-edge", x: x - 0.2, y: y - 0.2, width: columns + 0.4, height: rows + 0.4, rx: 0.5 });
  });
  return s("svg", { class: "chip-picture", viewBox: viewOf(mesh, 0.5), role: "presentation", style: { "--tiles": mesh.width + 1, "--tile": tileSize(mesh) } }, outlines,
    data.cores.map((core) => {
      const { x, y } = placeOf(core.core);
      const full = fullest(core);
      return s("rect", { class: "core", x: x + 0.06, y: y + 0.06, width: 0.88, height: 0.88, rx: 0.14, tip: coreTip(core), style: { fill: toned(binds.get(full.index).colour, full.share) },
        "data-layers": JSON.stringify([...new Set(core.members.map(([layer]) => layer))]) });
    }));
}

/** Pointing at a layer shows its cores, at a core its layers. */
function link(box) {
  const cores = [...box.querySelectorAll("[data-layers]")].map((tile) => [tile, JSON.parse(tile.dataset.layers)]);
  const nodes = [...box.querySelectorAll("[data-layer]")];
  box.addEventListener("marked", ({ target }) => {
    const layers = target.dataset.layer ? [target.dataset.layer] : target.dataset.layers ? JSON.parse(target.dataset.layers) : [];
    box.classList.toggle("pointed", layers.length > 0);
    for (const [tile, held] of cores) tile.classList.toggle("lit", held.some((name) => layers.includes(name)));
    for (const node of nodes) node.classList.toggle("lit", layers.includes(node.dataset.layer));
  });
  box.addEventListener("unmarked", () => box.classList.remove("pointed"));
  return box;
}

function networkCard() {
  const { drawing, left, loops, long } = networkPicture();
  const chip = data.cores.length > 0 && data.chips.length === 0;
  const binds = chip ? binding() : new Map();
  const note = ["An edge is as wide as the messages it carries in a sample.", loops ? "A loop runs below." : "",
    chip ? "A core has the colour of the resource it has least left of, the darker the fuller. Point at a layer to see its cores, at a core to see its layers." + freeText(drawnMesh()) : "",
    left ? `${NODES_DRAWN} of ${NODES_DRAWN + left} layers drawn, those that send most.` : ""].filter(Boolean).join(" ");
  const rows = data.edges.map((edge) => ({ ...edge, sent: sentInSample(edge.from) }));
  const fallback = table("Edges of the network", [
    { head: "From", text: true, value: (row) => row.from }, { head: "To", text: true, value: (row) => row.to },
    { head: "Ports", text: true, value: (row) => row.ports.join(", ") }, { head: "Loop", text: true, value: (row) => (row.loop ? "yes" : "no") },
    { head: "Messages a sample", value: (row) => row.sent, show: (row) => (row.wire ? "none: a wire" : digits(row.sent)) },
  ], rows, { most: 40 });
  const picture = walkable(link(h("div", { class: chip && !long ? "program with-chip" : "program long" },
    h("div", { class: "network-box", tabindex: 0, role: "region", "aria-label": "Picture of the network" }, drawing), chip ? h("div", { class: "chip-box" }, chipPicture(binds)) : null)), `The network${chip ? " and the chip" : ""}: ${plural(run.layers.length, "layer")}${chip ? ` on ${plural(data.cores.length, "core")}` : ""}`);
  return card(chip ? "Network and chip" : "The network", { wide: true, note, fallback }, picture,
    chip ? legend([...binds.values()].map(({ name, colour, cores }) => [`${plural(cores, "core")} bound by ${name}`, colour])) : null);
}

const programSection = () => (data.edges && data.edges.length ? section("program", "Program", "The program", null, cards(networkCard(), rasterCard())) : null);
