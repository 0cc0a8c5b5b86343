// One graph on one canvas: camera, boxes, edges, what is open, what lies under the pointer.
"use strict";

const ease = (t) => 1 - (1 - t) ** 3;

class View {
  constructor(graph, canvas, shared) {
    this.graph = graph;
    this.canvas = canvas;
    this.shared = shared;  // step, gradients, selected, found, path, colours: what all views have in common
    this.context = canvas.getContext("2d", { alpha: false });
    this.open = new Uint8Array(graph.g.open);
    this.zoom = 1; this.dx = 0; this.dy = 0;
    this.selected = null;  // {cell} or {group}
    this.frame = 0;
    this.shortened = new Map();
    this.listEdges();
  }

  // ---- what is open --------------------------------------------------------------------------------------------

  /** The edges between what is seen: of each pair one, from representatives to representatives. */
  listEdges() {
    const { graph } = this, g = graph.g, n = graph.n;
    const closed = this.closedAbove = new Int32Array(g.count).fill(-1);
    for (let k = 1; k < g.count; k++) closed[k] = closed[g.parent[k]] >= 0 ? closed[g.parent[k]] : this.open[k] ? -1 : k;
    const seen = this.seen = new Int32Array(n);
    for (let i = 0; i < n; i++) seen[i] = closed[graph.parent[i]] >= 0 ? n + closed[graph.parent[i]] : i;
    const a = [], b = [], flows = [], known = new Set(), total = n + g.count;
    this.pair = new Map();
    for (let e = 0; e < graph.edges; e++) {
      const s = seen[graph.source[e]], t = seen[graph.target[e]];
      if (s === t) continue;
      const key = s * total + t;
      if (known.has(key)) { if (graph.flows[e]) flows[this.pair.get(key)] = 1; continue; }
      known.add(key);
      this.pair.set(key, a.length);
      a.push(s); b.push(t); flows.push(graph.flows[e]);
    }
    this.a = Int32Array.from(a); this.b = Int32Array.from(b); this.edgeFlows = flows;
    this.draw();
  }

  toggle(group, on = !this.open[group]) {
    if (!group || this.open[group] === +on) return;
    this.open[group] = +on;
    this.listEdges();
  }

  openAll() {
    this.open.fill(1);
    this.listEdges();
  }

  /** Opens what hides a cell and brings it into sight. */
  reveal(cell) {
    let changed = false;
    for (let k = this.graph.parent[cell]; k; k = this.graph.g.parent[k]) {
      changed ||= !this.open[k];
      this.open[k] = 1;
    }
    if (changed) this.listEdges();
    this.show(this.box(cell), 0.75);
  }

  openGroup(group) {
    for (let k = this.graph.g.parent[group]; k; k = this.graph.g.parent[k]) this.open[k] = 1;
    this.open[group] = 1;
    this.listEdges();
    const scale = this.graph.g.is[group] * this.zoom;
    if (scale < 0.45) this.show(this.box(this.graph.n + group), 0, true);
  }

  // ---- camera --------------------------------------------------------------------------------------------------

  resize() {
    const ratio = window.devicePixelRatio || 1, r = this.canvas.getBoundingClientRect();
    this.width = r.width; this.height = r.height;
    this.canvas.width = Math.max(1, Math.round(r.width * ratio));
    this.canvas.height = Math.max(1, Math.round(r.height * ratio));
    this.ratio = ratio;
    this.draw();
  }

  /** The box of an item (cells, then groups) in world coordinates. */
  box(item) {
    const { graph } = this, { width, half, gap } = graph.size, n = graph.n;
    if (item < n) {
      const s = graph.g.is[graph.parent[item]];
      const h = graph.hasGradient(item) ? 2 * half + gap : half;
      return { x: graph.wx[item], y: graph.wy[item], w: width * s, h: h * s, s };
    }
    const g = graph.g, k = item - n;
    return { x: g.wx[k], y: g.wy[k], w: g.w[k] * g.ws[k], h: g.h[k] * g.ws[k], s: g.ws[k] };
  }

  fit(animate = true) {
    const [w, h] = this.graph.inside;
    this.show({ x: 0, y: 0, w, h, s: 1 }, 0, true, animate);
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
    const dx = this.width / 2 - (box.x + box.w / 2) * zoom;
    const dy = this.height / 2 - (box.y + box.h / 2) * zoom;
    this.fly(zoom, dx, dy, animate);
  }

