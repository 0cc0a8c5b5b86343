// The page: pointer, keys, stepping, search, what is chosen, colours.

const find = (id) => document.getElementById(id);

class Page {
  constructor(data) {
    this.shared = { step: 0, gradients: true, found: null, path: null, colours: {}, font: getComputedStyle(document.body).fontFamily };
    this.views = [];
    this.addView(new Graph(data), data.after ? "captured" : "");
    if (data.after) this.addView(new Graph(data.after), "optimised");
    this.view = this.views[0];
    this.list = new NodeList(this, find("list"));
    this.shared.step = this.view.graph.steps;
    this.readColours();
    this.wire();
    this.setStep(this.view.graph.steps, false);
    this.choose(null);
    if (data.after) {
      find("tab-passes").hidden = false;
      find("passes").replaceChildren(...passDetails(this, this.views[0].graph, this.views[1].graph));
      this.tab("passes");
    }
    this.arrange();
    for (const view of this.views) { view.resize(); view.begin(); }
  }

  /** Two pictures stand side by side or one above the other, whichever shows them larger. */
  arrange() {
    const { width, height } = find("stage").getBoundingClientRect();
    const zoom = (w, h) => Math.min(...this.views.map(({ graph }) => Math.min(w / graph.inside[0], h / graph.inside[1])));
    find("stage").classList.toggle("stacked", this.views.length > 1 && zoom(width, height / 2) > zoom(width / 2, height));
  }

  addView(graph, caption) {
    const canvas = make("canvas", { tabindex: 0, role: "application", "aria-roledescription": "graph", "aria-describedby": "live" });
    canvas.setAttribute("aria-label", `Graph of ${graph.title}${caption && `, ${caption}`}. Arrow keys walk along edges, Enter opens a group. The same nodes are in the list beside it.`);
    find("stage").append(make("figure", {}, canvas, caption ? make("figcaption", {}, caption) : null));
    const view = new View(graph, canvas, this.shared);
    this.views.push(view);
    this.wirePointer(view);
    canvas.addEventListener("focus", () => { this.view = view; });
  }

  counts() { return `${this.view.graph.n.toLocaleString("en")} nodes${this.view.graph.mirrored ? ", each with its gradient below it" : ""}`; }
  draw() { for (const view of this.views) view.draw(); }
  say(text) { find("live").textContent = text; }

  readColours() {
    const style = getComputedStyle(document.documentElement);
    for (const name of ["paper", "ink", "soft", "faint", "frame", "card", "operation", "input", "parameter", "constant", "state", "gradient",
      "gradient-card", "flow", "back", "mark", "focus"]) this.shared.colours[name] = style.getPropertyValue(`--${name}`).trim();
    this.draw();
    this.drawMemory();
  }

  choose(what, look = false) {
    const { view } = this, { graph } = view;
    if (this.pathStart !== undefined && what && what.cell !== undefined) return this.pathTo(what.cell);
    view.selected = what;
    this.shared.path = null;
    let details = null;
    if (what && what.cell !== undefined) {
      if (look) view.reveal(what.cell);
      details = cellDetails(this, what.cell);
      const i = what.cell;
      this.say([graph.title_(i), graph.ops[graph.op[i]], graph.facts(i), graph.values.short(i) && `value ${graph.values.short(i)}`,
        graph.gradients.short(i) && `gradient ${graph.gradients.short(i)}`].filter(Boolean).join(", "));
    } else if (what) {
      if (look) view.show(view.box(graph.n + what.group), 0, true);
      details = groupDetails(this, what.group);
      this.say(`${graph.groupTitle(what.group)}, group of ${graph.g.size[what.group]} nodes, ${view.open[what.group] ? "open" : "closed"}`);
    } else details = graphDetails(this);
    find("node").replaceChildren(...details);
    if (what) this.tab("node");
    this.draw();
    return undefined;
  }

  answer(text) {
    document.querySelectorAll(".answer").forEach((old) => old.remove());
    find("node").querySelector(".acts").after(make("p", { class: "note answer", id: "answer" }, text));
    this.say(text);
    this.draw();
  }

  pathFrom(i) { this.pathStart = i; this.answer("Choose the other node: in the picture, in the list, or by a search."); }

