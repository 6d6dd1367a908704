// The pages, and what keeps them up to date.
document.body.classList.add("js");
for (const e of document.querySelectorAll(".scripted")) e.hidden = false;
localTimes(document);
showEnds(document);
dress(document.body);
document.addEventListener("click", (e) => {
  const button = e.target.closest("[data-copy]");
  if (button) copy(button);
});

function outcomeCell(cell, name) {
  cell.replaceChildren(el("i", { class: "g g-" + name, "aria-hidden": true }), name);
}

// showEnds scrolls logs to their end, where it says what went wrong.
function showEnds(within) {
  for (const log of within.querySelectorAll("pre.log")) {
    log.scrollTop = log.scrollHeight;
    log.closest("details")?.addEventListener("toggle", () => { log.scrollTop = log.scrollHeight; });
  }
}

// wireFilter tells of what is typed, not for each letter.
function wireFilter(input, changed) {
  let timer = 0;
  input.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(changed, 60); });
  input.addEventListener("keydown", (e) => { if (e.key === "Escape" && input.value) { input.value = ""; changed(); e.stopPropagation(); } });
  document.addEventListener("keydown", (e) => {
    if (e.key === "/" && input.id === "filter" && !e.target.closest("input, textarea, select") && !e.ctrlKey && !e.metaKey) { e.preventDefault(); input.focus(); input.select(); }
  });
}

// pages makes of a memo path the address of its page.
function callHref(path) { return "/call/" + path.split("/").map(encodeURIComponent).join("/"); }

