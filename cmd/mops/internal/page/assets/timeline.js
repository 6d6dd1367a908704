// The stages of a call are told apart by form: waiting is a thin line, starting is
// hatched, running is solid; what failed has a cross, and what another program computed
// is an outline.
const kinds = [
  ["waiting", "waiting, queued"], ["starting", "starting"], ["computed", "running, computed"], ["open", "running now"], ["failed", "failed"],
  ["awaited", "awaited: another program ran it"], ["cancelled", "cancelled"], ["hit", "hit"],
];

class Paint {
  constructor(ctx) {
    this.ctx = ctx;
    this.colour = colours();
    this.patterns = {};
  }

  hatch(colour) {
    if (!this.patterns[colour]) {
      const c = el("canvas", { width: 12, height: 12 }), p = c.getContext("2d");
      p.strokeStyle = colour;
      p.lineWidth = 2;
      for (const x of [-12, -6, 0, 6, 12]) { p.moveTo(x, 13); p.lineTo(x + 14, -1); }
      p.stroke();
      this.patterns[colour] = this.ctx.createPattern(c, "repeat");
      this.patterns[colour].setTransform(new DOMMatrix().scale(0.5));
    }
    return this.patterns[colour];
  }

  bar(kind, x, y, w, h) {
    const { ctx, colour } = this;
    w = Math.max(w, 1);
    switch (kind) {
      case "waiting":
        ctx.fillStyle = colour.waiting;
        ctx.fillRect(x, y + h / 2 - 1, w, 2);
        ctx.fillRect(x, y + h / 2 - 3, 1, 6);
        break;
      case "starting":
        ctx.fillStyle = this.hatch(colour.computed);
        ctx.fillRect(x, y, w, h);
        break;
      case "awaited":
      case "cancelled":
        ctx.strokeStyle = colour[kind];
        ctx.setLineDash(kind === "awaited" ? [] : [3, 2]);
        ctx.strokeRect(x + 0.5, y + 0.5, Math.max(w - 1, 0.5), h - 1);
        ctx.setLineDash([]);
        break;
      case "hit":
        ctx.fillStyle = colour.hit;
        ctx.fillRect(x, y + 1, Math.max(Math.min(w, 2), 1), h - 2);
        break;
      default:
        ctx.fillStyle = colour[kind] || colour.computed;
        ctx.fillRect(x, y, w, h);
        if (kind === "failed") this.cross(x + w, y, h, w > h + 4);
    }
  }

  // cross marks a failure at its end, inside of the bar if there is room.
  cross(x, y, h, inside) {
    const { ctx, colour } = this, a = Math.min(h, 9) / 2 - 1, cx = inside ? x - h / 2 - 1 : x + a + 1, cy = y + h / 2;
    ctx.strokeStyle = inside ? colour.paper : colour.failed;
    ctx.lineWidth = 1.6;
    ctx.beginPath();
    ctx.moveTo(cx - a, cy - a); ctx.lineTo(cx + a, cy + a);
    ctx.moveTo(cx - a, cy + a); ctx.lineTo(cx + a, cy - a);
    ctx.stroke();
    ctx.lineWidth = 1;
  }
}

const axisHeight = 22, laneHeight = 10, laneGap = 2, mostLanes = 14, areaHeight = 46, waitHeight = 14, tickHeight = 9, groupGap = 12;

