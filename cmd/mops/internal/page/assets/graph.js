// Graph draws who called whom, from left to right: functions with all their calls, or
// one call with its callers and what it called.
class Graph {
  constructor(at, calls, options) {
    Object.assign(this, { at, calls, options, mode: "functions", chosen: -1 });
  }

  show() {
    const g = this.mode === "functions" ? this.functions() : this.around(this.chosen);
    this.draw(g.nodes, g.edges);
  }

  // functions counts calls by function and by the function that made them.
  functions() {
    const c = this.calls, nodes = new Map([["", { id: "", label: "program", sub: "", n: 0, failed: 0 }]]), edges = new Map();
    const node = (name) => {
      if (!nodes.has(name)) nodes.set(name, { id: name, label: name, n: 0, failed: 0, open: 0, hits: 0, pick: () => this.options.pickFunction(name) });
      return nodes.get(name);
    };
    const ofMemo = [0], between = new Map(), names = c.words.length; // numbers of words rather than words: it is done for each call
    for (let m = 1; m < c.memoFolder.length; m++) ofMemo.push(-1);
    const failed = c.wordAt.get("failed"), hit = c.wordAt.get("hit"), n = new Float64Array(names), bad = new Float64Array(names), hits = new Float64Array(names), open = new Float64Array(names);
    for (let i = 0; i < c.n; i++) {
      const f = c.function[i], m = c.caller[i];
      n[f]++;
      if (c.outcome[i] === failed) bad[f]++;
      if (c.outcome[i] === hit) hits[f]++;
      if (c.isOpen(i)) open[f]++;
      if (ofMemo[m] < 0) ofMemo[m] = c.word(c.functionOf(m));
      const key = ofMemo[m] * 1e6 + f;
      between.set(key, (between.get(key) || 0) + 1);
    }
    n.forEach((count, f) => { if (count) Object.assign(node(c.words[f]), { n: count, failed: bad[f], hits: hits[f], open: open[f] }); });
    for (const [key, count] of between) edges.set(key, { from: node(c.words[Math.floor(key / 1e6)]), to: node(c.words[key % 1e6]), n: count });
    for (const n of nodes.values()) if (n.id) n.sub = number(n.n) + " calls" + (n.hits ? ", " + number(n.hits) + " hits" : "") + (n.open ? ", " + n.open + " open" : "");
    return { nodes: [...nodes.values()], edges: [...edges.values()] };
  }

  // around is a call with its callers and what it called; -1 is the program.
  around(i) {
    const c = this.calls, nodes = [], edges = [];
    const callNode = (k) => {
      const n = { id: "call " + k, label: c.of("function", k) + " " + c.name(c.memo[k]), sub: c.outcomeOf(k) + (c.isOpen(k) ? "" : ", " + duration(c.ended[k] - c.asked[k])), failed: c.of("outcome", k) === "failed" ? 1 : 0, pick: () => this.options.pickCall(k), chosen: k === i };
      nodes.push(n);
      return n;
    };
    const program = { id: "", label: "program", sub: "", pick: () => { this.chosen = -1; this.show(); }, chosen: i < 0 };
    nodes.push(program);
    let here = program;
    if (i >= 0) {
      const chain = [i], seen = new Set([i]);
      for (let m = c.caller[i]; m; ) {
        const k = c.callOf(m);
        if (k === undefined || seen.has(k)) break;
        chain.push(k);
        seen.add(k);
        m = c.caller[k];
      }
      for (const k of chain.reverse()) {
        const n = callNode(k);
        edges.push({ from: here, to: n });
        here = n;
      }
    }
    const few = 6, groups = new Map();
    for (const k of c.calleesOf(i < 0 ? 0 : c.memo[i] || -1)) {
      const name = c.of("function", k);
      if (!groups.has(name)) groups.set(name, []);
      groups.get(name).push(k);
    }
    for (const [name, list] of groups) {
      list.sort((a, b) => (c.of("outcome", b) === "failed") - (c.of("outcome", a) === "failed") || (c.endOf(b, 0) - c.asked[b]) - (c.endOf(a, 0) - c.asked[a]));
      const shown = list.length <= few ? list.length : few - 1;
      for (const k of list.slice(0, shown)) edges.push({ from: here, to: callNode(k) });
      if (list.length > shown) {
        const n = { id: "more " + name, label: number(list.length - shown) + " more of " + name, sub: "show in the table", many: true, failed: list.slice(shown).filter((k) => c.of("outcome", k) === "failed").length, pick: () => this.options.pickCallees(i, name) };
        nodes.push(n);
        edges.push({ from: here, to: n });
      }
    }
    return { nodes, edges };
  }