  fly(zoom, dx, dy, animate) {
    cancelAnimationFrame(this.flight);
    if (!animate || matchMedia("(prefers-reduced-motion: reduce)").matches) {
      Object.assign(this, { zoom, dx, dy });
      this.draw();
      return;
    }
    const from = { zoom: this.zoom, x: (this.width / 2 - this.dx) / this.zoom, y: (this.height / 2 - this.dy) / this.zoom };
    const to = { x: (this.width / 2 - dx) / zoom, y: (this.height / 2 - dy) / zoom };
    const begin = performance.now();
    const move = (now) => {
      const t = Math.min(1, (now - begin) / 260), k = ease(t);
      this.zoom = from.zoom * (zoom / from.zoom) ** k;
      // The point in the middle moves in step with the zoom, so that a flight in does not swing.
      const part = zoom === from.zoom ? k : (1 / this.zoom - 1 / from.zoom) / (1 / zoom - 1 / from.zoom);
      this.dx = this.width / 2 - (from.x + (to.x - from.x) * part) * this.zoom;
      this.dy = this.height / 2 - (from.y + (to.y - from.y) * part) * this.zoom;
      this.draw();
      if (t < 1) this.flight = requestAnimationFrame(move);
    };
    this.flight = requestAnimationFrame(move);
  }

  zoomAt(x, y, factor) {
    cancelAnimationFrame(this.flight);
    const zoom = Math.min(4e4, Math.max(0.004, this.zoom * factor));
    this.dx = x - (x - this.dx) * (zoom / this.zoom);
    this.dy = y - (y - this.dy) * (zoom / this.zoom);
    this.zoom = zoom;
    this.draw();
  }

  pan(dx, dy) {
    cancelAnimationFrame(this.flight);
    this.dx += dx; this.dy += dy;
    this.draw();
  }

  /** What lies at a point: {cell, gradient}, {group, button}, or null. */
  at(x, y) {
    const { graph } = this, g = graph.g, wx = (x - this.dx) / this.zoom, wy = (y - this.dy) / this.zoom;
    const within = (b) => wx >= b.x && wx <= b.x + b.w && wy >= b.y && wy <= b.y + b.h;
    let inside = 0;
    for (;;) {
      for (const i of graph.inGroup.from(inside)) {
        const b = this.box(i);
        if (within(b)) return { cell: i, gradient: (wy - b.y) / b.s > graph.size.half + graph.size.gap / 2 };
      }
      const next = graph.groupsIn.from(inside).find((k) => within(this.box(graph.n + k)));
      if (next === undefined) return inside ? { group: inside } : null;
      const b = this.box(graph.n + next);
      const button = (b.x + b.w - wx) / b.s < 32 && (wy - b.y) / b.s < 32;
      if (button || !this.open[next]) return { group: next, button };
      inside = next;
    }
  }

  // ---- drawing -------------------------------------------------------------------------------------------------

  draw() {
    if (!this.frame) this.frame = requestAnimationFrame(() => { this.frame = 0; this.paint(); });
  }

  paint() {
    if (!this.width) return;
    const c = this.context, { colours } = this.shared;
    const started = performance.now();
    this.font = "";
    c.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    c.fillStyle = colours.paper;
    c.fillRect(0, 0, this.width, this.height);
    this.frames = []; this.closedBoxes = []; this.cellBoxes = [];
    this.collect(0);
    for (const k of this.frames) this.paintFrame(c, k);
    this.paintEdges(c);
    this.paintFused(c);
    this.paintCells(c);
    for (const k of this.closedBoxes) this.paintClosed(c, k);
    this.paintMarks(c);
    this.drawn = performance.now() - started;
    this.paints = (this.paints || 0) + 1;
  }

  onScreen(b) {
    const x = b.x * this.zoom + this.dx, y = b.y * this.zoom + this.dy;
    return x < this.width && y < this.height && x + b.w * this.zoom > 0 && y + b.h * this.zoom > 0;
  }