function runPage() {
  const calls = new Calls();
  calls.add(read("data"));
  $("data").remove(); // it would be kept twice
  const now = () => facts.at || 0;
  const ran = (i) => (calls.wall[i] || (calls.started[i] >= 0 ? calls.endOf(i, now()) - calls.started[i] : 0));
  const waited = (i) => (calls.begins(i) >= 0 ? calls.begins(i) - calls.asked[i] : calls.isOpen(i) || calls.of("outcome", i) === "awaited" ? calls.endOf(i, now()) - calls.asked[i] : 0);
  const columns = [
    { key: "outcome", label: "outcome", width: "116px", fill: (cell, i) => outcomeCell(cell, calls.outcomeOf(i)), value: (i) => (calls.isOpen(i) ? 1 : { failed: 0, computed: 3, awaited: 4, hit: 5, cancelled: 2 }[calls.of("outcome", i)] ?? 6) },
    { key: "function", label: "function", width: "minmax(90px, 1fr)", text: (i) => calls.of("function", i), rank: () => ({ words: calls.words, of: (i) => calls.function[i] }) },
    { key: "call", label: "call", width: "minmax(170px, 1.4fr)", class: "mono", text: (i) => calls.name(calls.memo[i]), value: (i) => calls.memoBits[calls.memo[i]], title: (i) => calls.words[calls.memoFolder[calls.memo[i]]] },
    { key: "asked", label: "asked at", width: "82px", right: true, text: (i) => clock(calls.asked[i]), value: (i) => calls.asked[i] },
    { key: "waited", label: "waited", width: "82px", right: true, down: true, text: (i) => (waited(i) > 0.001 ? duration(waited(i)) : ""), value: waited },
    { key: "ran", label: "ran", width: "82px", right: true, down: true, text: (i) => (ran(i) ? duration(ran(i)) : ""), value: ran },
    { key: "cpu", label: "CPU", width: "82px", right: true, down: true, text: (i) => (calls.cpu[i] ? duration(calls.cpu[i]) : ""), value: (i) => calls.cpu[i], title: (i) => (calls.cpus[i] ? "of " + calls.cpus[i] + " CPUs that were asked for" : "") },
    { key: "peak", label: "memory", width: "160px", right: true, down: true, text: (i) => (calls.peak[i] ? size(calls.peak[i]) + (calls.limit[i] ? " of " + size(calls.limit[i]) : "") : ""), value: (i) => calls.peak[i] },
    { key: "worker", label: "worker", width: "minmax(110px, 1fr)", class: "dim", text: (i) => calls.of("worker", i), rank: () => ({ words: calls.words, of: (i) => calls.worker[i] }), title: (i) => calls.of("worker", i) },
    { key: "error", label: "error", width: "minmax(140px, 2.2fr)", class: "error", text: (i) => calls.of("error", i) || (calls.attempts.has(i) ? "ran " + (calls.attempts.get(i).length + 1) + " times" : ""), rank: () => ({ words: calls.words, of: (i) => calls.error[i] }), title: (i) => calls.of("error", i) },
  ];
  const table = new Table($("table"), columns, { label: "Calls", min: "1080px", sort: { key: "outcome", up: true }, open: (i, quiet) => detail(i, quiet) });
  const outcomes = new Set(), filter = $("filter"), functions = $("function-filter");
  let only = null; // callees of one call
  const apply = () => {
    const tests = [];
    if (filter.value.trim()) tests.push(calls.matcher(filter.value));
    if (outcomes.size) tests.push((i) => outcomes.has(calls.isOpen(i) ? "open" : calls.of("outcome", i)));
    if (functions.value) { const w = calls.wordAt.get(functions.value); tests.push((i) => calls.function[i] === w); }
    if (only) tests.push((i) => calls.caller[i] === only.memo);
    table.show(calls.n, tests.length ? (i) => tests.every((t) => t(i)) : null);
    $("calls-n").textContent = tests.length ? number(table.order.length) + " of " + number(calls.n) : number(calls.n);
    $("calls-n").setAttribute("aria-live", "polite");
  };
  wireFilter(filter, () => { only = null; apply(); });
  functions.addEventListener("change", () => { only = null; apply(); });

  // choices are the outcomes and functions that there are.
  const choices = () => {
    const there = new Set(), names = new Set();
    for (let i = 0; i < calls.n; i++) { there.add(calls.isOpen(i) ? "open" : calls.of("outcome", i)); names.add(calls.function[i]); }
    const order = ["failed", "open", "computed", "awaited", "cancelled", "hit"].filter((o) => there.has(o));
    $("outcome-filter").replaceChildren(...order.map((o) => {
      const b = el("button", { type: "button", "aria-pressed": outcomes.has(o), onclick: () => {
        if (!outcomes.delete(o)) outcomes.add(o);
        b.setAttribute("aria-pressed", outcomes.has(o));
        apply();
      } }, el("i", { class: "g g-" + o, "aria-hidden": true }), o === "open" ? "under way" : o);
      return b;
    }));
    const value = functions.value;
    functions.replaceChildren(el("option", { value: "" }, "all functions"), ...[...names].map((w) => calls.words[w]).sort().map((n) => el("option", {}, n)));
    functions.value = value;
  };
  choices();
  apply();

  const choose = (i) => { detail(i, false); table.reveal(i); };
  const timeline = new Timeline($("lanes"), $("canvas"), calls, choose);
  const graph = new Graph($("graph-at"), calls, {
    pickFunction: (name) => { functions.value = name; only = null; apply(); $("calls").scrollIntoView({ block: "start" }); },
    pickCall: choose,
    pickCallees: (i, name) => { functions.value = name; only = { memo: i < 0 ? 0 : calls.memo[i] }; apply(); $("calls").scrollIntoView({ block: "start" }); },
  });
  graph.show();
  const pressed = (buttons, which) => buttons.forEach((b) => b.setAttribute("aria-pressed", b === which));
  for (const by of ["function", "worker"]) $("by-" + by).addEventListener("click", (e) => {
    pressed([$("by-function"), $("by-worker")], e.currentTarget);
    timeline.by = by;
    timeline.box.scrollTop = 0;
    timeline.rebuild();
  });
  $("zoom-in").addEventListener("click", () => timeline.zoom(0.5));
  $("zoom-out").addEventListener("click", () => timeline.zoom(2));
  $("zoom-all").addEventListener("click", () => timeline.zoomTo(0, timeline.end));
  for (const mode of ["functions", "calls"]) $("graph-" + mode).addEventListener("click", (e) => {
    pressed([$("graph-functions"), $("graph-calls")], e.currentTarget);
    graph.mode = mode;
    graph.show();
  });

  // detail shows a call beside the page.
  let shown = -1, opener = null;
  const panel = $("detail");
  const close = () => {
    panel.hidden = true;
    shown = -1;
    timeline.select(-1);
    if (opener) opener.focus({ preventScroll: true });
  };
  function detail(i, quiet) {
    if (panel.hidden) opener = document.activeElement === document.body ? table.box : document.activeElement;
    shown = i;
    panel.replaceChildren(...describeCall(calls, i, choose, now));
    panel.hidden = false;
    panel.scrollTop = 0;
    timeline.select(i);
    graph.chosen = i;
    if (graph.mode === "calls") graph.show();
    if (!quiet) panel.focus({ preventScroll: true });
  }
  panel.addEventListener("click", (e) => { if (e.target.closest(".close")) close(); });
  document.addEventListener("keydown", (e) => {
    if (e.key === "Escape" && !panel.hidden) close();
    else if (e.key === "c" && shown >= 0 && !e.target.closest("input, textarea, select") && !e.ctrlKey && !e.metaKey) {
      const first = panel.querySelector("[data-copy]");
      if (first) copy(first);
    }
  });
  const open = [];
  addEventListener("beforeprint", () => {
    for (const d of document.querySelectorAll("details:not([open])")) { open.push(d); d.open = true; }
    timeline.printing = true;
    timeline.draw();
    table.print(500);
  });
  addEventListener("afterprint", () => {
    for (const d of open.splice(0)) d.open = false;
    timeline.printing = false;
    timeline.draw();
    table.print(0);
  });
  performance.mark("mops-ready");

  if (facts.live) follow(() => location.pathname + "?from=" + calls.closed, (doc) => {
    const more = JSON.parse(doc.getElementById("facts").textContent);
    calls.add(JSON.parse(doc.getElementById("data").textContent));
    facts.at = more.at;
    facts.live = more.live;
    choices();
    apply();
    legend($("legend"), calls);
    timeline.rebuild();
    graph.show();
    return more.live;
  });
}

