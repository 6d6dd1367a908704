// What all parts of the script use: making elements, writing numbers, copying.
const $ = (id) => document.getElementById(id);

// el makes an element. What it is given as children is text, never markup.
function el(name, props, ...children) {
  const e = document.createElement(name);
  for (const [key, value] of Object.entries(props || {})) {
    if (key === "class") e.className = value;
    else if (key.startsWith("on")) e.addEventListener(key.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) e.setAttribute(key, value === true ? "" : value);
  }
  e.append(...children.filter((c) => c !== null && c !== undefined));
  return e;
}

function svg(name, props, ...children) {
  const e = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(props || {})) if (value !== null && value !== undefined) e.setAttribute(key, value);
  e.append(...children);
  return e;
}

function number(n) { return String(Math.round(n)).replace(/\B(?=(\d{3})+$)/g, ","); }

// duration is a number of seconds as people say it.
function duration(s) {
  if (!(s > 0)) return "0";
  if (s < 0.001) return (s * 1e6).toFixed(0) + " µs";
  if (s < 0.1) return (s * 1e3).toFixed(1) + " ms";
  if (s < 1) return (s * 1e3).toFixed(0) + " ms";
  if (s < 10) return s.toFixed(1) + " s";
  if (s < 60) return s.toFixed(0) + " s";
  const two = (n) => String(Math.floor(n)).padStart(2, "0");
  if (s < 3600) return Math.floor(s / 60) + "m" + two(s % 60) + "s";
  if (s < 86400) return Math.floor(s / 3600) + "h" + two((s % 3600) / 60) + "m";
  return Math.floor(s / 86400) + "d" + two((s % 86400) / 3600) + "h";
}

// clock is a moment since the start of a run: all of one run have one form.
function clock(s, digits = 1) {
  const sign = s < 0 ? "−" : "";
  s = Math.abs(s);
  const rest = (s % 60).toFixed(digits).padStart(digits ? 3 + digits : 2, "0");
  const h = Math.floor(s / 3600), m = Math.floor((s % 3600) / 60);
  return sign + (h ? h + ":" + String(m).padStart(2, "0") : m) + ":" + rest;
}

function size(bytes) {
  if (!(bytes > 0)) return "";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let i = 0;
  while (bytes >= 1000 && i < units.length - 1) { bytes /= 1024; i++; }
  return (bytes < 10 && i > 0 ? bytes.toFixed(1) : bytes.toFixed(0)) + " " + units[i];
}

function ago(seconds) {
  if (seconds < 2) return "just now";
  for (const [unit, name] of [[86400, "day"], [3600, "hour"], [60, "minute"], [1, "second"]]) {
    const n = Math.floor(seconds / unit);
    if (n >= 1) return n + " " + name + (n === 1 ? "" : "s") + " ago";
  }
}

const inZone = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit" });

// localTimes writes the times of the page in the reader's zone; the original stays as
// a title.
function localTimes(within) {
  for (const t of within.querySelectorAll("time[datetime]")) {
    const at = new Date(t.dateTime);
    if (t.title || isNaN(at)) continue;
    t.title = t.textContent;
    t.textContent = inZone.format(at);
  }
}

function say(text) { $("said").textContent = text; }

// copy copies the text of a button that has one.
async function copy(button) {
  const text = button.dataset.copy;
  if (button.classList.contains("done")) return;
  button.classList.add("done");
  const was = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = el("textarea", { class: "unseen" });
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
    button.focus();
  }
  button.textContent = "copied";
  say("copied: " + text);
  setTimeout(() => { button.textContent = was; button.classList.remove("done"); }, 1200);
}

// goOn are the address of a call, and the commands to go on with about it.
function goOn(uri) {
  const lines = { URI: uri, inspect: "mops inspect " + uri, logs: "mops logs " + uri, replay: "mops replay " + uri + " -- ./program", lineage: "mops lineage " + uri };
  return el("span", { class: "goon" }, el("code", { title: uri }, uri), ...Object.entries(lines).map(([name, text]) => el("button", { type: "button", class: "copy", "data-copy": text, title: "copy: " + text, "aria-label": "copy " + text }, name)));
}

function colours() {
  const style = getComputedStyle(document.documentElement);
  const of = {};
  for (const name of ["paper", "raised", "ink", "soft", "faint", "line", "wash", "computed", "hit", "failed", "awaited", "cancelled", "open", "waiting", "link"]) of[name] = style.getPropertyValue("--" + name).trim();
  return of;
}

function read(id) {
  const e = $(id);
  return e ? JSON.parse(e.textContent) : null;
}

const facts = read("facts");
const nameWords = facts ? facts.words.split(" ") : [];
const served = "served" in document.body.dataset;
const digits64 = new Uint8Array(128);
"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".split("").forEach((c, i) => { digits64[c.charCodeAt(0)] = i; });

// keyBits are the first 30 bits of the key that begins at a place; they are the three
// words of the call.
function keyBits(keys, at) {
  let bits = 0;
  for (let i = 0; i < 5; i++) bits = bits * 64 + digits64[keys.charCodeAt(at + i)];
  return bits;
}
function wordsOf(bits) { return nameWords[bits >> 20] + "-" + nameWords[(bits >> 10) & 1023] + "-" + nameWords[bits & 1023]; }

const keyLength = 43; // of base64 without padding
function hexOf(keys, at) {
  const raw = atob(keys.slice(at, at + keyLength) + "=");
  let hex = "";
  for (let i = 0; i < raw.length; i++) hex += raw.charCodeAt(i).toString(16).padStart(2, "0");
  return hex;
}
