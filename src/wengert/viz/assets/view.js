// One graph on one canvas: camera, boxes, edges, what is open, what lies under the pointer.

class View extends Painter {
  constructor(graph, canvas, shared) {
    super();
    this.graph = graph;
    this.canvas = canvas;
    this.shared = shared;  // step, gradients, selected, found, path, colours: what all views have in common
    this.context = canvas.getContext("2d", { alpha: false });
    this.open = new Uint8Array(graph.g.open);
    this.zoom = 1; this.dx = 0; this.dy = 0;
    this.selected = null;  // {cell} or {group}
    this.frame = 0;
    this.shift = [0, 0];  // device pixels that the picture has moved since it was painted
    this.drawnGroups = new Uint32Array(graph.g.count);  // the last painting that showed the inside of a group
    this.paints = 0;
    this.listEdges();
  }

  /** The edges between what is seen: of each pair one, from representatives to representatives. */
  listEdges() {
    const { graph } = this, g = graph.g, n = graph.n;
    const closed = new Int32Array(g.count).fill(-1), seen = this.seen = new Int32Array(n);
    for (let k = 1; k < g.count; k++) closed[k] = closed[g.parent[k]] >= 0 ? closed[g.parent[k]] : this.open[k] ? -1 : k;
    for (let i = 0; i < n; i++) seen[i] = closed[graph.parent[i]] >= 0 ? n + closed[graph.parent[i]] : i;
    const a = this.a = [], b = this.b = [], flows = this.edgeFlows = [], ways = this.ways = [], known = new Map(), total = n + g.count;
    for (let e = 0; e < graph.edges; e++) {
      const s = seen[graph.source[e]], t = seen[graph.target[e]], key = s * total + t;
      if (s === t) continue;
      if (!known.has(key)) { known.set(key, a.length); a.push(s); b.push(t); flows.push(0); ways.push(3); }
      const at = known.get(key);
      if (graph.flows[e]) flows[at] = 1;
      ways[at] = Math.min(ways[at], graph.way(e));
    }
    this.outer = new Int32Array(2 * a.length);
    this.common = new Int32Array(a.length);
    for (let e = 0; e < a.length; e++) {
      const [A, B] = this.siblings(a[e], b[e]);
      this.outer[2 * e] = A; this.outer[2 * e + 1] = B;
      this.common[e] = this.up(A);
    }
    this.draw();
  }

  up(item) { return item < this.graph.n ? this.graph.parent[item] : this.graph.g.parent[item - this.graph.n]; }

  /** What holds two items where they have the same parent: themselves, or frames around them. */
  siblings(a, b) {
    let over = this.up(a), under = this.up(b);
    while (over !== under) {  // groups are numbered from the outside in
      if (over > under) { a = this.graph.n + over; over = this.up(a); } else { b = this.graph.n + under; under = this.up(b); }
    }
    return [a, b];
  }

  toggle(group) { this.open[group] ^= 1; this.listEdges(); }

  /** Opens groups and all that they lie in. */
  openAround(groups) {
    let changed = false;
    for (let k of groups) for (; k; k = this.graph.g.parent[k]) { changed ||= !this.open[k]; this.open[k] = 1; }
    if (changed) this.listEdges();
  }

  /** Opens what hides a cell and brings it into sight. */
  reveal(cell) { this.openAround([this.graph.parent[cell]]); this.show(this.box(cell), 0.75); }

  openGroup(group) {
    this.openAround([group]);
    const s = this.graph.g.is[group];
    if (s * this.zoom < 0.45) this.show({ ...this.box(this.graph.n + group), s }, 0, true);
  }

  resize() {
    const ratio = window.devicePixelRatio || 1, r = this.canvas.getBoundingClientRect();
    Object.assign(this, { ratio, width: r.width, height: r.height });
    this.canvas.width = Math.max(1, Math.round(r.width * ratio));
    this.canvas.height = Math.max(1, Math.round(r.height * ratio));
    this.draw();
  }