  // layers puts each node behind all that call it; what closes a circle does not count.
  layers(nodes, edges) {
    const out = new Map(nodes.map((n) => [n, []])), state = new Map(), back = new Set();
    for (const e of edges) if (e.from !== e.to) out.get(e.from).push(e);
    const visit = (n) => {
      state.set(n, 1);
      for (const e of out.get(n)) {
        if (state.get(e.to) === 1) back.add(e);
        else if (!state.has(e.to)) visit(e.to);
      }
      state.set(n, 2);
    };
    nodes.forEach((n) => { if (!state.has(n)) visit(n); });
    for (const n of nodes) n.layer = 0;
    for (let changed = true, turn = 0; changed && turn <= nodes.length; turn++) {
      changed = false;
      for (const e of edges) if (e.from !== e.to && !back.has(e) && e.to.layer <= e.from.layer) { e.to.layer = e.from.layer + 1; changed = true; }
    }
    const layers = [];
    for (const n of nodes) (layers[n.layer] ||= []).push(n);
    // Order within a layer: by the middle of the neighbours on the left.
    layers.forEach((layer, l) => {
      layer.forEach((n, k) => { n.place = k; });
      if (l === 0) return;
      for (const n of layer) {
        const from = edges.filter((e) => e.to === n && e.from !== n && e.from.layer < l).map((e) => e.from.place);
        n.place = from.length ? from.reduce((a, b) => a + b, 0) / from.length : n.place;
      }
      layer.sort((a, b) => a.place - b.place);
      layer.forEach((n, k) => { n.place = k; });
    });
    return layers.filter(Boolean);
  }

  draw(nodes, edges) {
    const ctx = el("canvas").getContext("2d"), family = getComputedStyle(document.body).fontFamily;
    for (const n of nodes) {
      ctx.font = "12px " + family;
      n.width = Math.max(ctx.measureText(n.label).width, ctx.measureText((n.sub || "") + (n.failed ? "  ✕ " + number(n.failed) : "")).width, 40) + 22;
      n.height = n.sub ? 40 : 26;
    }
    const layers = this.layers(nodes, edges), gapX = 74, gapY = 12;
    const heights = layers.map((l) => l.reduce((sum, n) => sum + n.height + gapY, -gapY)), height = Math.max(...heights, 40);
    let x = 1;
    layers.forEach((layer, l) => {
      let y = (height - heights[l]) / 2 + 2;
      const width = Math.max(...layer.map((n) => n.width));
      for (const n of layer) {
        Object.assign(n, { x, y });
        y += n.height + gapY;
      }
      x += width + gapX;
    });
    const width = x - gapX + 40, root = svg("svg", { width, height: height + 22, viewBox: `0 0 ${width} ${height + 22}`, role: "group", "aria-label": "graph of " + this.mode });
    for (const e of edges) this.edge(root, e);
    for (const n of nodes) this.node(root, n);
    this.at.replaceChildren(root);
  }

  edge(root, e) {
    const x0 = e.from.x + e.from.width, y0 = e.from.y + e.from.height / 2, x1 = e.to.x, y1 = e.to.y + e.to.height / 2, n = e.n || 1;
    const bend = Math.max((x1 - x0) / 2, 20);
    let d = `M${x0},${y0} C${x0 + bend},${y0} ${x1 - bend},${y1} ${x1},${y1}`, tx = (x0 + x1) / 2, ty = (y0 + y1) / 2;
    if (e.from === e.to || x1 < x0) { // back to itself, or to the left
      const low = Math.max(e.from.y + e.from.height, e.to.y + e.to.height) + 14;
      d = `M${x0 - 12},${e.from.y + e.from.height} C${x0 - 8},${low + 4} ${x1 + 8},${low + 4} ${x1 + 12},${e.to.y + e.to.height}`;
      ty = low + 4;
    }
    root.append(svg("path", { d, "stroke-width": (1 + Math.log10(n) * 0.9).toFixed(1) }));
    if (e.n) root.append(svg("text", { class: "edge", x: tx, y: ty + 3, "text-anchor": "middle" }, number(e.n)));
  }

  node(root, n) {
    const name = n.label + (n.sub ? ", " + n.sub : "") + (n.failed ? ", " + n.failed + " failed" : "");
    const g = svg("g", { class: "node" + (n.failed ? " failed" : "") + (n.chosen ? " chosen" : "") + (n.many ? " many" : ""), transform: `translate(${n.x},${n.y})`, tabindex: n.pick ? 0 : null, role: n.pick ? "button" : null, "aria-label": n.pick ? name : null },
      svg("title", {}, name), svg("rect", { width: n.width, height: n.height, rx: 5 }), svg("text", { x: 11, y: 17 }, n.label));
    if (n.sub) g.append(svg("text", { class: "sub", x: 11, y: 32 }, n.sub));
    if (n.failed && n.sub) g.append(svg("text", { class: "bad", x: n.width - 10, y: 32, "text-anchor": "end" }, "✕ " + number(n.failed)));
    if (n.pick) {
      g.addEventListener("click", n.pick);
      g.addEventListener("keydown", (e) => { if (e.key === "Enter" || e.key === " ") { e.preventDefault(); n.pick(); } });
    }
    root.append(g);
  }
}