  /** What is in sight, group by group. */
  collect(group) {
    const { graph } = this, g = graph.g;
    const s = g.is[group] * this.zoom, { width, half, gap } = graph.size;
    const w = width * s, h = (2 * half + gap) * s;
    const ox = this.dx + g.ix[group] * this.zoom, oy = this.dy + g.iy[group] * this.zoom;
    for (const i of graph.inGroup.from(group)) {
      const x = ox + graph.x[i] * s, y = oy + graph.y[i] * s;
      if (x < this.width && y < this.height && x + w > 0 && y + h > 0) this.cellBoxes.push(i);
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

  /** From here on one unit is `scale` of a cell's units, at the origin of a box. */
  into(c, b) {
    const k = this.zoom * b.s * this.ratio;
    c.setTransform(k, 0, 0, k, (b.x * this.zoom + this.dx) * this.ratio, (b.y * this.zoom + this.dy) * this.ratio);
  }

  paintFrame(c, k) {
    const { colours } = this.shared, g = this.graph.g, b = this.box(this.graph.n + k), px = b.s * this.zoom;
    this.into(c, b);
    const inner = g.scale[k];  // a frame inside a closed box has a small head
    c.fillStyle = colours.frame;
    c.strokeStyle = colours.faint;
    c.lineWidth = Math.max(1, 1 / px) * (inner < 1 ? 0.8 : 1);
    rounded(c, 0, 0, g.w[k], g.h[k], 10);
    c.fill(); c.stroke();
    c.fillStyle = colours.soft;
    if (px < 0.62) this.small(c, b, this.graph.groupTitle(k), 12, inner < 1 ? 13 : 19, g.w[k] - 40);
    else {
      this.text(c, this.graph.groupTitle(k), 14, inner < 1 ? 17 : 23, g.w[k] - 52, "600 12px");
      c.strokeStyle = colours.soft;
      c.lineWidth = 1.5;
      c.beginPath(); c.moveTo(g.w[k] - 23, inner < 1 ? 13 : 19); c.lineTo(g.w[k] - 13, inner < 1 ? 13 : 19); c.stroke();
    }
  }

  paintClosed(c, k) {
    const { colours, step } = this.shared, { graph } = this, g = graph.g, b = this.box(graph.n + k), px = b.s * this.zoom;
    const w = g.w[k], h = g.h[k];
    this.into(c, b);
    c.globalAlpha = step >= g.low[k] ? 1 : 0.4;
    c.fillStyle = colours.card;
    c.strokeStyle = colours.faint;
    c.lineWidth = Math.max(1.2, 0.8 / px);
    if (px > 0.12) for (const d of [8, 4]) { rounded(c, d, d, w, h, 8); c.fill(); c.stroke(); }
    rounded(c, 0, 0, w, h, 8); c.fill(); c.stroke();
    c.fillStyle = colours.ink;
    if (px < 0.62) this.small(c, b, graph.groupTitle(k), 8, h * 0.36, w - 14);
    else {
      this.text(c, graph.groupTitle(k), 14, 25, w - 52, "600 13px");
      c.fillStyle = colours.soft;
      this.text(c, `${g.size[k].toLocaleString("en")} nodes`, 14, 45, w - 28, "11px");
      c.strokeStyle = colours.soft; c.lineWidth = 1.5;
      c.beginPath(); c.moveTo(w - 23, 20); c.lineTo(w - 13, 20); c.moveTo(w - 18, 15); c.lineTo(w - 18, 25); c.stroke();
    }
    if (px > 0.16) {
      this.progress(c, 14, h - 26, w - 28, g.low[k], g.high[k], colours.operation);
      if (g.backHigh[k]) this.progress(c, 14, h - 16, w - 28, g.backLow[k], g.backHigh[k], colours.gradient);
    }
    c.globalAlpha = 1;
  }

  progress(c, x, y, w, low, high, colour) {
    const part = Math.max(0, Math.min(1, (this.shared.step - low + 1) / (high - low + 1)));
    c.fillStyle = this.shared.colours.faint; c.fillRect(x, y, w, 3);
    c.fillStyle = colour; c.fillRect(x, y, w * part, 3);
  }

  paintCells(c) {
    const { graph } = this, { colours, step, gradients } = this.shared, { width, half, gap } = graph.size;
    let small = null;
    for (const i of this.cellBoxes) {
      const b = this.box(i), px = b.s * this.zoom, two = gradients && graph.hasGradient(i);
      if (px < 0.16) {  // a dot of colour
        if (small !== true) c.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
        small = true;
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
      small = false;
      this.into(c, b);
      const named = graph.names.has(i), op = graph.ops[graph.op[i]];
      const value = step >= graph.step[i] ? graph.values.short(i) : "";
      this.card(c, b, px, 0, step >= graph.step[i], this.kindColour(i), colours.card, {
        title: graph.title_(i), value, facts: graph.facts(i), strong: graph.outputs.has(i),
        right: graph.kind[i] === OPERATION ? (named ? op : graph.attrTexts[graph.attrs[i]]) : "",
      });
      if (two) {
        const [now, all] = px > 0.35 ? graph.arrived(i, step) : [0, 0], lit = step >= graph.back[i];
        this.card(c, b, px, half + gap, lit || now > 0, colours.gradient, colours["gradient-card"], {
          title: graph.gradientTitle(i), value: lit ? graph.gradients.short(i) : now ? `${now} of ${all} arrived` : "",
          facts: graph.ops[graph.backOp[i]], right: "", pips: all > 1 ? [now, all] : null,
        });
      }
    }
    c.globalAlpha = 1;
  }

  kindColour(i) { return this.shared.colours[this.graph.kinds[this.graph.kind[i]]]; }

  card(c, b, px, y, lit, accent, fill, texts) {
    const { width, half } = this.graph.size, { colours } = this.shared;
    c.globalAlpha = lit ? 1 : 0.38;
    c.fillStyle = fill;
    c.strokeStyle = texts.strong ? colours.ink : colours.faint;
    c.lineWidth = Math.max(texts.strong ? 1.6 : 1.1, 0.7 / px);
    rounded(c, 0, y, width, half, 7);
    c.fill(); c.stroke();
    c.fillStyle = accent;
    c.fillRect(0, y + 7, 3.5, half - 14);
    c.fillStyle = colours.ink;
    if (px < 0.62) { this.small(c, b, texts.title, 8, y + half / 2, width - 14); return; }
    const used = this.text(c, texts.title, 14, y + 21, width - 26, "600 13px");
    c.fillStyle = texts.value ? colours.ink : colours.soft;
    const below = this.text(c, texts.value || texts.facts, 14, y + 40, width - 26, texts.value ? "12px" : "11px");
    c.fillStyle = colours.soft;
    c.textAlign = "right";
    if (texts.right && width - 44 - used > 24) this.text(c, texts.right, width - 11, y + 21, width - 36 - used, "11px");
    if (texts.value && texts.facts) {
      const room = width - 34 - below, short = texts.facts.split(" ")[0];
      const side = this.width_(c, texts.facts, "11px") < room ? texts.facts : short;
      if (this.width_(c, side, "11px") < room) this.text(c, side, width - 11, y + 40, room, "11px");
    }
    c.textAlign = "left";
    if (texts.pips) this.pips(c, width - 12, y + 16, ...texts.pips);
    c.globalAlpha = 1;
  }

  /** A title that stays legible where its box is small: as large as the box lets it, in the middle of a line at y. */
  small(c, b, title, x, y, room) {
    const px = b.s * this.zoom;
    if (room * px > 22) {
      const size = 20 * px > 9 ? 10 : 9;
      c.setTransform(this.ratio, 0, 0, this.ratio, (b.x * this.zoom + this.dx) * this.ratio, (b.y * this.zoom + this.dy) * this.ratio);
      if (title.length * 5.6 > room * px) title = title.replace("iterations ", "");
      this.text(c, title, x * px, y * px + size * 0.36, room * px, `600 ${size}px`);
      this.into(c, b);
    }
    c.globalAlpha = 1;
  }

  /** A gradient that several paths add to: one dot for each, filled when it has arrived. */
  pips(c, x, y, now, all) {
    const { colours } = this.shared;
    if (all > 6) {
      c.fillStyle = colours.gradient; c.textAlign = "right";
      this.text(c, `Σ ${now}/${all}`, x + 1, y + 5, 90, "600 11px");
      c.textAlign = "left";
      return;
    }
    for (let k = 0; k < all; k++) {
      c.beginPath();
      c.arc(x - (all - 1 - k) * 10, y, 3.2, 0, 7);
      c.strokeStyle = c.fillStyle = colours.gradient; c.lineWidth = 1.2;
      c.stroke();
      if (k < now) c.fill();
    }
  }

  setFont(c, font) {
    if (this.font === font) return;
    this.font = font;
    c.font = `${font} ${this.shared.font}`;
  }

  width_(c, text, font) {
    const key = font + text;
    let w = this.shortened.get(key);
    if (w === undefined) {
      this.setFont(c, font);
      w = c.measureText(text).width;
      if (this.shortened.size > 20000) this.shortened.clear();
      this.shortened.set(key, w);
    }
    return w;
  }

  /** Writes a text, shortened to `room`; returns its width. */
  text(c, text, x, y, room, font) {
    let w = this.width_(c, text, font);
    if (w > room) {
      let keep = Math.max(1, Math.floor(text.length * room / w) - 1);
      while (keep > 1 && this.width_(c, `${text.slice(0, keep)}…`, font) > room) keep--;
      text = `${text.slice(0, keep)}…`;
      w = this.width_(c, text, font);
    }
    this.setFont(c, font);
    c.fillText(text, x, y);
    return w;
  }

  // ---- edges ---------------------------------------------------------------------------------------------------

  port(item, right, back) {
    const b = this.box(item), { half, gap, height } = this.graph.size;
    const part = item < this.graph.n ? (back ? half + gap + half / 2 : half / 2) * b.s : b.h * (back ? 0.72 : 0.28);
    const bottom = b.y + (item < this.graph.n ? height * b.s : b.h);
    return { x: b.x + (right ? b.w : 0), y: b.y + part, top: b.y, bottom, s: b.s };
  }

  paintEdges(c) {
    const { graph } = this, { step, gradients, colours, path } = this.shared, n = graph.n;
    const when = (item) => (item < n ? graph.step[item] : graph.g.low[item - n]);
    const whenBack = (item) => (item < n ? graph.back[item] : graph.g.backLow[item - n] || Infinity);
    c.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    const chosen = this.selectedItem();
    const batches = new Map();
    const put = (style, width, alpha, dash, line) => {
      const key = `${style}|${width}|${alpha}|${dash}`;
      if (!batches.has(key)) batches.set(key, { style, width, alpha, dash, path: new Path2D() });
      this.trace(batches.get(key).path, line);
    };
    for (let e = 0; e < this.a.length; e++) {
      const a = this.a[e], b = this.b[e];
      const touched = chosen !== null && (a === chosen || b === chosen);
      const far = a < n && graph.step[a] === 0;
      const line = this.line(a, b, false);
      if (line) {
        const lit = step >= when(b) && step >= when(a);
        const dash = this.edgeFlows[e] || !graph.mirrored || (a < n && graph.kind[a] === 2) ? "" : "4 4";
        put(touched ? colours.focus : colours.flow, touched ? 2 : 1.4, (far && line.far && !touched ? 0.3 : 1) * (lit ? 1 : 0.3), dash, line);
      }
      if (!gradients || !graph.mirrored || !this.edgeFlows[e]) continue;
      const backLine = this.line(b, a, true);
      if (backLine) {
        const lit = step >= whenBack(b);
        put(touched ? colours.gradient : colours.back, touched ? 2 : 1.3, (far && backLine.far && !touched ? 0.3 : 1) * (lit ? 1 : 0.2), "", backLine);
      }
    }
    for (const { style, width, alpha, dash, path: p } of batches.values()) {
      c.strokeStyle = style; c.lineWidth = width; c.globalAlpha = alpha;
      c.setLineDash(dash ? [4, 4] : []);
      c.stroke(p);
    }
    c.setLineDash([]);
    c.globalAlpha = 1;
    if (path) {
      c.strokeStyle = colours.mark; c.lineWidth = 3;
      for (const e of path.edges) {
        const a = this.seen[graph.source[e]], b = this.seen[graph.target[e]], line = a !== b && this.line(a, b, false);
        if (line) { const p = new Path2D(); this.trace(p, line); c.stroke(p); }
      }
    }
  }

  /** The way of an edge on the screen, or null where it is out of sight or too small to see. */
  line(a, b, back) {
    const from = this.port(a, !back, back), to = this.port(b, back, back), z = this.zoom;
    const s = Math.min(from.s, to.s) * z;
    const x1 = from.x * z + this.dx, y1 = from.y * z + this.dy, x2 = to.x * z + this.dx, y2 = to.y * z + this.dy;
    if (Math.max(x1, x2) < -60 || Math.min(x1, x2) > this.width + 60) return null;
    if (Math.max(y1, y2) < -200 * s || Math.min(y1, y2) > this.height + 200 * s) return null;
    if (s < 0.02 && Math.abs(x1 - x2) + Math.abs(y1 - y2) < 3) return null;
    const away = back ? -1 : 1, across = (x2 - x1) * away, { across: gap, down } = this.graph.size;
    if (s < 0.05) return { points: [x1, y1, x2, y2] };
    if (across > 0 && across <= 2.2 * gap * s) return { curve: [x1, y1, x2, y2] };
    let lane;
    if (across < 0) lane = Math.max(from.top, to.top) * z + this.dy + (-down / 2 + (back ? 4 : -4)) * s;
    else lane = back ? from.bottom * z + this.dy + down / 2 * s : to.top * z + this.dy - down / 2 * s;
    const out = x1 + away * gap * 0.35 * s, into = x2 - away * gap * 0.35 * s;
    const far = across < 0 || across > 3 * (this.graph.size.width + gap) * s;
    return { points: [x1, y1, out, y1, out, lane, into, lane, into, y2, x2, y2], radius: 9 * s, far };
  }

  trace(path, line) {
    if (line.curve) {
      const [x1, y1, x2, y2] = line.curve, bend = (x2 - x1) / 2;
      path.moveTo(x1, y1);
      path.bezierCurveTo(x1 + bend, y1, x2 - bend, y2, x2, y2);
      return;
    }
    const p = line.points;
    path.moveTo(p[0], p[1]);
    for (let k = 2; k < p.length - 2; k += 2) {
      const r = Math.min(line.radius, (Math.abs(p[k] - p[k - 2]) + Math.abs(p[k + 1] - p[k - 1])) / 2,
        (Math.abs(p[k + 2] - p[k]) + Math.abs(p[k + 3] - p[k + 1])) / 2);
      if (r < 0.6) path.lineTo(p[k], p[k + 1]);
      else path.arcTo(p[k], p[k + 1], p[k + 2], p[k + 3], r);
    }
    path.lineTo(p[p.length - 2], p[p.length - 1]);
  }

  // ---- marks ---------------------------------------------------------------------------------------------------

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
    c.strokeStyle = colour; c.lineWidth = width;
    rounded(c, x - 3, y - 3, b.w * z + 6, b.h * z + 6, 7 * b.s * z + 3);
    c.stroke();
  }

  paintMarks(c) {
    const { step, colours, found, path } = this.shared, { graph } = this;
    if (found) for (const item of new Set(found.slice(0, 4000).map((i) => this.seen[i]))) this.ring(c, item, colours.focus, 1.5);
    if (path) for (const i of path.cells) this.ring(c, this.seen[i], colours.mark, 2);
    const item = this.selectedItem();
    if (item !== null) this.ring(c, item, colours.focus, 2.5);
    const now = step > 0 && step < graph.steps ? graph.order[step] : 2147483647;
    if (now !== 2147483647) {
      const cell = now < 0 ? ~now : now;
      this.ring(c, this.seen[cell], colours.mark, 2.5, now < 0 ? "back" : "front");
    }
  }

  /** Outlines of what an optimiser fused. */
  paintFused(c) {
    const { colours } = this.shared;
    c.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    for (const { name, cells } of this.graph.fused) {
      const boxes = cells.map((i) => this.box(this.seen[i]));
      const x = Math.min(...boxes.map((b) => b.x)), y = Math.min(...boxes.map((b) => b.y));
      const right = Math.max(...boxes.map((b) => b.x + b.w)), bottom = Math.max(...boxes.map((b) => b.y + b.h));
      const z = this.zoom, pad = 9 * boxes[0].s * z;
      c.strokeStyle = colours.state; c.lineWidth = 1.5; c.setLineDash([6, 4]);
      rounded(c, x * z + this.dx - pad, y * z + this.dy - pad, (right - x) * z + 2 * pad, (bottom - y) * z + 2 * pad, pad);
      c.stroke();
      c.setLineDash([]);
      if (boxes[0].s * z > 0.4) {
        c.fillStyle = colours.state;
        this.text(c, name, x * z + this.dx, y * z + this.dy - pad - 4, 400, "600 11px");
      }
    }
  }
}

function rounded(c, x, y, w, h, r) {
  c.beginPath();
  c.roundRect(x, y, w, h, Math.min(r, w / 2, h / 2));
}