  pathTo(j) {
    const { graph } = this.view, i = this.pathStart;
    this.pathStart = undefined;
    const path = graph.path(i, (k) => k === j) || graph.path(j, (k) => k === i);
    this.choose({ cell: j });
    this.shared.path = path;
    this.answer(path ? `${path.cells.length} nodes: ${path.cells.map((k) => graph.title_(k)).join(" → ")}`
      : `No path leads from ${graph.title_(i)} to ${graph.title_(j)} or back.`);
    if (path) this.showCells(path.cells);
  }

  why(i) {
    const { graph } = this.view, found = graph.why(i), there = "A path of gradients leads to it. ";
    this.shared.path = found && found.path;
    this.answer(found ? found.text : graph.gradients.has(i) ? "A gradient has reached it; see below." : !graph.mirrored ? there
      : `${there}Its gradient was not recorded, or no backward pass has run.`);
    if (found) this.showCells(found.path.cells);
  }

  /** Opens what hides some cells and shows them all. */
  showCells(cells) {
    const { view } = this;
    view.openAround(cells.slice(0, 400).map((i) => view.graph.parent[i]));
    const boxes = cells.map((i) => view.box(i));
    view.show({ ...around(boxes), s: Math.max(...boxes.map((b) => b.s)) }, 0, true);
  }

  mark(view, cells) {
    this.view = view;
    this.shared.path = { cells, edges: [] };
    this.showCells(cells);
  }

  tab(name) {
    for (const tab of document.querySelectorAll("[role=tab]")) {
      const on = tab.id === `tab-${name}`;
      tab.setAttribute("aria-selected", String(on));
      tab.tabIndex = on ? 0 : -1;
      find(tab.getAttribute("aria-controls")).hidden = !on;
    }
    if (name === "list") this.list.fill();
  }

  search(text) {
    const { graph } = this.view;
    this.shared.found = text.trim() ? graph.search(text) : null;
    this.foundAt = -1;
    find("hits").textContent = this.shared.found ? `${this.shared.found.length} found` : "";
    if (this.shared.found) { this.list.shown = 200; this.tab("list"); } else if (!find("list").hidden) this.list.fill();
    this.draw();
  }

  nextFound() {
    const { found } = this.shared;
    if (!found || !found.length) return;
    this.foundAt = (this.foundAt + 1) % found.length;
    find("hits").textContent = `${this.foundAt + 1} of ${found.length}`;
    this.choose({ cell: found[this.foundAt] }, true);
  }

  setStep(step, follow = true) {
    const { graph } = this.view;
    step = Math.max(0, Math.min(graph.steps, step));
    this.shared.step = step;
    const now = graph.running(step), text = this.stepText(step, now), slider = find("slider");
    Object.assign(slider, { max: graph.steps, value: step, ariaValueText: text });
    find("step").textContent = text;
    if (follow && now && step < graph.steps) this.view.show(this.view.box(this.view.seen[now.cell]), 0.05);
    this.draw();
    this.drawMemory();
  }

  stepText(step, now) {
    const { graph } = this.view;
    if (!step) return `start of ${graph.steps} steps`;
    if (!now) return `step ${step} of ${graph.steps}`;
    const mirror = now.back && graph.hasGradient(now.cell), what = mirror ? graph.gradientTitle(now.cell) : graph.title_(now.cell);
    const value = (mirror ? graph.gradients : graph.values).short(now.cell);
    const phase = ["forward", "backward", "update"][graph.phases().filter((from) => step >= from).length];
    return `${step} of ${graph.steps} · ${phase} · ${what}${value && ` = ${value}`}`;
  }

  play() {
    if (this.timer) { clearInterval(this.timer); this.timer = 0; } else {
      if (this.shared.step >= this.view.graph.steps) this.setStep(0);
      const each = Math.max(1, Math.round(this.view.graph.steps / 600));
      this.timer = setInterval(() => {
        this.setStep(this.shared.step + each);
        if (this.shared.step >= this.view.graph.steps) this.play();
      }, Math.max(60, Math.min(500, 12000 / (this.view.graph.steps + 1))));
    }
    find("play").setAttribute("aria-label", this.timer ? "Pause" : "Play");
    find("play").querySelector("path").setAttribute("d", this.timer ? "M4 3h3v10H4zM9 3h3v10H9z" : "M4 2.5v11L13.5 8z");
  }