  /** The box of an item (cells, then groups) in world coordinates. */
  box(item) {
    const { graph } = this, { width, half, gap } = graph.size, g = graph.g, k = item - graph.n;
    if (k < 0) {
      const s = g.is[graph.parent[item]], h = graph.hasGradient(item) ? 2 * half + gap : half;
      return { x: graph.wx[item], y: graph.wy[item], w: width * s, h: h * s, s };
    }
    return { x: g.wx[k], y: g.wy[k], w: g.w[k] * g.ws[k], h: g.h[k] * g.ws[k], s: g.ws[k] };
  }

  fit(animate = true) { this.show({ x: 0, y: 0, w: this.graph.inside[0], h: this.graph.inside[1], s: 1 }, 0, true, animate); }

  /** The first view: everything; on a narrow screen its beginning, where that is legible and the whole is not. */
  begin() {
    this.fit(false);
    if (this.width < 500 && this.zoom < 0.45) Object.assign(this, { zoom: 0.45, dx: 14, dy: 14 });
  }

  /** Brings a box into sight: whole, or with at least the zoom that makes it legible. */
  show(box, legible, whole = false, animate = true) {
    const room = 28;
    let zoom = this.zoom;
    if (whole) zoom = Math.min((this.width - 2 * room) / box.w, (this.height - 2 * room) / box.h, 1.25 / box.s);
    else if (box.s * zoom < legible) zoom = legible / box.s;
    const sx = box.x * zoom + this.dx, sy = box.y * zoom + this.dy;
    if (!whole && zoom === this.zoom && sx > room && sy > room
        && sx + box.w * zoom < this.width - room && sy + box.h * zoom < this.height - room) return;
    this.fly(zoom, box.x + box.w / 2, box.y + box.h / 2, animate && !matchMedia("(prefers-reduced-motion: reduce)").matches);
  }

  /** Brings a point into the middle, at a zoom. */
  fly(zoom, x, y, animate) {
    cancelAnimationFrame(this.flight);
    const z = this.zoom, x0 = (this.width / 2 - this.dx) / z, y0 = (this.height / 2 - this.dy) / z, begin = performance.now();
    const move = (now) => {
      const t = animate ? Math.min(1, (now - begin) / 260) : 1, k = 1 - (1 - t) ** 3;
      this.zoom = z * (zoom / z) ** k;
      // The point in the middle moves in step with the zoom, so that a flight in does not swing.
      const part = zoom === z ? k : (1 / this.zoom - 1 / z) / (1 / zoom - 1 / z);
      this.dx = this.width / 2 - (x0 + (x - x0) * part) * this.zoom;
      this.dy = this.height / 2 - (y0 + (y - y0) * part) * this.zoom;
      this.draw();
      if (t < 1) this.flight = requestAnimationFrame(move);
    };
    move(begin);
  }

  zoomAt(x, y, factor) {
    cancelAnimationFrame(this.flight);
    const zoom = Math.min(4e4, Math.max(0.004, this.zoom * factor));
    this.dx = x - (x - this.dx) * (zoom / this.zoom);
    this.dy = y - (y - this.dy) * (zoom / this.zoom);
    this.zoom = zoom;
    this.draw();
  }

  /** Moves the picture by whole device pixels: what is there is shifted, and only what comes into sight is painted. */
  pan(dx, dy) {
    cancelAnimationFrame(this.flight);
    const x = Math.round(dx * this.ratio), y = Math.round(dy * this.ratio);
    this.dx += x / this.ratio; this.dy += y / this.ratio;
    this.shift[0] += x; this.shift[1] += y;
    this.request();
  }

  /** What lies at a point: {cell}, {group, button}, or null. */
  at(x, y) {
    const { graph } = this, g = graph.g, wx = (x - this.dx) / this.zoom, wy = (y - this.dy) / this.zoom;
    const within = (b) => wx >= b.x && wx <= b.x + b.w && wy >= b.y && wy <= b.y + b.h;
    let inside = 0;
    for (;;) {
      for (const i of graph.inGroup.from(inside)) {
        if (within(this.box(i))) return { cell: i };
      }
      const next = graph.groupsIn.from(inside).find((k) => within(this.box(graph.n + k)));
      if (next === undefined) return inside ? { group: inside } : null;
      const b = this.box(graph.n + next);
      const corner = 32 * this.headScale(next, b.s * this.zoom) / this.zoom, button = b.x + b.w - wx < corner && wy - b.y < corner;
      if (button || !this.open[next]) return { group: next, button };
      inside = next;
    }
  }