// describeCall are the parts of the panel of a call.
function describeCall(c, i, choose, now) {
  const m = c.memo[i], rows = [], fact = (name, value) => { if (value) rows.push(el("div", {}, el("dt", {}, name), el("dd", {}, value))); };
  const begin = c.begins(i), started = c.started[i], end = c.endOf(i, now()), outcome = c.outcomeOf(i);
  const parts = [el("button", { type: "button", class: "close copy" }, "close"), el("h2", {}, c.of("function", i) + " ", el("span", { class: "id" }, c.name(m)))];
  const state = el("p", {});
  outcomeCell(state, outcome);
  parts.push(state);
  if (c.error[i]) parts.push(el("pre", { class: "message" }, c.of("error", i)));
  fact("asked", "at " + clock(c.asked[i], 3) + ", " + inZone.format(new Date(facts.start + c.asked[i] * 1e3)));
  if (begin > c.asked[i]) fact("waited", duration(begin - c.asked[i]) + (c.queued[i] >= 0 ? ", queued at " + clock(c.queued[i]) : "") + (c.pending[i] >= 0 ? ", for a place from " + clock(c.pending[i]) : ""));
  if (started > begin && begin >= 0) fact("starting", duration(started - begin));
  if (started >= 0) fact(c.isOpen(i) ? "runs for" : "ran", duration(end - started));
  else if (!c.isOpen(i)) fact("took", duration(end - c.asked[i]));
  if (c.cpu[i]) fact("CPU", duration(c.cpu[i]) + (c.cpus[i] ? " of " + duration(c.cpus[i] * c.wall[i]) + " (" + c.cpus[i] + " CPUs asked for)" : ""));
  if (c.peak[i]) fact("memory", size(c.peak[i]) + (c.limit[i] ? " of " + size(c.limit[i]) + " asked for (" + Math.round((c.peak[i] / c.limit[i]) * 100) + " %)" : ""));
  if (c.gpus[i]) fact("GPUs", String(c.gpus[i]));
  if (c.saved_wall[i]) fact("saved", duration(c.saved_wall[i]) + (c.saved_cpu[i] ? ", " + duration(c.saved_cpu[i]) + " of CPU" : ""));
  fact("where", [c.of("worker", i), c.of("executor", i) && "(" + c.of("executor", i) + ")"].filter(Boolean).join(" "));
  fact("run", c.run[i]);
  parts.push(el("dl", { class: "facts" }, ...rows));
  const attempts = c.attempts.get(i);
  if (attempts) parts.push(el("h3", {}, "Earlier attempts"), el("ul", { class: "links" }, ...attempts.map((a) => el("li", {}, [a.reason, a.worker && "on " + a.worker, a.started && "at " + clock(a.started), a.error].filter(Boolean).join(", ")))));
  if (m) {
    if (served && !c.path(m).includes("://")) parts.push(el("p", {}, el("a", { href: callHref(c.path(m)) }, "input, output, history and log")));
    parts.push(el("h3", {}, "To go on with"), goOn(c.uri(m)));
  }
  const link = (k) => el("li", {}, el("button", { type: "button", onclick: () => choose(k) }, c.of("function", k) + " " + c.name(c.memo[k])), " ", el("span", { class: "dim" }, c.outcomeOf(k)));
  const caller = c.caller[i] && c.callOf(c.caller[i]);
  parts.push(el("h3", {}, "Called by"), el("ul", { class: "links" }, caller === undefined ? el("li", {}, c.name(c.caller[i])) : c.caller[i] ? link(caller) : el("li", {}, "the program")));
  const callees = m ? c.calleesOf(m) : [];
  if (callees.length) {
    const most = 30, failedFirst = callees.slice().sort((a, b) => (c.of("outcome", b) === "failed") - (c.of("outcome", a) === "failed"));
    parts.push(el("h3", {}, "Calls " + number(callees.length)), el("ul", { class: "links" }, ...failedFirst.slice(0, most).map(link), callees.length > most ? el("li", { class: "dim" }, "and " + number(callees.length - most) + " more") : null));
  }
  return parts;
}

