// What stands beside the picture: the chosen node in full, the list of all nodes, the passes of an optimiser.
// Texts from the graph are put in as texts, never as markup.

/** An element: make("p", {class: "soft"}, "text", child, ...). */
function make(tag, attributes = {}, ...children) {
  const e = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) e.addEventListener(name.slice(2), value);
    else if (value !== null) e.setAttribute(name, value);
  }
  e.append(...children.filter((child) => child !== null));
  return e;
}

function facts(pairs) {
  const list = make("dl");
  for (const [name, value] of pairs) if (value !== "" && value !== null) list.append(make("dt", {}, name), make("dd", {}, value));
  return list;
}

/** The details of a cell. */
function cellDetails(page, i) {
  const { graph } = page.view, children = [];
  const kind = graph.kinds[graph.kind[i]], op = graph.ops[graph.op[i]];
  children.push(make("h2", {}, graph.title_(i)));
  children.push(make("p", { class: "soft" }, kind === "operation" ? `operation ${op}` : kind, graph.outputs.has(i) ? ", output" : ""));
  children.push(make("div", { class: "acts" }, make("button", { id: "path-from", onclick: () => page.pathFrom(i) }, "Path to …"),
    make("button", { id: "why", onclick: () => page.why(i) }, "Why no gradient?"),
    make("button", { onclick: () => page.setStep(graph.step[i]) }, "Run to here")));
  const time = (s) => (Number.isNaN(s) ? "" : secondsText(s));
  children.push(facts([
    ["shape", graph.shapes[graph.shape[i]]], ["dtype", graph.dtypes[graph.dtype[i]]], ["scope", graph.scopes[graph.scope[i]]],
    ["line", graph.lines[graph.line[i]]], ["attributes", graph.attrTexts[graph.attrs[i]]],
    ["memory", graph.bytes[i] ? bytesText(graph.bytes[i]) : ""], ["step", graph.step[i] ? String(graph.step[i]) : "given"],
    ["backward step", graph.back[i] ? `${graph.back[i]} (${graph.ops[graph.backOp[i]]})` : ""],
    ["time", time(graph.seconds[i])], ["backward time", time(graph.backSeconds[i])],
  ]));
  children.push(...tensorDetails("Value", graph.values, i), ...tensorDetails("Gradient", graph.gradients, i));
  const [, all] = graph.arrived(i, Infinity);
  if (all > 1) children.push(make("p", { class: "soft" }, `The gradient is the sum of ${all} that arrive along its readers.`));
  if (graph.partials.has(i)) children.push(make("h3", {}, "Adds up"), facts(graph.partials.get(i).map(([step, text]) => [`step ${step}, from ${graph.title_(graph.running(step).cell)}`, text])));
  if (graph.beside[i] >= 0) children.push(...links(page, "Part of the gradient of", [[graph.beside[i], ""]]));
  children.push(...links(page, "Its gradient rule runs as", [...graph.behind.from(i)].map((k) => [k, ""])));
  if (graph.rules[graph.op[i]] && graph.kind[i] !== GRADIENT) children.push(make("h3", {}, "Gradient rule"), make("pre", {}, graph.rules[graph.op[i]]));
  children.push(...links(page, "Reads", [...graph.in.from(i)].map((e) => [graph.source[e], graph.flows[e] || !graph.mirrored ? "" : "no gradient"])));
  children.push(...links(page, "Read by", [...graph.out.from(i)].map((e) => [graph.target[e], `operand ${graph.place[e]}`])));
  return children;
}

function links(page, title, pairs) {
  if (!pairs.length) return [];
  const list = make("ol");
  for (const [i, text] of pairs.slice(0, 16)) list.append(make("li", {}, entry(page, i, text)));
  if (pairs.length > 16) list.append(make("li", { class: "soft" }, `and ${pairs.length - 16} more; see the list`));
  return [make("h3", {}, title), list];
}

/** A button that chooses a cell. */
function entry(page, i, text, step = "") {
  const { graph } = page.view;
  const dot = make("span", { class: "dot", style: `--of:var(--${graph.kinds[graph.kind[i]]})` });
  return make("button", { title: `${graph.scopes[graph.scope[i]]} ${graph.lines[graph.line[i]]}`.trim(), onclick: () => page.choose({ cell: i }, true) },
    step ? make("i", {}, step) : null, dot, make("span", {}, graph.longTitle(i)), make("span", { class: "soft" }, text || graph.facts(i)));
}

function tensorDetails(title, summaries, i) {
  const k = summaries.at.get(i);
  if (k === undefined) return [];
  const out = [make("h3", {}, title)];
  const share = (x) => (x ? `${+(100 * x).toPrecision(3)} %` : "");
  if (summaries.whole[k] !== null) {
    out.push(make("pre", { class: "numbers" }, rows(summaries.whole[k])));
    if (summaries.nans[k] || summaries.infs[k]) out.push(facts([["NaN", share(summaries.nans[k])], ["infinite", share(summaries.infs[k])]]));
    return out;
  }
  out.push(facts([
    ["min", number(summaries.low[k])], ["max", number(summaries.high[k])], ["mean", number(summaries.mean[k])],
    ["zeros", share(summaries.zeros[k])], ["NaN", share(summaries.nans[k])], ["infinite", share(summaries.infs[k])],
  ]));
  const bins = summaries.histogram.subarray(k * summaries.bins, (k + 1) * summaries.bins);
  if (bins.some((b) => b)) out.push(histogram(bins), make("div", { class: "ends" }, make("span", {}, number(summaries.low[k])), make("span", {}, number(summaries.high[k]))));
  return out;
}