  draw() { this.stale = true; this.request(); }
  request() { this.frame ||= requestAnimationFrame(() => { this.frame = 0; this.paint(); }); }

  paint() {
    if (!this.width) return;
    const started = performance.now(), { width: w, height: h } = this.canvas, [x, y] = this.shift;
    if (this.stale || Math.abs(x) > w / 2 || Math.abs(y) > h / 2) this.paintPart(0, 0, w, h);
    else {
      this.context.setTransform(1, 0, 0, 1, 0, 0);
      this.context.drawImage(this.canvas, x, y);
      if (x) this.paintPart(x > 0 ? 0 : w + x, 0, Math.abs(x), h);
      if (y) this.paintPart(0, y > 0 ? 0 : h + y, w, Math.abs(y));
    }
    this.stale = false;
    this.shift = [0, 0];
    this.drawn = performance.now() - started;
  }

  /** Paints a rectangle of the canvas, in device pixels. */
  paintPart(x, y, w, h) {
    const c = this.context, r = this.ratio;
    Object.assign(this, { left: x / r, top: y / r, right: (x + w) / r, bottom: (y + h) / r });
    c.save();
    c.setTransform(1, 0, 0, 1, 0, 0);
    c.beginPath(); c.rect(x, y, w, h); c.clip();
    this.font = "";
    c.fillStyle = this.shared.colours.paper;
    c.fillRect(x, y, w, h);
    this.look();
    for (const k of this.frames) this.paintFrame(c, k);
    this.paintEdges(c);
    for (const k of this.frames) this.paintHead(c, k);
    this.paintCells(c);
    for (const k of this.closedBoxes) this.paintClosed(c, k);
    this.paintFused(c);
    this.paintMarks(c);
    c.restore();
  }

  /** Collects what is in sight. */
  look() { this.paints++; this.frames = []; this.closedBoxes = []; this.cellBoxes = []; this.collect(0); }

  /** The items that can be seen now. */
  inSight() {
    Object.assign(this, { left: 0, top: 0, right: this.width, bottom: this.height });
    this.look();
    return [...this.cellBoxes, ...this.closedBoxes.map((k) => this.graph.n + k)];
  }

  /** Whether a box, with room for its shadow and ring, touches what is being painted. */
  onScreen(b) {
    const x = b.x * this.zoom + this.dx, y = b.y * this.zoom + this.dy, room = 6 + 10 * b.s * this.zoom;
    return x - 6 < this.right && y - 6 < this.bottom && x + b.w * this.zoom + room > this.left && y + b.h * this.zoom + room > this.top;
  }

  /** What is in sight, group by group. */
  collect(group) {
    const { graph } = this, g = graph.g;
    const s = g.is[group] * this.zoom, { width, half, gap } = graph.size;
    const w = width * s, h = (2 * half + gap) * s;
    this.drawnGroups[group] = this.paints;
    const ox = this.dx + g.ix[group] * this.zoom, oy = this.dy + g.iy[group] * this.zoom;
    for (const i of graph.inGroup.from(group)) {
      if (graph.kind[i] === GRADIENT && !this.shared.gradients) continue;
      const x = ox + graph.x[i] * s, y = oy + graph.y[i] * s;
      if (x - 6 < this.right && y - 6 < this.bottom && x + w + 6 > this.left && y + h + 6 > this.top) this.cellBoxes.push(i);
    }
    for (const k of graph.groupsIn.from(group)) {
      const b = this.box(graph.n + k);
      if (!this.onScreen(b)) continue;
      if (this.open[k] && b.w * this.zoom > 26) {
        this.frames.push(k);
        this.collect(k);
      } else this.closedBoxes.push(k);
    }
  }

  /** From here on coordinates are those of a box. */
  into(c, b) {
    const k = this.zoom * b.s * this.ratio;
    c.setTransform(k, 0, 0, k, (b.x * this.zoom + this.dx) * this.ratio, (b.y * this.zoom + this.dy) * this.ratio);
  }

  paintFrame(c, k) {
    const { colours } = this.shared, g = this.graph.g, b = this.box(this.graph.n + k), px = b.s * this.zoom;
    this.into(c, b);
    this.plate(c, 0, 0, g.w[k], g.h[k], 10 * this.headScale(k, px) / px, colours.frame, colours.faint, 1.1 / px);
  }