function functionPage() {
  const data = read("data"), n = data.n, newest = new Float64Array(n), bits = new Float64Array(n), now = Date.now() / 1e3;
  const states = { r: ["hit", "result"], e: ["failed", "failed"], n: ["waiting", "no result"] };
  let at = 0;
  for (let i = 0; i < n; i++) { newest[i] = at += data.newest[i]; bits[i] = keyBits(data.keys, i * keyLength); }
  const path = (i) => data.folder + "/" + wordsOf(bits[i]) + "." + hexOf(data.keys, i * keyLength);
  const table = new Table($("table"), [
    { key: "call", label: "call", width: "minmax(200px, 2fr)", class: "mono", value: (i) => bits[i], fill: (cell, i) => cell.replaceChildren(el("a", { href: callHref(path(i)), tabindex: -1 }, wordsOf(bits[i]))) },
    { key: "state", label: "state", width: "140px", value: (i) => "enr".indexOf(data.states[i]), fill: (cell, i) => { const [g, text] = states[data.states[i]]; cell.replaceChildren(el("i", { class: "g g-" + g, "aria-hidden": true }), text); } },
    { key: "newest", label: "newest", width: "160px", right: true, down: true, value: (i) => newest[i], text: (i) => ago(Math.max(now - newest[i], 0)), title: (i) => inZone.format(new Date(newest[i] * 1e3)) },
    { key: "bytes", label: "size", width: "120px", right: true, down: true, value: (i) => data.bytes[i], text: (i) => size(data.bytes[i]) || "0 B" },
  ], { label: "Calls", min: "620px", sort: { key: "newest", up: false }, open: (i, quiet) => { if (!quiet) location.href = callHref(path(i)); } });
  const filter = $("filter"), apply = () => {
    const tokens = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const match = tokens.length && ((i) => {
      const name = wordsOf(bits[i]), state = states[data.states[i]][1];
      return tokens.every((t) => name.includes(t) || state.includes(t) || (/^[0-9a-f]{4,}$/.test(t) && hexOf(data.keys, i * keyLength).startsWith(t)));
    });
    table.show(n, match || null);
    $("calls-n").textContent = tokens.length ? number(table.order.length) + " of " + number(n) : number(n);
  };
  wireFilter(filter, apply);
  apply();
  performance.mark("mops-ready");
  if (facts.live) follow(() => location.href, (doc) => { // until they are counted
    const live = JSON.parse(doc.getElementById("facts").textContent).live;
    if (!live) location.reload();
    return live;
  });
}