/** Nested lists as aligned rows. */
function rows(v) {
  if (!Array.isArray(v)) return number(v);
  if (!v.length || !Array.isArray(v[0])) return v.map(number).join("  ");
  if (Array.isArray(v[0][0])) return v.map(rows).join("\n\n");
  const cells = v.map((row) => row.map(number));
  const widths = cells[0].map((_, c) => Math.max(...cells.map((row) => row[c].length)));
  return cells.map((row) => row.map((t, c) => t.padStart(widths[c])).join("  ")).join("\n");
}

function histogram(bins) {
  return make("div", { class: "histogram", role: "img", "aria-label": "Histogram" }, ...Array.from(bins, (b) => make("span", { style: `height:${b / 2.55}%` })));
}

function groupDetails(page, k) {
  const { view } = page, { graph } = view, g = graph.g;
  const open = view.open[k];
  const act = make("button", { id: "open-group", onclick: () => page.enter(k) }, open ? "Close" : "Open");
  const inside = [...graph.inGroup.from(k)].map((i) => [i, ""]);
  const groups = make("ol");
  for (const inner of graph.groupsIn.from(k).sort((a, b) => g.low[a] - g.low[b])) {
    groups.append(make("li", {}, make("button", { onclick: () => page.choose({ group: inner }, true) }, make("span", {}, graph.groupTitle(inner)),
      make("span", { class: "soft" }, `${g.size[inner]} nodes`))));
  }
  return [
    make("h2", {}, graph.groupTitle(k)), make("p", { class: "soft" }, `group of ${g.size[k].toLocaleString("en")} nodes`),
    facts([["steps", `${g.low[k]}–${g.high[k]}`], ["backward steps", g.backHigh[k] ? `${g.backLow[k]}–${g.backHigh[k]}` : ""],
      ["repeated", g.times[k] ? `${g.times[k]} times` : ""]]),
    make("div", { class: "acts" }, act), ...(groups.children.length ? [make("h3", {}, "Groups inside"), groups] : []), ...links(page, "Nodes inside", inside),
  ];
}

function graphDetails(page) {
  const { graph } = page.view;
  const outputs = [...graph.outputs].map((i) => [i, ""]);
  const given = [];
  for (let i = 0; i < graph.n && given.length < 60; i++) if (!graph.step[i] && graph.names.has(i)) given.push([i, graph.hasGradient(i) || !graph.mirrored ? "" : "no gradient"]);
  return [
    make("h2", {}, graph.title), make("p", { class: "soft" }, page.counts()),
    ...graph.notes.map((note) => make("p", { class: "note" }, note)),
    ...links(page, "Outputs", outputs), make("h3", {}, "Legend"), legend(graph), ...links(page, "Given", given),
  ];
}

/** What the colours and lines of this graph mean. */
function legend(graph) {
  const there = new Set(graph.kind), list = make("ul", { class: "legend" });
  const says = { input: "input", parameter: "parameter, which is trained", constant: "constant or data", operation: "operation", gradient: "gradient, or part of its rule", state: "what a run writes" };
  const mark = (kind, look, text) => list.append(make("li", {}, make("span", { class: look, style: `--of:var(--${kind})` }), text));
  graph.kinds.forEach((kind, k) => { if (there.has(k) || (kind === "gradient" && graph.mirrored)) mark(kind, "dot", says[kind]); });
  mark("flow", "wire", "a value flows on");
  if (graph.mirrored || graph.stacked) mark("back", "wire", "a gradient comes back");
  if (graph.mirrored) mark("flow", "wire cut", "no gradient passes");
  if (graph.fused.length) mark("state", "wire cut", "runs in one pass");
  return list;
}

/** The list of nodes in order of execution: all of them, or those that a search found. Grows as one asks for more. */
class NodeList {
  constructor(page, panel) {
    this.page = page;
    this.panel = panel;
    this.shown = 200;
  }

  fill() {
    const { page, panel } = this, { graph } = page.view, { found } = page.shared;
    const cells = found || this.inOrder(graph);
    const list = make("ol", { "aria-label": found ? "Nodes found" : "Nodes in order of execution" });
    for (const i of cells.slice(0, this.shown)) {
      const item = entry(page, i, "", graph.step[i] ? String(graph.step[i]) : "·");
      if (page.view.selected && page.view.selected.cell === i) item.setAttribute("aria-current", "true");
      list.append(make("li", {}, item));
    }
    panel.replaceChildren(make("p", { class: "soft" }, found ? `${cells.length} found` : `${cells.length} nodes in order of execution`), list);
    if (cells.length > this.shown) panel.append(make("button", { onclick: () => { this.shown += 400; this.fill(); } }, `Show more of ${cells.length}`));
  }

  inOrder(graph) {
    if (this.of !== graph) {
      this.of = graph;
      this.cells = Array.from({ length: graph.n }, (_, i) => i).sort((a, b) => graph.step[a] - graph.step[b] || a - b);
    }
    return this.cells;
  }
}

/** What each pass of an optimiser removed, and what was fused. */
function passDetails(page, before, after) {
  const out = [make("p", { class: "soft" }, `${before.n} nodes captured, ${after.n} after optimisation.`)];
  for (const { name, cells } of before.passes) {
    out.push(make("button", { class: "link", onclick: () => page.mark(page.views[0], cells) }, make("span", {}, name), make("span", { class: "soft" }, `removed ${cells.length}`)));
  }
  if (after.fused.length) out.push(make("h3", {}, "Fused"));
  for (const { name, cells } of after.fused) {
    out.push(make("button", { class: "link", onclick: () => page.mark(page.views[1], cells) }, make("span", {}, name), make("span", { class: "soft" }, `${cells.length} nodes`)));
  }
  return out;
}