  /** The name of an open group, above the edges that pass. */
  paintHead(c, k) {
    const { colours } = this.shared, g = this.graph.g, b = this.box(this.graph.n + k), px = b.s * this.zoom, title = this.graph.groupTitle(k);
    if (px < 0.18) return;  // no room for it
    const scale = px < 0.62 ? px : this.headScale(k, px), w = g.w[k] * px / scale, middle = g.scale[k] < 1 ? 13 : 19;
    this.into(c, { ...b, s: scale / this.zoom });
    c.fillStyle = colours.frame;
    c.fillRect(10, middle - 9, Math.min(w - 50, (px < 0.62 ? 6 / px : 7) * title.length + 8), 18);
    if (px < 0.62) { this.small(c, b, colours.soft, title, 12, middle, g.w[k] - 40); return; }
    this.text(c, colours.soft, title, 14, middle + 4, w - 52, "600 12px");
    this.sign(c, colours.soft, w - 18, middle, false);
  }

  /** How large the head of a group is drawn: that of an open one does not grow for ever as one looks closer. */
  headScale(k, px) { return this.open[k] ? Math.min(px, 1.3) : px; }

  paintClosed(c, k) {
    const { colours, step } = this.shared, { graph } = this, g = graph.g, b = this.box(graph.n + k), px = b.s * this.zoom;
    const w = g.w[k], h = g.h[k];
    this.into(c, b);
    c.globalAlpha = step >= g.low[k] ? 1 : 0.4;
    for (const d of px > 0.12 ? [8, 4, 0] : [0]) this.plate(c, d, d, w, h, 8, colours.card, colours.faint, Math.max(1.2, 0.8 / px));
    if (px < 0.62) this.small(c, b, colours.ink, graph.groupTitle(k), 8, h * 0.36, w - 14);
    else {
      const title = graph.groupTitle(k), long = this.measure(c, title, "600 13px") > w - 52;
      this.text(c, colours.ink, long ? title.replace("iterations ", "") : title, 14, 25, w - 52, "600 13px");
      this.text(c, colours.soft, `${g.size[k].toLocaleString("en")} nodes`, 14, 45, w - 28, "11px");
      this.sign(c, colours.soft, w - 18, 20, true);
    }
    const bar = (y, colour, low, high) => this.bar(c, 14, y, w - 28, colours.faint, colour, (step - low + 1) / (high - low + 1));
    if (px > 0.16) bar(h - 26, colours.operation, g.low[k], g.high[k]);
    if (px > 0.16 && g.backHigh[k]) bar(h - 16, colours.gradient, g.backLow[k], g.backHigh[k]);
    c.globalAlpha = 1;
  }

  paintCells(c) {
    const { graph } = this, { colours, step, gradients } = this.shared, { width, half, gap } = graph.size;
    for (const i of this.cellBoxes) {
      const b = this.box(i), px = b.s * this.zoom, two = gradients && graph.hasGradient(i);
      if (px < 0.16) {  // a dot of colour
        c.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
        const x = b.x * this.zoom + this.dx, y = b.y * this.zoom + this.dy, w = Math.max(1, width * px);
        c.globalAlpha = step >= graph.step[i] ? 0.85 : 0.25;
        c.fillStyle = this.kindColour(i);
        c.fillRect(x, y, w, Math.max(1, half * px));
        if (two) {
          c.globalAlpha = step >= graph.back[i] ? 0.6 : 0.2;
          c.fillStyle = colours.gradient;
          c.fillRect(x, y + (half + gap) * px, w, Math.max(0.7, half * px));
        }
        continue;
      }
      this.into(c, b);
      const named = graph.names.has(i), op = graph.ops[graph.op[i]];
      const value = step >= graph.step[i] ? graph.values.short(i) : "";
      this.card(c, b, px, 0, step >= graph.step[i], this.kindColour(i), colours[graph.kind[i] === GRADIENT ? "gradient-card" : "card"], {
        title: graph.title_(i), value, facts: graph.facts(i), strong: graph.outputs.has(i),
        right: graph.kind[i] >= OPERATION ? (named ? op : graph.attrTexts[graph.attrs[i]]) : "",
      });
      if (two) {
        const [now, all] = graph.arrived(i, step), lit = step >= graph.back[i] || (now > 0 && now === all);
        this.card(c, b, px, half + gap, lit || now > 0, colours.gradient, colours["gradient-card"], {
          title: graph.gradientTitle(i), value: lit ? graph.gradients.short(i) : now ? graph.partial(i, step) || `${now} of ${all} arrived` : "",
          facts: lit || !graph.partial(i, step) ? graph.ops[graph.backOp[i]] : `sum of ${now} of ${all}`, right: "", pips: all > 1 ? [now, all] : null,
        });
      }
    }
    c.globalAlpha = 1;
  }