// follow asks the server for the page again while it is looked at, and takes over the
// parts of it that change. It ends when the taker says so.
function follow(address, take) {
  const interval = 3000, live = $("live");
  let misses = 0;
  const turn = async () => {
    if (document.hidden) { document.addEventListener("visibilitychange", turn, { once: true }); return; }
    try {
      const answer = await fetch(address(), { headers: { Accept: "text/html" } });
      const doc = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (!answer.ok) {
        live.textContent = answer.status === 404 ? "removed meanwhile" : "not readable now";
        live.classList.add("lost");
        if (answer.status === 404) { say("It was removed from the root. What this page shows is what it was."); return; }
      } else {
        misses = 0;
        live.classList.remove("lost");
        renew(doc);
        const more = take ? take(doc) : doc.getElementById("live").textContent !== "";
        live.textContent = more ? "live" : "";
        performance.mark("mops-live");
        if (!more) return;
      }
    } catch (e) {
      misses++;
      live.textContent = "the server is gone";
      live.classList.add("lost");
    }
    setTimeout(turn, Math.min(interval * 2 ** misses, 60000));
  };
  setTimeout(turn, interval);
}

// markOf tells what may have the focus from the others in its part of the page, and knows
// it again in a part that is new.
const focusable = "a, button, summary, tr";
function markOf(e) {
  return [e.localName, e.getAttribute("href") || e.dataset.copy || (e.localName === "tr" ? [...e.cells].slice(0, 3).map((c) => c.textContent).join() : e.textContent)].join(" ");
}

// renew takes over what changed of the parts that may.
function renew(doc) {
  for (const part of document.querySelectorAll("[data-live]")) {
    const fresh = doc.getElementById(part.id);
    if (!fresh || part.dataset.was === fresh.innerHTML || part.contains(document.getSelection().anchorNode) && !document.getSelection().isCollapsed) continue;
    if (part.dataset.was === undefined && part.innerHTML === fresh.innerHTML) continue;
    part.dataset.was = fresh.innerHTML;
    const open = new Map([...part.querySelectorAll("details")].map((d) => [d.id, d.open]));
    const focused = part.contains(document.activeElement) ? markOf(document.activeElement) : null;
    part.replaceChildren(...[...fresh.childNodes].map((n) => document.importNode(n, true)));
    part.className = fresh.className;
    part.hidden = fresh.hidden;
    for (const d of part.querySelectorAll("details")) if (open.has(d.id)) d.open = open.get(d.id);
    localTimes(part);
    showEnds(part);
    dress(part);
    if (focused) [...part.querySelectorAll(focusable)].find((e) => markOf(e) === focused)?.focus({ preventScroll: true });
  }
}

const kind = document.body.dataset.kind;
if (kind === "run") runPage();
else if (kind === "function") functionPage();
else performance.mark("mops-ready");
if (kind !== "run" && kind !== "function" && $("live").textContent) follow(() => location.href);
