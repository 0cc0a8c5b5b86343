// The graph as the page holds it: typed arrays by cell (a node with its mirror), edges, groups.
"use strict";

const REPEAT = 1;  // a kind of group
const PARAMETER = 1, CONSTANT = 2, OPERATION = 3, GRADIENT = 4;  // kinds of cells
const NOTHING = 2147483647;
const TYPES = { u1: Uint8Array, u2: Uint16Array, u4: Uint32Array, i4: Int32Array, f4: Float32Array, f8: Float64Array };

/** A column of numbers: base64 of little-endian bytes, or one constant. */
function column(given, count) {
  if ("c" in given) return new Float64Array(count).fill(given.c);
  const text = atob(given.d);
  const bytes = new Uint8Array(text.length);
  for (let k = 0; k < text.length; k++) bytes[k] = text.charCodeAt(k);
  return new TYPES[given.t](bytes.buffer);
}

/** Lists of places by key: `from(key)` is a slice of `list`. */
class Lists {
  constructor(keys, count) {
    this.start = new Int32Array(count + 1);
    this.list = new Int32Array(keys.length);
    for (const key of keys) this.start[key + 1]++;
    for (let k = 0; k < count; k++) this.start[k + 1] += this.start[k];
    const next = this.start.slice();
    for (let k = 0; k < keys.length; k++) this.list[next[keys[k]]++] = k;
  }
  from(key) { return this.list.subarray(this.start[key], this.start[key + 1]); }
}

class Graph {
  constructor(given) {
    Object.assign(this, given.tables);
    for (const name of ["title", "notes", "n", "steps", "mirrored", "size", "inside", "fused", "passes"]) this[name] = given[name];
    this.outputs = new Set(given.outputs);
    for (const [name, c] of Object.entries(given.cells)) this[name] = column(c, given.n);
    this.edges = given.edges.count;
    for (const name of ["source", "target", "place", "flows"]) this[name] = column(given.edges[name], this.edges);
    this.cuts = new Map(given.cuts);
    this.partials = new Map(given.partials);
    this.names = new Map(given.names);
    this.alive = column(given.alive, given.steps + 1);
    this.out = new Lists(this.source, this.n);
    this.in = new Lists(this.target, this.n);
    this.g = { count: given.groups.count, names: new Map(given.groups.names) };
    for (const [name, c] of Object.entries(given.groups.columns)) this.g[name] = column(c, given.groups.count);
    this.values = new Summaries(given.values);
    this.gradients = new Summaries(given.gradients);
    this.inGroup = new Lists(this.parent, this.g.count);
    this.stacked = this.beside.some((k) => k >= 0);  // operations of gradient rules stand below their nodes
    this.behind = new Lists(Int32Array.from(this.beside, (k) => (k < 0 ? this.n : k)), this.n + 1);
    const up = Array.from(this.g.parent);
    up[0] = this.g.count;  // the root is nobody's child
    this.groupsIn = new Lists(up, this.g.count + 1);
    this.place_();
  }

  /** What runs at a step: {cell, back}, or null. */
  running(step) {
    if (!this.order) {
      this.order = new Int32Array(this.steps + 1).fill(NOTHING);
      for (let i = 0; i < this.n; i++) {
        if (this.step[i]) this.order[this.step[i]] = i;
        if (this.back[i]) this.order[this.back[i]] = ~i;
      }
    }
    const now = this.order[step];
    return now === NOTHING ? null : { cell: now < 0 ? ~now : now, back: now < 0 || this.kind[now] === GRADIENT };
  }

  /** The steps at which the backward pass begins and ends; what follows in a static graph is the update. */
  phases() {
    if (this.ends) return this.ends;
    let first = this.steps + 1, end = 0;
    for (let k = this.steps; k > 0; k--) if ((this.running(k) || {}).back) { first = k; end ||= k + 1; }
    return this.ends = [first, end || first];
  }