  kindColour(i) { return this.shared.colours[this.graph.kinds[this.graph.kind[i]]]; }

  card(c, b, px, y, lit, accent, fill, texts) {
    const { width, half } = this.graph.size, { colours } = this.shared;
    c.globalAlpha = lit ? 1 : 0.38;
    const line = Math.max(texts.strong ? 1.6 : 1.1, 0.7 / px);
    this.plate(c, 0, y, width, half, px < 0.3 ? 0 : 7, fill, texts.strong ? colours.ink : colours.faint, line);
    c.fillStyle = accent;
    c.fillRect(0, y + 7, 3.5, half - 14);
    if (px < 0.62) { this.small(c, b, colours.ink, texts.title, 8, y + half / 2, width - 14, texts.value, colours.soft); return; }
    const used = this.text(c, colours.ink, texts.title, 14, y + 21, width - 26, "600 13px");
    const [colour, font] = texts.value ? [colours.ink, "12px"] : [colours.soft, "11px"];
    const below = this.text(c, colour, texts.value || texts.facts, 14, y + 40, width - 26, font);
    c.textAlign = "right";
    if (texts.right && width - 44 - used > 24) this.text(c, colours.soft, texts.right, width - 11, y + 21, width - 36 - used, "11px");
    if (texts.value && texts.facts) {
      const room = width - 34 - below, side = this.measure(c, texts.facts, "11px") < room ? texts.facts : texts.facts.split(" ")[0];
      if (this.measure(c, side, "11px") < room) this.text(c, colours.soft, side, width - 11, y + 40, room, "11px");
    }
    c.textAlign = "left";
    if (texts.pips) this.pips(c, colours.gradient, width - 12, y + 16, ...texts.pips);
    c.globalAlpha = 1;
  }

  port(item, right, back) {
    const b = this.box(item), { half, gap } = this.graph.size, second = back && this.graph.hasGradient(item);
    const part = item < this.graph.n ? (second ? half + gap + half / 2 : half / 2) * b.s : b.h * (back ? 0.72 : 0.28);
    return { x: b.x + (right ? b.w : 0), y: b.y + part, top: b.y, bottom: b.y + b.h, s: b.s };
  }

