// Calls are all calls of a run, as lists of properties: a hundred thousand objects would
// take longer to make than the page may take to open.
class Calls {
  constructor() {
    this.n = 0;
    this.closed = 0; // the first calls, which have ended; the rest is under way
    this.words = [""];
    this.wordAt = new Map([["", 0]]);
    this.memoBits = [0]; // of each memo, from 1; -1 for one that is a word of its own
    this.memoFolder = [0];
    this.memoKey = [""]; // 43 characters
    this.memoAt = null; // made when a second part comes
    for (const name of Calls.lists) this[name] = [];
    this.attempts = new Map();
    this.stage = new Map();
    this.callees = null;
  }

  // add takes a further part of the data: calls that have ended, then those under way,
  // which replace the ones of before.
  add(data) {
    for (const name of Calls.lists) this[name].length = this.closed;
    for (const i of this.stage.keys()) this.attempts.delete(i);
    this.stage.clear();
    this.callees = null;
    const first = this.closed, n = data.n;
    const word = data.words.map((w) => this.word(w));
    const memo = this.addMemos(data, word);
    // fill appends a list; what it leaves out is 0.
    const fill = (name, map) => {
      const from = data[name] || [], to = this[name];
      for (let i = 0; i < n; i++) to.push(map(from[i] || 0));
    };
    for (const name of ["function", "outcome", "error", "executor", "worker"]) fill(name, (v) => word[v]);
    for (const name of ["memo", "caller"]) {
      let at = 0;
      fill(name, (v) => ((at += v) ? memo[at - 1] : 0));
    }
    for (const name of ["peak", "limit"]) fill(name, (v) => v * 1024);
    for (const name of ["wall", "cpu", "saved_wall", "saved_cpu"]) fill(name, (v) => v / 1e3);
    for (const name of ["cpus", "gpus"]) fill(name, (v) => v);
    fill("run", (v) => v || "");
    let asked = 0;
    fill("asked", (v) => (asked += v) / 1e6);
    const last = this.asked.slice(first);
    for (const name of ["queued", "pending", "starting", "started", "ended"]) {
      const from = data[name] || [], to = this[name];
      for (let i = 0; i < n; i++) to.push(from[i] ? (last[i] += from[i] / 1e6) : -1);
    }
    for (const [i, list] of Object.entries(data.attempts || {})) this.attempts.set(first + +i, list);
    for (const [i, stage] of Object.entries(data.stages || {})) this.stage.set(first + +i, stage);
    this.n = first + n;
    this.closed = this.n - this.stage.size;
    for (let i = first; i < this.n; i++) if (this.ended[i] < 0 && i < this.closed) this.ended[i] = this.asked[i];
  }

  word(w) {
    let i = this.wordAt.get(w);
    if (i === undefined) {
      i = this.words.length;
      this.words.push(w);
      this.wordAt.set(w, i);
    }
    return i;
  }

  addMemos(data, word) {
    const more = data.folders.length, memo = new Array(more);
    if (this.memoFolder.length > 1 && !this.memoAt) {
      this.memoAt = new Map();
      for (let m = 1; m < this.memoKey.length; m++) this.memoAt.set(this.memoFolder[m] + " " + this.memoKey[m], m);
    }
    for (let i = 0; i < more; i++) {
      const at = i * keyLength, key = data.keys.slice(at, at + keyLength), folder = word[data.folders[i]];
      const name = this.memoAt && folder + " " + key;
      let m = name && this.memoAt.get(name);
      if (!m) {
        m = this.memoFolder.length;
        this.memoFolder.push(folder);
        this.memoKey.push(key);
        const bits = keyBits(data.keys, at);
        this.memoBits.push(bits === 0 && /^A+$/.test(key) ? -1 : bits);
        if (name) this.memoAt.set(name, m);
      }
      memo[i] = m;
    }
    return memo;
  }

  // name is the three words of a memo.
  name(m) {
    if (!m) return "";
    return this.memoBits[m] < 0 ? this.words[this.memoFolder[m]] : wordsOf(this.memoBits[m]);
  }