  /** Boxes of cells and groups in the coordinates of the whole. */
  place_() {
    const g = this.g, n = g.count;
    g.ix = new Float64Array(n); g.iy = new Float64Array(n); g.is = new Float64Array(n).fill(1);
    g.wx = new Float64Array(n); g.wy = new Float64Array(n); g.ws = new Float64Array(n).fill(1);
    for (let k = 1; k < n; k++) {  // parents come first
      const p = g.parent[k];
      g.wx[k] = g.ix[p] + g.x[k] * g.is[p];
      g.wy[k] = g.iy[p] + g.y[k] * g.is[p];
      g.ws[k] = g.is[p];
      g.ix[k] = g.wx[k] + g.left[k] * g.ws[k];
      g.iy[k] = g.wy[k] + g.top[k] * g.ws[k];
      g.is[k] = g.ws[k] * g.scale[k];
    }
    this.wx = new Float64Array(this.n); this.wy = new Float64Array(this.n);
    for (let i = 0; i < this.n; i++) {
      const p = this.parent[i];
      this.wx[i] = g.ix[p] + this.x[i] * g.is[p];
      this.wy[i] = g.iy[p] + this.y[i] * g.is[p];
    }
  }

  title_(i) { return this.names.get(i) || (this.ops[this.op[i]] === "leaf" ? this.kinds[this.kind[i]] : this.ops[this.op[i]]); }
  longTitle(i) {
    const title = this.title_(i), scope = this.kind[i] !== PARAMETER ? "" : this.scopes[this.scope[i]].split(" › ").pop();
    return !scope || title.includes(".") ? title : `${scope}.${title}`;
  }
  gradientTitle(i) { return (this.names.has(i) ? "∂" : "∂ ") + this.title_(i); }
  facts(i) { return [this.shapes[this.shape[i]], this.dtypes[this.dtype[i]]].filter(Boolean).join(" "); }
  hasGradient(i) { return this.back[i] > 0; }
  /** The way of an edge: 0 forward, 1 between gradients, 2 a value that a gradient rule reads, 3 out of the gradients. */
  way(e) { return (this.kind[this.target[e]] === GRADIENT ? 2 : 0) ^ (this.kind[this.source[e]] === GRADIENT ? 3 : 0); }
  groupTitle(k) {
    const g = this.g;
    if (g.names.has(k)) return g.names.get(k) + (g.kind[k] === REPEAT ? ` ×${g.times[k]}` : "");
    if (!g.first[k]) return `steps ${g.low[k]}–${g.high[k]}`;
    return g.first[k] === g.last[k] ? `iteration ${g.first[k]}` : `iterations ${g.first[k]}–${g.last[k]}`;
  }

  /** How many gradients have arrived at a cell's mirror by a step, and how many will. */
  arrived(i, step) {
    let now = 0, all = 0;
    for (const e of this.out.from(i)) {
      const t = this.target[e];
      if (!this.flows[e] || !this.back[t]) continue;
      all++;
      if (this.back[t] <= step) now++;
    }
    return [now, all];
  }

  /** The sum of what has arrived at a cell's mirror by a step, where it was recorded. */
  partial(i, step) { return ((this.partials.get(i) || []).findLast(([when]) => when <= step) || [0, ""])[1]; }

  /** Cells that hold all words of a query in name, op, scope, shape or dtype. */
  search(query) {
    const sizes = query.toLowerCase().replace(/[()[\]]/g, "").replace(/(\d)\s*[,x*×]\s*(?=\d)/g, "$1×");
    const words = sizes.split(/\s+/).filter(Boolean), found = [];
    for (let i = 0; i < this.n && words.length; i++) {
      const text = `${this.names.get(i) || ""} ${this.ops[this.op[i]]} ${this.scopes[this.scope[i]]} ${this.facts(i)}`.toLowerCase();
      if (words.every((w) => text.includes(w))) found.push(i);
    }
    return found;
  }

  /** The shortest way along the edges from one cell to another: {cells, edges}, or null. `only` filters edges. */
  path(from, goal, only = () => true) {
    const via = new Map([[from, -1]]);
    for (let i of via.keys()) {  // goes on over what is added meanwhile: breadth first
      if (goal(i)) {
        const cells = [i], edges = [];
        for (let e = via.get(i); e >= 0; e = via.get(i)) { edges.push(e); cells.push(i = this.source[e]); }
        return { cells: cells.reverse(), edges: edges.reverse() };
      }
      for (const e of this.out.from(i)) if (!via.has(this.target[e]) && only(e)) via.set(this.target[e], e);
    }
    return null;
  }