  runToBreak() {
    const { graph } = this.view, kind = find("break").value;
    let step = -1, missing = "";
    const bad = (s, k) => s.nans[k] > 0 || s.infs[k] > 0;
    if (kind === "nan") { step = graph.firstStep(bad, bad); missing = "No value or gradient that was kept has a NaN or an infinity."; }
    if (kind === "zero") { step = graph.firstStep(null, (s, k) => s.zeros[k] === 1); missing = "No gradient that was kept is zero throughout."; }
    if (kind === "node") { step = this.chosenCell() !== undefined ? graph.step[this.chosenCell()] : -1; missing = "Choose a node first."; }
    if (step < 0) { find("step").textContent = missing; this.say(missing); return; }
    this.setStep(step);
    if (kind !== "node") this.choose({ cell: graph.running(step).cell }, true);
    this.say(find("step").textContent);
  }

  /** Bytes alive at each step: forward, backward and update, and where we are. */
  drawMemory() {
    const canvas = find("memory"), { graph } = this.view, { colours, step } = this.shared, ratio = window.devicePixelRatio || 1;
    const w = canvas.clientWidth, h = 54, n = graph.alive.length;
    if (!w) return;
    canvas.width = w * ratio; canvas.height = h * ratio;
    const c = canvas.getContext("2d");
    c.setTransform(ratio, 0, 0, ratio, 0, 0);
    const most = graph.alive.reduce((a, b) => Math.max(a, b), 0), [first, end] = graph.phases();
    const x = (k) => (n > 1 ? k / n * w : 0), y = (v) => h - 4 - v / (most || 1) * (h - 20);
    const area = (from, to, colour) => {
      c.beginPath(); c.moveTo(x(from), h - 4);
      for (let px = Math.floor(x(from)); px <= x(to); px++) {
        let peak = 0;
        for (let k = Math.max(from, Math.floor(px / w * n)); k <= Math.min(to - 1, Math.floor((px + 1) / w * n)); k++) peak = Math.max(peak, graph.alive[k]);
        c.lineTo(px, y(peak)); c.lineTo(px + 1, y(peak));
      }
      c.lineTo(x(to), h - 4); c.fillStyle = colour; c.globalAlpha = 0.55; c.fill(); c.globalAlpha = 1;
    };
    area(0, Math.min(first, n), colours.flow);
    if (first < n) area(first, Math.min(end, n), colours.back);
    if (end < n) area(end, n, colours.flow);
    const here = x(step + 0.5);
    c.fillStyle = colours.mark; c.fillRect(here - 0.75, 12, 1.5, h - 14);
    c.font = `11px ${this.shared.font}`;
    const now = `${bytesText(graph.alive[step])} alive of ${bytesText(most)} at most (from shapes)`;
    const wide = c.measureText(now).width;
    c.fillStyle = colours.soft;
    c.fillText(now, Math.max(0, Math.min(w - wide, here - wide / 2)), 9);
    canvas.setAttribute("aria-label", `Memory alive at each step: now ${now}`);
  }