class Timeline {
  constructor(box, canvas, calls, choose) {
    Object.assign(this, { box, canvas, calls, choose, by: "function", chosen: -1, drag: null });
    this.ctx = canvas.getContext("2d");
    this.space = el("div", { class: "space" });
    box.append(this.space);
    this.from = 0;
    this.rebuild();
    this.to = this.end;
    new ResizeObserver(() => this.later()).observe(box);
    box.addEventListener("scroll", () => this.later(), { passive: true });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.later());
    box.addEventListener("keydown", (e) => this.key(e));
    box.addEventListener("wheel", (e) => this.wheel(e), { passive: false });
    canvas.addEventListener("pointerdown", (e) => this.down(e));
    canvas.addEventListener("pointermove", (e) => this.move(e));
    canvas.addEventListener("pointerup", (e) => this.up(e));
    canvas.addEventListener("pointerleave", () => { if (!this.drag) $("tip").hidden = true; });
    canvas.addEventListener("dblclick", () => this.zoomTo(0, this.end));
    box.addEventListener("blur", () => { $("tip").hidden = true; });
    legend($("legend"), calls);
  }

  // rebuild puts the calls into groups.
  rebuild() {
    const c = this.calls, whole = this.to === undefined || this.to >= this.end;
    this.end = Math.max(this.now(), 0.001);
    for (let i = 0; i < c.closed; i++) if (c.ended[i] > this.end) this.end = c.ended[i];
    if (whole) this.to = this.end;
    const of = this.by === "function" ? c.function : c.worker, groups = new Map();
    for (let i = 0; i < c.n; i++) {
      const key = of[i];
      let g = groups.get(key);
      if (!g) groups.set(key, (g = { key, label: c.words[key] || (this.by === "worker" ? "no worker" : "?"), calls: [], hits: [], failed: [] }));
      if (c.of("outcome", i) === "hit") g.hits.push(i);
      else if (this.by === "function" || c.begins(i) >= 0 || key === 0) g.calls.push(i);
      if (c.of("outcome", i) === "failed") g.failed.push(i);
    }
    const first = (g) => Math.min(...[g.calls[0], g.hits[0]].filter((i) => i !== undefined).map((i) => c.asked[i]));
    this.groups = [...groups.values()];
    for (const g of this.groups) {
      g.calls = ordered(g.calls, (i) => c.asked[i]);
      g.begun = ordered(g.calls.filter((i) => c.begins(i) >= 0 || (this.by === "worker" && g.key === 0)), (i) => c.begins(i));
    }
    this.groups.sort(this.by === "function" ? (a, b) => first(a) - first(b) : (a, b) => (a.key === 0) - (b.key === 0) || (a.label < b.label ? -1 : 1));
    this.later();
  }

  now() { return facts.at || 0; }
  x(t) { return this.left + ((t - this.from) / (this.to - this.from)) * this.width; }
  t(x) { return this.from + ((x - this.left) / this.width) * (this.to - this.from); }

  later() {
    if (this.pending) return;
    this.pending = requestAnimationFrame(() => { this.pending = 0; this.draw(); });
  }

  // pack puts the calls into as few lanes as they need; null where they are too many.
  pack(list, begin) {
    const c = this.calls, now = this.end, ends = [], lanes = new Int16Array(list.length);
    for (let k = 0; k < list.length; k++) {
      const i = list[k], from = begin(i);
      let lane = 0;
      while (lane < ends.length && ends[lane] > from) lane++;
      if (lane >= mostLanes) return null;
      ends[lane] = c.endOf(i, now);
      lanes[k] = lane;
    }
    return { lanes, count: ends.length };
  }

  // form decides how a group is drawn: bars if few calls overlap, else amounts.
  form(g) {
    const c = this.calls, now = this.end;
    g.seen = g.calls.filter((i) => c.asked[i] <= this.to && c.endOf(i, now) >= this.from);
    const begins = (i) => Math.max(c.begins(i), 0);
    g.waits = false;
    g.packed = null;
    if (this.by === "function") {
      g.packed = this.pack(g.seen, (i) => c.asked[i]);
      g.whole = g.packed !== null;
    }
    if (!g.packed) {
      g.ran = g.begun.filter((i) => begins(i) <= this.to && c.endOf(i, now) >= this.from);
      g.packed = this.pack(g.ran, begins);
      g.whole = false;
      g.waits = this.by === "function";
    } else g.ran = g.seen;
    if (g.key === 0 && this.by === "worker" && g.packed) g.whole = true;
    const lanes = g.packed ? Math.max(g.packed.count, g.calls.length ? 1 : 0) * (laneHeight + laneGap) : areaHeight;
    g.height = Math.max(lanes + (g.waits ? waitHeight + 3 : 0) + (g.hits.length ? tickHeight + 3 : 0), 13) + groupGap;
    g.lanesHeight = lanes;
  }

  draw() {
    const box = this.box, ratio = devicePixelRatio || 1, w = box.clientWidth;
    if (!w) return;
    this.left = w < 700 ? 92 : 170;
    this.width = Math.max(w - this.left - 12, 50);
    let y = axisHeight + 4;
    for (const g of this.groups) {
      this.form(g);
      g.y = y;
      y += g.height;
    }
    this.space.style.height = y + "px";
    const limit = box.ownerDocument.defaultView.innerHeight * 0.66, h = Math.ceil(this.printing ? y : Math.min(y, Math.max(limit, 160)));
    const { canvas, ctx } = this;
    if (canvas.width !== Math.round(w * ratio) || canvas.height !== Math.round(h * ratio)) {
      canvas.width = Math.round(w * ratio);
      canvas.height = Math.round(h * ratio);
      canvas.style.width = w + "px";
      canvas.style.height = h + "px";
    }
    ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.paint = new Paint(ctx);
    const colour = this.paint.colour;
    ctx.fillStyle = colour.paper;
    ctx.fillRect(0, 0, w, h);
    this.boxes = [];
    const scroll = box.scrollTop, font = getComputedStyle(document.body).fontFamily;
    this.ticks(ctx, colour, h, font);
    ctx.save();
    ctx.beginPath();
    ctx.rect(0, axisHeight, w, h - axisHeight);
    ctx.clip();
    for (const g of this.groups) {
      const top = g.y - scroll;
      if (top > h || top + g.height < 0) continue;
      this.group(g, top, font, colour);
    }
    ctx.restore();
    if (this.drag && this.drag.now !== undefined) {
      ctx.fillStyle = colour.link;
      ctx.globalAlpha = 0.15;
      ctx.fillRect(Math.min(this.drag.x, this.drag.now), 0, Math.abs(this.drag.now - this.drag.x), h);
      ctx.globalAlpha = 1;
    }
    canvas.dataset.drawn = (+canvas.dataset.drawn || 0) + 1;
  }

  ticks(ctx, colour, h, font) {
    const span = this.to - this.from, steps = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400, 172800, 604800];
    const step = steps.find((s) => (span / s) * 76 < this.width) || steps[steps.length - 1];
    const digits = step >= 1 ? 0 : Math.min(Math.ceil(-Math.log10(step)), 3);
    ctx.font = "11px " + font;
    ctx.textBaseline = "middle";
    for (let t = Math.ceil(this.from / step) * step; t <= this.to; t += step) {
      const x = Math.round(this.x(t)) + 0.5;
      ctx.strokeStyle = colour.line;
      ctx.beginPath(); ctx.moveTo(x, axisHeight - 4); ctx.lineTo(x, h); ctx.stroke();
      ctx.fillStyle = colour.soft;
      ctx.textAlign = x > this.left + this.width - 24 ? "right" : "center";
      ctx.fillText(clock(t, digits), x, 9);
    }
    ctx.textAlign = "left";
  }

  group(g, top, font, colour) {
    const { ctx, paint, calls: c } = this, now = this.end;
    ctx.font = "12px " + font;
    ctx.fillStyle = colour.ink;
    ctx.textBaseline = "top";
    ctx.textAlign = "left";
    ctx.fillText(fit(ctx, g.label, this.left - 14), 0, top + (g.lanesHeight > 24 ? 2 : -1));
    ctx.fillStyle = colour.soft;
    ctx.font = "11px " + font;
    if (g.height > 34 && g.lanesHeight >= 24) ctx.fillText(fit(ctx, number(g.calls.length + g.hits.length) + " calls", this.left - 14), 0, top + 17);
    ctx.save();
    ctx.beginPath();
    ctx.rect(this.left, top - 2, this.width + 12, g.height + 2);
    ctx.clip();
    if (g.packed) this.bars(g, top, font, colour, now);
    else this.area(g, top, colour, now);
    let y = top + g.lanesHeight;
    if (g.waits) {
      this.waiting(g, y + 2, colour, now);
      y += waitHeight + 3;
    }
    if (g.hits.length) this.hits(g, y + 2, colour);
    ctx.restore();
  }

  bars(g, top, font, colour, now) {
    const { ctx, paint, calls: c } = this, drawnTo = [];
    for (let k = 0; k < g.ran.length; k++) {
      const i = g.ran[k], lane = g.packed.lanes[k], y = top + lane * (laneHeight + laneGap), end = c.endOf(i, now);
      const begin = c.begins(i), started = c.started[i], x1 = this.x(end);
      const kind = c.isOpen(i) ? "open" : c.of("outcome", i);
      const x0 = this.x(g.whole ? c.asked[i] : Math.max(begin, 0));
      if (x1 < (drawnTo[lane] || 0) && kind !== "failed" && i !== this.chosen) continue; // nothing of it would be seen
      drawnTo[lane] = Math.floor(x1) + 1;
      if (g.whole && (begin > c.asked[i] || begin < 0)) {
        if (kind === "awaited") paint.bar("awaited", x0, y, x1 - x0, laneHeight);
        else paint.bar("waiting", x0, y, this.x(begin < 0 ? end : begin) - x0, laneHeight);
      }
      if (begin >= 0) {
        const run = started >= 0 ? started : end;
        if (run > begin) paint.bar("starting", this.x(begin), y, this.x(run) - this.x(begin), laneHeight);
        if (started >= 0) paint.bar(kind, this.x(started), y, x1 - this.x(started), laneHeight);
      } else if (kind === "failed") paint.cross(x1, y, laneHeight, false);
      const name = this.by === "worker" ? c.of("function", i) : c.name(c.memo[i]), room = x1 - Math.max(this.x(started), this.left) - (kind === "failed" ? 16 : 6);
      if (started >= 0 && room > 44 && kind !== "awaited" && kind !== "cancelled") {
        ctx.font = "9.5px " + font;
        ctx.fillStyle = colour.paper;
        ctx.textBaseline = "middle";
        ctx.fillText(fit(ctx, name, room), Math.max(this.x(started), this.left) + 4, y + laneHeight / 2 + 0.5);
      }
      if (i === this.chosen) {
        ctx.strokeStyle = colour.ink;
        ctx.lineWidth = 2;
        ctx.strokeRect(x0 - 1.5, y - 1.5, x1 - x0 + 3, laneHeight + 3);
        ctx.lineWidth = 1;
      }
      this.boxes.push([x0, Math.max(x1, x0 + 3), y, y + laneHeight, i]);
    }
  }

  // amounts are how many calls are between two of their moments, for each pixel.
  amounts(list, begin, end) {
    const n = Math.ceil(this.width) + 1, diff = new Float64Array(n + 2), k = this.width / (this.to - this.from);
    for (const i of list) {
      const a = Math.max((begin(i) - this.from) * k, 0), b = Math.min((end(i) - this.from) * k, n);
      if (!(b > a)) continue;
      const p = Math.floor(a), q = Math.floor(b);
      if (p === q) { diff[p] += b - a; diff[p + 1] -= b - a; continue; }
      diff[p] += p + 1 - a; diff[p + 1] += a - p;
      diff[q] -= 1 - (b - q); diff[q + 1] -= b - q;
    }
    for (let x = 1; x < n; x++) diff[x] += diff[x - 1];
    return diff.subarray(0, n);
  }

  fillAmounts(low, high, scale, bottom, style) {
    const { ctx } = this;
    ctx.fillStyle = style;
    ctx.beginPath();
    const n = high.length;
    for (let x = 0; x < n; x++) ctx.lineTo(this.left + x, bottom - high[x] * scale);
    for (let x = n - 1; x >= 0; x--) ctx.lineTo(this.left + x, bottom - (low ? low[x] : 0) * scale);
    ctx.fill();
  }

  area(g, top, colour, now) {
    const { calls: c, ctx, paint } = this;
    const run = this.amounts(g.ran, (i) => (c.started[i] >= 0 ? c.started[i] : now), (i) => c.endOf(i, now));
    const all = this.amounts(g.ran, (i) => c.begins(i), (i) => c.endOf(i, now));
    const most = all.reduce((a, b) => Math.max(a, b), 0), scale = most > 0 ? (areaHeight - 4) / most : 0, bottom = top + areaHeight;
    this.fillAmounts(null, run, scale, bottom, colour.computed);
    this.fillAmounts(run, all, scale, bottom, paint.hatch(colour.computed));
    ctx.fillStyle = colour.ink;
    ctx.font = "10.5px " + getComputedStyle(document.body).fontFamily;
    label(ctx, "up to " + number(Math.max(most, 1)) + " at once", this.left + 4, top + 1, colour);
    for (const i of g.failed) if (c.ended[i] >= this.from && c.ended[i] <= this.to) {
      const x = this.x(c.ended[i]);
      paint.cross(x - 5, top + 1, 8, false);
      this.boxes.push([x - 5, x + 5, top - 2, top + 12, i]);
    }
    g.amounts = { run, all };
  }

  waiting(g, y, colour, now) {
    const { calls: c, ctx } = this;
    const wait = this.amounts(g.seen, (i) => c.asked[i], (i) => (c.begins(i) >= 0 ? c.begins(i) : c.endOf(i, now)));
    const most = wait.reduce((a, b) => Math.max(a, b), 0);
    g.wait = wait;
    if (most < 0.5) return;
    this.fillAmounts(null, wait, (waitHeight - 2) / most, y + waitHeight, colour.waiting);
    ctx.font = "10.5px " + getComputedStyle(document.body).fontFamily;
    label(ctx, "up to " + number(most) + " waiting", this.left + 4, y + 1, colour);
  }

  hits(g, y, colour) {
    const { calls: c, ctx } = this, n = Math.ceil(this.width) + 1, per = new Uint32Array(n);
    let most = 0;
    for (const i of g.hits) {
      const x = Math.floor(this.x(c.asked[i]) - this.left);
      if (x >= 0 && x < n) most = Math.max(most, ++per[x]);
    }
    ctx.fillStyle = colour.hit;
    for (let x = 0; x < n; x++) if (per[x]) {
      const h = 3 + ((tickHeight - 3) * Math.log(1 + per[x])) / Math.log(1 + most);
      ctx.fillRect(this.left + x, y + tickHeight - h, 1.4, h);
    }
  }

  at(e) {
    const r = this.canvas.getBoundingClientRect();
    return [e.clientX - r.left, e.clientY - r.top];
  }

  find(x, y) {
    let best = -1;
    for (const [x0, x1, y0, y1, i] of this.boxes) if (x >= x0 - 1 && x <= x1 + 1 && y >= y0 - 1 && y <= y1 + 1) best = i;
    return best;
  }

  down(e) {
    if (e.button !== 0 || e.pointerType === "touch") return;
    this.drag = { x: this.at(e)[0] };
    this.canvas.setPointerCapture(e.pointerId);
  }

  move(e) {
    const [x, y] = this.at(e);
    if (this.drag) {
      if (Math.abs(x - this.drag.x) > 4) this.drag.now = x;
      this.later();
      return;
    }
    const i = this.find(x, y);
    this.canvas.style.cursor = i >= 0 ? "pointer" : "";
    tip(e, i >= 0 ? describe(this.calls, i) : this.tipAt(x, y + this.box.scrollTop));
  }

  tipAt(x, y) {
    const g = this.groups.find((g) => y >= g.y && y < g.y + g.height), k = Math.floor(x - this.left);
    if (!g || k < 0 || k > this.width) return "";
    const lines = [g.label + " at " + clock(this.t(x))];
    if (!g.packed && g.amounts) lines.push(number(g.amounts.run[k] || 0) + " running, " + number((g.amounts.all[k] - g.amounts.run[k]) || 0) + " starting");
    if (g.waits && g.wait) lines.push(number(g.wait[k] || 0) + " waiting");
    return lines.length > 1 ? lines.join("\n") : "";
  }

  up(e) {
    const drag = this.drag, [x, y] = this.at(e);
    this.drag = null;
    if (drag && drag.now !== undefined) {
      const a = this.t(Math.min(drag.x, drag.now)), b = this.t(Math.max(drag.x, drag.now));
      this.zoomTo(a, b);
      return;
    }
    const i = this.find(x, y);
    if (i >= 0) this.choose(i);
  }

  wheel(e) {
    if (!e.ctrlKey && !e.metaKey) return;
    e.preventDefault();
    this.zoom(Math.exp(e.deltaY / 300), this.t(this.at(e)[0]));
  }

  key(e) {
    if (e.target !== this.box || e.ctrlKey || e.metaKey || e.altKey) return;
    const span = this.to - this.from;
    const act = { "+": () => this.zoom(0.5), "=": () => this.zoom(0.5), "-": () => this.zoom(2), 0: () => this.zoomTo(0, this.end), ArrowLeft: () => this.pan(-span / 5), ArrowRight: () => this.pan(span / 5) }[e.key];
    if (!act) return;
    act();
    e.preventDefault();
    say("from " + clock(this.from) + " to " + clock(this.to));
  }

  zoom(factor, around = (this.from + this.to) / 2) { this.zoomTo(around - (around - this.from) * factor, around + (this.to - around) * factor); }
  pan(by) {
    by = Math.max(-this.from, Math.min(by, this.end - this.to));
    this.zoomTo(this.from + by, this.to + by);
  }
  zoomTo(from, to) {
    this.from = Math.max(from, 0);
    this.to = Math.min(Math.max(to, this.from + 1e-4), this.end);
    if (this.to - this.from < 1e-4) this.from = Math.max(this.to - 1e-4, 0);
    this.box.dataset.view = this.from.toFixed(3) + " " + this.to.toFixed(3);
    this.later();
  }

  select(i) {
    this.chosen = i;
    this.later();
  }
}