  /** Why no gradient reaches a cell: {text, path}, or null where one does. */
  why(i) {
    const flowing = this.path(i, (k) => this.outputs.has(k), (e) => this.flows[e] && !this.way(e));
    if (flowing && (this.hasGradient(i) || !this.mirrored)) return null;
    const alone = { cells: [i], edges: [] };
    if (!this.out.from(i).length) return { text: "Nothing in this graph reads it, so the outputs do not depend on it.", path: alone };
    const toCut = this.path(i, (k) => [...this.out.from(k)].some((e) => !this.flows[e]), (e) => this.flows[e] && !this.way(e));
    if (toCut) {
      const last = toCut.cells.at(-1), edge = [...this.out.from(last)].find((e) => !this.flows[e]);
      toCut.edges.push(edge);
      toCut.cells.push(this.target[edge]);
      const how = this.cuts.get(edge) || "no gradient passes there";
      return { text: `The path of gradients ends between ${this.title_(last)} and ${this.title_(this.target[edge])}: ${how}.`, path: toCut };
    }
    if (flowing) return { text: "It does not require a gradient.", path: flowing };
    const path = this.path(i, (k) => !this.out.from(k).length) || alone;
    return { text: `What reads it ends at ${this.title_(path.cells.at(-1))}, which no output depends on.`, path };
  }

  /** The first step at which a recorded value or gradient passes a test; -1 where there is none. */
  firstStep(testValue, testGradient) {
    let first = Infinity;
    const look = (summaries, steps, test) => {
      if (test) for (const [i, k] of summaries.at) if (test(summaries, k, i)) first = Math.min(first, steps[i]);
    };
    look(this.values, this.step, testValue);
    look(this.gradients, this.back, testGradient);
    look(this.values, this.step, testGradient && ((s, k, i) => this.kind[i] === GRADIENT && testGradient(s, k)));
    return first === Infinity ? -1 : first;
  }
}

/** Summaries of tensors by cell, in columns. */
class Summaries {
  constructor(given) {
    this.at = new Map(given.cells.map((i, k) => [i, k]));
    const count = given.cells.length;
    for (const name of ["low", "high", "mean", "zeros", "nans", "infs"]) this[name] = column(given[name], count);
    this.whole = given.whole;
    this.bins = given.bins;
    this.histogram = column(given.histogram, count * given.bins);
  }
  has(i) { return this.at.has(i); }

  short(i) {
    const k = this.at.get(i);
    if (k === undefined) return "";
    if (this.whole[k] !== null) {
      const text = listed(this.whole[k]);
      if (text.length <= 24) return text;
    }
    if (Number.isNaN(this.low[k])) return "no finite element";
    if (this.low[k] === this.high[k] && !this.nans[k] && !this.infs[k]) return `all ${number(this.low[k])}`;
    return `${number(this.low[k])} … ${number(this.high[k])}`;
  }
}

/** A number in few characters. */
function number(x) {
  if (typeof x !== "number") return String(x);
  if (Number.isNaN(x)) return "–";
  if (Number.isInteger(x) && Math.abs(x) < 1e7) return String(x);
  const size = Math.abs(x);
  return (size >= 1e5 || size < 1e-3) ? x.toExponential(2).replace("e+", "e") : String(+x.toPrecision(4));
}

function listed(v) { return Array.isArray(v) ? `[${v.map(listed).join(", ")}]` : number(v); }

function withUnit(x, units, small) {
  for (const [unit, size] of units) if (x >= size) return `${+(x / size).toPrecision(3)} ${unit}`;
  return small;
}
const bytesText = (b) => withUnit(b, [["GiB", 2 ** 30], ["MiB", 2 ** 20], ["KiB", 1024]], `${b} B`);
const secondsText = (s) => withUnit(s, [["s", 1], ["ms", 1e-3], ["µs", 1e-6]], `${+(s * 1e9).toPrecision(3)} ns`);