  // path is the memo path below the root, or a URI in another root.
  path(m) {
    if (!m) return "";
    const folder = this.words[this.memoFolder[m]];
    return this.memoBits[m] < 0 ? folder : folder + "/" + this.name(m) + "." + hexOf(this.memoKey[m], 0);
  }
  uri(m) {
    const path = this.path(m);
    return path.includes("://") ? path : facts.root + "/" + path;
  }

  // functionOf is the function of a memo, as name@version.
  functionOf(m) {
    const folder = this.words[this.memoFolder[m]];
    return folder.slice(folder.lastIndexOf("/") + 1);
  }

  of(name, i) { return this.words[this[name][i]]; }
  isOpen(i) { return i >= this.closed; }
  outcomeOf(i) { return this.isOpen(i) ? this.stage.get(i) : this.of("outcome", i); }

  // begins is when the worker of a call began to start or run; -1 where none did.
  begins(i) { return this.starting[i] >= 0 ? this.starting[i] : this.started[i]; }
  endOf(i, now) { return this.isOpen(i) ? now : this.ended[i]; }

  // calleesOf are the calls that a memo made, and 0 is the program.
  calleesOf(m) {
    if (!this.callees) {
      this.callees = new Map();
      for (let i = 0; i < this.n; i++) {
        const list = this.callees.get(this.caller[i]);
        if (list) list.push(i);
        else this.callees.set(this.caller[i], [i]);
      }
      this.byMemo = new Map();
      for (let i = 0; i < this.n; i++) if (this.memo[i]) this.byMemo.set(this.memo[i], i);
    }
    return this.callees.get(m) || [];
  }

  // callOf is the latest call of a memo; undefined where the run lists none.
  callOf(m) {
    this.calleesOf(0);
    return this.byMemo.get(m);
  }

  // matcher is a function that says whether a call matches all words of a text.
  matcher(text) {
    const tests = text.toLowerCase().split(/\s+/).filter(Boolean).map((token) => this.tokenMatcher(token));
    return (i) => tests.every((test) => test(i));
  }

  tokenMatcher(token) {
    const has = new Uint8Array(this.words.length);
    this.words.forEach((w, i) => { if (i > 0 && w.toLowerCase().includes(token)) has[i] = 1; });
    const parts = token.split("-");
    const inName = /^[a-z]+(-[a-z]*){0,2}$/.test(token) ? this.nameMatcher(parts) : () => false;
    const inRun = token.length > 5; // shorter ones stand in ids by chance
    const hex = /^([a-z]+-){0,2}[a-z]*\.?([0-9a-f]{6,64})$/.exec(token);
    return (i) => has[this.function[i]] || has[this.outcome[i]] || has[this.error[i]] || has[this.worker[i]] || has[this.executor[i]] || has[this.memoFolder[this.memo[i]]] ||
      inName(i) || (inRun && this.run[i].toLowerCase().includes(token)) || (this.isOpen(i) && this.stage.get(i).includes(token)) ||
      (hex !== null && this.memo[i] > 0 && this.memoBits[this.memo[i]] >= 0 && hexOf(this.memoKey[this.memo[i]], 0).startsWith(hex[2]));
  }

  // nameMatcher looks for words of names without making the names.
  nameMatcher(parts) {
    const last = parts.length - 1;
    const sets = parts.map((part, at) => {
      const set = new Uint8Array(1024);
      nameWords.forEach((w, i) => {
        if (parts.length === 1 ? w.includes(part) : at === 0 ? w.endsWith(part) : at === last ? w.startsWith(part) : w === part) set[i] = 1;
      });
      return set;
    });
    return (i) => {
      const bits = this.memoBits[this.memo[i]];
      if (bits < 0 || !this.memo[i]) return false;
      const three = [bits >> 20, (bits >> 10) & 1023, bits & 1023];
      for (let from = 0; from + parts.length <= 3; from++) {
        let all = true;
        for (let k = 0; k < parts.length; k++) all = all && sets[k][three[from + k]];
        if (all) return true;
      }
      return false;
    };
  }
}
Calls.lists = ["function", "outcome", "error", "executor", "worker", "memo", "caller", "peak", "limit", "wall", "cpu", "saved_wall", "saved_cpu", "cpus", "gpus", "run", "asked", "queued", "pending", "starting", "started", "ended"];