// ordered is a list of calls by a number of each.
function ordered(list, of) {
  const keys = Float64Array.from(list, of);
  return Array.from(Uint32Array.from(list, (_, k) => k).sort((a, b) => keys[a] - keys[b] || a - b), (k) => list[k]);
}

function label(ctx, text, x, y, colour) {
  ctx.textBaseline = "top";
  ctx.lineWidth = 4;
  ctx.lineJoin = "round";
  ctx.strokeStyle = colour.paper;
  ctx.strokeText(text, x, y);
  ctx.lineWidth = 1;
  ctx.fillStyle = colour.soft;
  ctx.fillText(text, x, y);
}

// fit shortens a text to a width.
function fit(ctx, text, width) {
  if (ctx.measureText(text).width <= width) return text;
  let lo = 0, hi = text.length;
  while (lo < hi) {
    const mid = (lo + hi + 1) >> 1;
    if (ctx.measureText(text.slice(0, mid) + "…").width <= width) lo = mid;
    else hi = mid - 1;
  }
  return lo > 1 ? text.slice(0, lo) + "…" : "";
}

// legend explains the forms that occur.
function legend(at, calls) {
  at.replaceChildren();
  const there = new Set(["waiting", "starting", "computed"]);
  for (let i = 0; i < calls.n; i++) there.add(calls.isOpen(i) ? "open" : calls.of("outcome", i));
  for (const [kind, text] of kinds) {
    if (!there.has(kind)) continue;
    const canvas = el("canvas", { width: 52, height: 20, "aria-hidden": true }), ctx = canvas.getContext("2d");
    at.append(el("li", {}, canvas, text));
    ctx.setTransform(2, 0, 0, 2, 0, 0);
    new Paint(ctx).bar(kind, kind === "hit" ? 12 : 1, 0, 24, 10);
  }
}