  paintEdges(c) {
    const { graph } = this, { step, gradients, colours, path } = this.shared, n = graph.n;
    const when = (item) => (item < n ? graph.step[item] : graph.g.low[item - n]);
    const whenBack = (item) => (item < n ? graph.back[item] : graph.g.backLow[item - n] || Infinity);
    c.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    const chosen = this.selectedItem();
    const batches = new Map();
    const put = (line, colour, marked, given, lit, dash) => {
      // Far readers of what is given are faint, and at a distance not there unless one of both is chosen.
      if (!line || (given && line.far && line.least < 0.3 && !marked)) return;
      const width = marked ? 2 : line.least < 0.15 ? 0.6 : line.least < 0.4 ? 1 : 1.4;
      const alpha = (given && line.far && !marked ? 0.3 : 1) * (lit ? 1 : 0.25), key = `${colour}|${width}|${alpha}|${dash}`;
      if (!batches.has(key)) batches.set(key, { colour, width, alpha, dash, path: new Path2D() });
      this.trace(batches.get(key).path, line);
    };
    const seen = new Set(), total = n + graph.g.count;
    for (let e = 0; e < this.a.length; e++) {
      if (this.drawnGroups[this.common[e]] !== this.paints) continue;
      let a = this.a[e], b = this.b[e];
      const A = this.outer[2 * e], B = this.outer[2 * e + 1];
      // What is too small to be seen inside a frame starts and ends at the frame, once for all such edges.
      if (a !== A && this.drawnGroups[this.up(a)] !== this.paints && this.tiny(this.up(a))) a = A;
      if (b !== B && this.drawnGroups[this.up(b)] !== this.paints && this.tiny(this.up(b))) b = B;
      if (a !== this.a[e] || b !== this.b[e]) {
        if (seen.has(a * total + b)) continue;
        seen.add(a * total + b);
      }
      const touched = chosen !== null && (a === chosen || b === chosen);
      const way = this.ways[e], given = (a < n && graph.step[a] === 0) || way === 3;
      if (way && (!gradients || (way === 2 && !touched))) continue;
      if (way) {
        put(this.line(a, b, A, B, way === 1), touched ? colours.gradient : colours.back, touched, given, step >= when(a), way === 2);
        continue;
      }
      const dash = !this.edgeFlows[e] && graph.mirrored && !(a < n && graph.kind[a] === CONSTANT);
      put(this.line(a, b, A, B, false), touched ? colours.focus : colours.flow, touched, given, step >= when(b) && step >= when(a), dash);
      if (!gradients || !graph.mirrored || !this.edgeFlows[e]) continue;
      put(this.line(b, a, B, A, true), touched ? colours.gradient : colours.back, touched, given, step >= whenBack(b), false);
    }
    for (const { colour, width, alpha, dash, path: p } of batches.values()) {
      c.strokeStyle = colour; c.lineWidth = width; c.globalAlpha = alpha;
      c.setLineDash(dash ? [4, 4] : []);
      c.stroke(p);
    }
    c.setLineDash([]);
    c.globalAlpha = 1;
    if (path) {
      c.strokeStyle = colours.mark; c.lineWidth = 3;
      for (const e of path.edges) {
        const a = this.seen[graph.source[e]], b = this.seen[graph.target[e]], line = a !== b && this.line(a, b, ...this.siblings(a, b), false);
        if (line) { const p = new Path2D(); this.trace(p, line); c.stroke(p); }
      }
    }
  }

  /** Whether a group is drawn as a closed box although it is open. */
  tiny(group) { return this.graph.g.w[group] * this.graph.g.ws[group] * this.zoom <= 26; }

  /** The way of an edge on the screen, or null where it is out of sight or too small to see: straight out of the frames
   *  around a (out is the outermost) and into those around b; between them a curve, or around what stands between. */
  line(a, b, out, into, back) {
    const from = this.port(a, !back, back), to = this.port(b, back, back), z = this.zoom, { size } = this.graph;
    const x1 = from.x * z + this.dx, y1 = from.y * z + this.dy, x2 = to.x * z + this.dx, y2 = to.y * z + this.dy;
    if (out === a && into === b && from.x - to.x === (back ? -1 : 1) * this.box(a).w) {  // one stands below the other
      const s = from.s * z, x = x1 - (back ? 0 : size.width * s), go = x - 11 * s;
      return { s, least: s, far: false, points: [x, y1, go, y1, go, y2, x, y2] };
    }
    const outer = out === a ? from : this.port(out, !back, back), inner = into === b ? to : this.port(into, back, back);
    const s = Math.min(outer.s, inner.s) * z;
    const room = 40 * s + 4;
    if (Math.max(x1, x2) + room < this.left || Math.min(x1, x2) - room > this.right) return null;
    if (Math.max(y1, y2, outer.bottom * z + this.dy) + room < this.top || Math.min(y1, y2, inner.top * z + this.dy) - room > this.bottom) return null;
    if (s < 0.02 && Math.abs(x1 - x2) + Math.abs(y1 - y2) < 3) return null;
    const least = Math.min(from.s, to.s) * z, far = Math.abs(x2 - x1) > 3 * (size.width + size.across) * least;
    if (s < 0.05) return { s, least, far, points: [x1, y1, x2, y2] };
    const away = back ? -1 : 1, leave = outer.x * z + this.dx, enter = inner.x * z + this.dx, across = (enter - leave) * away;
    if (across > 0 && across <= 2.2 * size.across * s) return { s, least, far, curve: [x1, y1, leave, enter, x2, y2] };
    let lane;
    if (across < 0) lane = Math.max(outer.top, inner.top) * z + this.dy + (-size.down / 2 + (back ? 4 : -4)) * s;
    else lane = back ? outer.bottom * z + this.dy + size.down / 2 * s : inner.top * z + this.dy - size.down / 2 * s;
    const go = leave + away * size.across * 0.35 * s, come = enter - away * size.across * 0.35 * s;
    return { s, least, far: far || across < 0, points: [x1, y1, go, y1, go, lane, come, lane, come, y2, x2, y2] };
  }