  wire() {
    const on = (id, event, f) => find(id).addEventListener(event, f);
    // A button does what its key does.
    const buttons = { fit: "f", plus: "+", minus: "-", gradients: "g", theme: "t", help: "?", first: "Home", before: ",", play: " ", next: ".", last: "End" };
    for (const [id, key] of Object.entries(buttons)) on(id, "click", () => this.keys[key]());
    on("slider", "input", (e) => this.setStep(+e.target.value));
    on("run", "click", () => this.runToBreak());
    on("search", "input", (e) => this.search(e.target.value));
    on("search-form", "submit", (e) => { e.preventDefault(); this.nextFound(); });
    for (const tab of document.querySelectorAll("[role=tab]")) {
      tab.addEventListener("click", () => this.tab(tab.id.slice(4)));
      tab.addEventListener("keydown", (e) => {
        if (e.key !== "ArrowRight" && e.key !== "ArrowLeft") return;
        const tabs = [...document.querySelectorAll("[role=tab]:not([hidden])")];
        const next = tabs[(tabs.indexOf(tab) + (e.key === "ArrowRight" ? 1 : tabs.length - 1)) % tabs.length];
        this.tab(next.id.slice(4));
        next.focus();
        e.stopPropagation();
      });
    }
    const toStep = (e) => { const r = find("memory").getBoundingClientRect(); this.setStep(Math.floor((e.clientX - r.left) / r.width * this.view.graph.alive.length)); };
    on("memory", "pointerdown", (e) => { find("memory").setPointerCapture(e.pointerId); toStep(e); });
    on("memory", "pointermove", (e) => { if (e.buttons) toStep(e); });
    document.addEventListener("keydown", (e) => this.key(e));
    new ResizeObserver(() => { this.arrange(); for (const v of this.views) v.resize(); this.drawMemory(); }).observe(find("stage"));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.readColours());
    const root = document.documentElement, theme = () => root.dataset.theme || "";
    const repaint = (name) => { root.dataset.theme = name; this.readColours(); for (const v of this.views) v.paint(); };
    window.addEventListener("beforeprint", () => { this.themeOnScreen = theme(); repaint("light"); });
    window.addEventListener("afterprint", () => repaint(this.themeOnScreen));
    find("counts").textContent = this.counts();
    find("gradients").hidden = !this.view.graph.mirrored && !this.view.graph.stacked;
    const keys = [["← →", "one step back or on"], ["space", "play"], ["Home End", "start or end"], ["/", "search; Enter goes to the next hit"],
      ["arrows", "on the picture: along edges"], ["Enter", "open or close a group"], ["p", "path from the chosen node"], ["w", "why has it no gradient"],
      ["+ − f", "zoom, show everything"], ["g t", "gradients, light or dark"], ["Esc", "let go"]];
    find("keys").append(make("h3", {}, "Keys"), facts(keys.map(([k, what]) => [make("kbd", {}, k), what])));
  }

  wirePointer(view) {
    const { canvas } = view;
    let from = null, moved = false, fingers = new Map();
    const at = (e) => { const r = canvas.getBoundingClientRect(); return [e.clientX - r.left, e.clientY - r.top]; };
    canvas.addEventListener("pointerdown", (e) => { canvas.setPointerCapture(e.pointerId); fingers.set(e.pointerId, at(e)); from = at(e); moved = false; this.view = view; });
    canvas.addEventListener("pointermove", (e) => {
      const [x, y] = at(e);
      if (!fingers.has(e.pointerId)) { canvas.classList.toggle("over", !!view.at(x, y)); return; }
      if (fingers.size === 2) {
        const [other] = [...fingers].filter(([id]) => id !== e.pointerId).map(([, p]) => p), old = fingers.get(e.pointerId);
        const wide = Math.hypot(x - other[0], y - other[1]), before = Math.hypot(old[0] - other[0], old[1] - other[1]);
        if (before > 1) view.zoomAt((x + other[0]) / 2, (y + other[1]) / 2, wide / before);
        moved = true;
      } else if (moved || Math.hypot(x - from[0], y - from[1]) > 4) {
        const [ox, oy] = fingers.get(e.pointerId);
        view.pan(x - ox, y - oy);
        moved = true;
        canvas.classList.add("drag");
      } else return;
      fingers.set(e.pointerId, [x, y]);
    });
    const up = (e) => {
      fingers.delete(e.pointerId);
      canvas.classList.remove("drag");
      if (moved || e.type === "pointercancel") return;
      const hit = view.at(...at(e));
      if (hit && hit.button) this.enter(hit.group);
      else this.choose(hit && (hit.cell !== undefined ? { cell: hit.cell } : { group: hit.group }));
    };
    canvas.addEventListener("pointerup", up);
    canvas.addEventListener("pointercancel", up);
    canvas.addEventListener("dblclick", (e) => {
      const hit = view.at(...at(e));
      if (hit && hit.group && !hit.button && !view.open[hit.group]) this.enter(hit.group);
      if (hit && hit.cell !== undefined) view.show(view.box(hit.cell), 1);
    });
    canvas.addEventListener("wheel", (e) => {
      e.preventDefault();
      if (e.shiftKey) view.pan(-e.deltaY, 0);
      else view.zoomAt(...at(e), Math.exp(-e.deltaY * (e.deltaMode ? 0.05 : 0.0016)));
    }, { passive: false });
  }

  zoomMiddle(factor) { this.view.zoomAt(this.view.width / 2, this.view.height / 2, factor); }

  toggleGradients() {
    this.shared.gradients = !this.shared.gradients;
    find("gradients").setAttribute("aria-pressed", String(this.shared.gradients));
    this.draw();
  }

  toggleTheme() {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    this.readColours();
  }

  toggleHelp() { find("help").setAttribute("aria-expanded", String(!(find("keys").hidden = !find("keys").hidden))); }

  /** What keys do, wherever the focus is; on the picture the arrows walk along edges instead. */
  keys = {
    "ArrowRight": () => this.setStep(this.shared.step + 1), "ArrowLeft": () => this.setStep(this.shared.step - 1),
    ".": () => this.setStep(this.shared.step + 1), ",": () => this.setStep(this.shared.step - 1),
    "Home": () => this.setStep(0), "End": () => this.setStep(this.view.graph.steps), " ": () => this.play(),
    "/": () => find("search").focus(), "?": () => this.toggleHelp(),
    "f": () => { for (const v of this.views) v.fit(); }, "g": () => this.toggleGradients(), "t": () => this.toggleTheme(),
    "+": () => this.zoomMiddle(1.4), "=": () => this.zoomMiddle(1.4), "-": () => this.zoomMiddle(1 / 1.4),
    "p": () => this.chosenCell() !== undefined && this.pathFrom(this.chosenCell()),
    "w": () => this.chosenCell() !== undefined && this.why(this.chosenCell()),
    "Enter": () => this.view.selected && this.view.selected.group && this.enter(this.view.selected.group),
  };
  walks = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

  key(e) {
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    const target = e.target, typing = target.matches("input[type=search], select");
    if (e.key === "Escape") { this.letGo(); if (typing) target.blur(); return; }
    if (typing || (target.matches("button, input") && [" ", "Enter"].includes(e.key)) || (target.type === "range" && e.key.startsWith("Arrow"))) return;
    if (target.tagName === "CANVAS" && this.walks[e.key]) this.walk(...this.walks[e.key]);
    else if (this.keys[e.key]) this.keys[e.key]();
    else return;
    e.preventDefault();
  }

  chosenCell() { return this.view.selected ? this.view.selected.cell : undefined; }

  enter(group) { this.view[this.view.open[group] ? "toggle" : "openGroup"](group); this.choose({ group }); }

  letGo() {
    this.pathStart = undefined;
    if (this.shared.found) this.search(find("search").value = "");
    this.choose(null);
  }

  /** Chooses the nearest item in a direction: along an edge where there is one. */
  walk(dx, dy) {
    const { view } = this, here = view.selectedItem(), items = view.inSight();
    if (here === null) { if (items.length) this.chooseItem(items[0]); return; }
    const b = view.box(here), joined = new Set();
    view.a.forEach((a, e) => { if (a === here && dx > 0) joined.add(view.b[e]); if (view.b[e] === here && dx < 0) joined.add(a); });
    let best = null, least = Infinity;
    for (const item of joined.size ? joined : items) {
      const o = view.box(item), x = o.x - b.x, y = o.y - b.y, ahead = x * dx + y * dy;
      const far = Math.abs(ahead) + 3 * Math.abs(dx ? y : x);
      if (item !== here && far < least && (joined.size || ahead > 0)) { least = far; best = item; }
    }
    if (best !== null) this.chooseItem(best);
  }

  chooseItem(item) {
    this.choose(item < this.view.graph.n ? { cell: item } : { group: item - this.view.graph.n });
    this.view.show(this.view.box(item), 0.3);
  }
}

const started = performance.now();
const page = window.page = new Page(JSON.parse(find("data").textContent));
requestAnimationFrame(() => requestAnimationFrame(() => { page.opened = performance.now() - started; }));