// describe is a call in some lines.
function describe(c, i) {
  const lines = [c.of("function", i) + " " + c.name(c.memo[i]) + ": " + c.outcomeOf(i)];
  const begin = c.begins(i), started = c.started[i], end = c.endOf(i, facts.at || 0), part = [];
  if (begin > c.asked[i] + 0.05) part.push("waited " + duration(begin - c.asked[i]));
  if (begin >= 0 && started > begin) part.push("started in " + duration(started - begin));
  if (started >= 0) part.push((c.isOpen(i) ? "runs for " : "ran ") + duration(end - started));
  else if (!c.isOpen(i)) part.push("took " + duration(end - c.asked[i]));
  lines.push("at " + clock(c.asked[i]) + (part.length ? ", " + part.join(", ") : ""));
  if (c.worker[i]) lines.push("on " + c.of("worker", i));
  if (c.error[i]) lines.push(c.of("error", i).slice(0, 300));
  return lines.join("\n");
}

function tip(e, text) {
  const t = $("tip");
  t.hidden = !text;
  if (!text) return;
  t.textContent = text;
  const w = t.offsetWidth, h = t.offsetHeight;
  t.style.left = Math.max(4, Math.min(e.clientX + 14, innerWidth - w - 8)) + "px";
  t.style.top = (e.clientY + 18 + h > innerHeight ? e.clientY - h - 10 : e.clientY + 18) + "px";
}