  trace(path, line) {
    if (line.curve) {
      const [x1, y1, leave, enter, x2, y2] = line.curve, bend = (enter - leave) / 2;
      path.moveTo(x1, y1);
      if (leave !== x1) path.lineTo(leave, y1);
      path.bezierCurveTo(leave + bend, y1, enter - bend, y2, enter, y2);
      if (enter !== x2) path.lineTo(x2, y2);
      return;
    }
    const p = line.points;
    path.moveTo(p[0], p[1]);
    for (let k = 2; k < p.length - 2; k += 2) {
      const r = Math.min(9 * line.s, (Math.abs(p[k] - p[k - 2]) + Math.abs(p[k + 1] - p[k - 1])) / 2,
        (Math.abs(p[k + 2] - p[k]) + Math.abs(p[k + 3] - p[k + 1])) / 2);
      if (r < 0.6) path.lineTo(p[k], p[k + 1]);
      else path.arcTo(p[k], p[k + 1], p[k + 2], p[k + 3], r);
    }
    path.lineTo(p[p.length - 2], p[p.length - 1]);
  }

  selectedItem() {
    const s = this.selected;
    return s === null ? null : s.cell !== undefined ? this.seen[s.cell] : this.graph.n + s.group;
  }

  ring(c, item, colour, width, part = "") {
    const b = this.box(item), { half, gap } = this.graph.size, z = this.zoom;
    if (part && item < this.graph.n) {
      if (part === "back") b.y += (half + gap) * b.s;
      b.h = half * b.s;
    }
    const x = b.x * z + this.dx, y = b.y * z + this.dy;
    c.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    this.plate(c, x - 3, y - 3, b.w * z + 6, b.h * z + 6, Math.min(7 * b.s * z, 10) + 3, null, colour, width);
  }

  paintMarks(c) {
    const { step, colours, found, path } = this.shared, { graph } = this;
    if (found) for (const item of new Set(found.slice(0, 4000).map((i) => this.seen[i]))) this.ring(c, item, colours.focus, 1.5);
    if (path) for (const i of path.cells) this.ring(c, this.seen[i], colours.mark, 2);
    const item = this.selectedItem();
    if (item !== null) this.ring(c, item, colours.focus, 2.5);
    const now = step < graph.steps ? graph.running(step) : null;
    if (now) this.ring(c, this.seen[now.cell], colours.mark, 2.5, now.back ? "back" : "front");
  }

  /** Outlines of what an optimiser fused. */
  paintFused(c) {
    const { colours } = this.shared;
    c.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    for (const { name, cells } of this.graph.fused) {
      const items = new Set(cells.map((i) => this.seen[i])), boxes = [...items].map((k) => this.box(k)), all = around(boxes);
      // One frame around them where it holds nothing else; else one around each.
      const inside = (b) => b.x < all.x + all.w && b.x + b.w > all.x && b.y < all.y + all.h && b.y + b.h > all.y;
      const mixed = [...this.cellBoxes, ...this.closedBoxes.map((k) => this.graph.n + k)].some((k) => !items.has(k) && inside(this.box(k)));
      c.setLineDash([6, 4]);
      for (const { x, y, w, h } of mixed ? boxes : [all]) {
        const z = this.zoom, pad = (mixed ? 2 : 9) * boxes[0].s * z;
        this.plate(c, x * z + this.dx - pad, y * z + this.dy - pad, w * z + 2 * pad, h * z + 2 * pad, pad, null, colours.state, 1.5);
      }
      c.setLineDash([]);
      if (boxes[0].s * this.zoom > 0.4 && !mixed) this.text(c, colours.state, name, all.x * this.zoom + this.dx, all.y * this.zoom + this.dy - 12, 400, "600 11px");
    }
  }
}
