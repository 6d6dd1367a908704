// Table shows many rows: only those in sight are elements. A column has a key, a label,
// a width, what a row shows, and a number to sort by.
const rowHeight = 26;

class Table {
  constructor(at, columns, options) {
    this.columns = columns;
    this.options = options; // open(i), label
    this.order = new Uint32Array(0);
    this.active = -1; // place in the order
    this.sorted = options.sort || { key: columns[0].key, up: true };
    this.rows = [];
    this.all = 0;
    this.head = el("div", { class: "vt-head", role: "row", "aria-rowindex": 1 });
    this.space = el("div", { class: "vt-space", role: "rowgroup" });
    this.none = el("p", { class: "vt-none", hidden: true }, "No call matches.");
    this.box = el("div", { class: "vt", role: "grid", tabindex: 0, "aria-label": options.label }, el("div", { role: "rowgroup" }, this.head), this.space, this.none);
    for (const c of columns) {
      const cell = el("span", { role: "columnheader", class: c.right ? "r" : "" }, el("button", { type: "button", tabindex: -1, onclick: () => this.sortBy(c) }, c.label));
      c.cell = cell;
      this.head.append(cell);
    }
    this.box.style.setProperty("--cols", columns.map((c) => c.width).join(" "));
    this.box.style.setProperty("--min", options.min || "900px");
    this.box.addEventListener("scroll", () => this.draw(), { passive: true });
    this.box.addEventListener("keydown", (e) => this.key(e));
    new ResizeObserver(() => this.draw()).observe(this.box);
    at.append(this.box);
  }

  // show shows n rows, those that the filter lets through.
  show(n, filter) {
    const kept = this.active >= 0 ? this.order[this.active] : -1;
    const order = new Uint32Array(n);
    let k = 0;
    for (let i = 0; i < n; i++) if (!filter || filter(i)) order[k++] = i;
    this.order = order.subarray(0, k);
    this.all = n;
    this.sort();
    this.active = kept < 0 ? -1 : this.order.indexOf(kept);
    this.box.setAttribute("aria-rowcount", k + 1);
    this.box.setAttribute("aria-colcount", this.columns.length);
    this.none.hidden = k > 0;
    this.space.style.height = Math.min(k * rowHeight, 16e6) + "px"; // browsers know no higher elements
    this.draw();
  }

  sortBy(c) {
    this.sorted = { key: c.key, up: this.sorted.key === c.key ? !this.sorted.up : !c.down };
    const chosen = this.active >= 0 ? this.order[this.active] : -1;
    this.sort();
    this.active = chosen < 0 ? -1 : this.order.indexOf(chosen);
    this.box.scrollTop = 0;
    this.draw();
    say("sorted by " + c.label + (this.sorted.up ? ", ascending" : ", descending"));
  }

  sort() {
    const c = this.columns.find((c) => c.key === this.sorted.key), sign = this.sorted.up ? 1 : -1;
    const keys = new Float64Array(this.all), value = c.rank ? this.ranked(c) : c.value;
    for (const i of this.order) keys[i] = value(i);
    this.order.sort((a, b) => sign * (keys[a] - keys[b]) || a - b);
    for (const other of this.columns) other.cell.setAttribute("aria-sort", other === c ? (this.sorted.up ? "ascending" : "descending") : "none");
  }

  // ranked are numbers in the order of words.
  ranked(c) {
    const { words, of } = c.rank();
    const rank = new Float64Array(words.length);
    words.map((w, i) => [w, i]).sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0)).forEach(([, i], at) => { rank[i] = at; });
    return (i) => rank[of(i)];
  }

  draw() {
    const height = this.printing ? 1e9 : this.box.clientHeight;
    const top = Math.min(this.box.scrollTop, Math.max(this.order.length * rowHeight - height + 2 * rowHeight, 0)); // rows may just have become fewer
    const first = Math.max(Math.floor(top / rowHeight) - 4, 0);
    const last = Math.min(Math.ceil((top + height) / rowHeight) + 4, this.order.length, first + (this.printing || 200));
    for (let at = first; at < last; at++) this.fill(this.row(at - first), at);
    for (let k = Math.max(last - first, 0); k < this.rows.length; k++) this.rows[k].element.hidden = true;
    if (this.active >= first && this.active < last) this.box.setAttribute("aria-activedescendant", "row-" + (this.active - first));
    else this.box.removeAttribute("aria-activedescendant");
  }

  row(k) {
    if (!this.rows[k]) {
      const cells = this.columns.map((c) => el("span", { role: "gridcell", class: c.right ? "r" : c.class || "" }));
      const element = el("div", { class: "vt-row", role: "row", id: "row-" + k }, ...cells);
      const row = (this.rows[k] = { element, cells, at: -1 });
      element.addEventListener("click", (e) => { if (!e.target.closest("a")) { this.choose(row.at, true); } });
      this.space.append(element);
    }
    return this.rows[k];
  }

  fill(row, at) {
    const i = this.order[at];
    row.at = at;
    row.element.hidden = false;
    row.element.style.top = at * rowHeight + "px";
    row.element.setAttribute("aria-rowindex", at + 2);
    row.element.classList.toggle("active", at === this.active);
    row.element.setAttribute("aria-selected", at === this.active);
    this.columns.forEach((c, k) => {
      const cell = row.cells[k];
      if (c.fill) c.fill(cell, i);
      else cell.textContent = c.text(i);
      if (c.title) cell.title = c.title(i);
    });
  }

  key(e) {
    if (e.target !== this.box) return;
    const page = Math.max(Math.floor(this.box.clientHeight / rowHeight) - 2, 1), last = this.order.length - 1;
    const to = { ArrowDown: this.active + 1, j: this.active + 1, ArrowUp: this.active - 1, k: this.active - 1, PageDown: this.active + page, PageUp: this.active - page, Home: 0, End: last }[e.key];
    if (to !== undefined && !e.ctrlKey && !e.metaKey) {
      this.choose(Math.max(0, Math.min(to, last)), false);
      e.preventDefault();
    } else if (e.key === "Enter" && this.active >= 0) {
      this.options.open(this.order[this.active]);
      e.preventDefault();
    }
  }

  // choose makes a row the active one and scrolls to it.
  choose(at, open) {
    if (at < 0 || at >= this.order.length) return;
    this.active = at;
    const y = at * rowHeight, room = this.box.clientHeight - this.head.offsetHeight - rowHeight;
    if (y < this.box.scrollTop) this.box.scrollTop = y;
    else if (y > this.box.scrollTop + room) this.box.scrollTop = y - room;
    this.draw();
    if (open || this.options.follow) this.options.open(this.order[at], !open);
  }

  // reveal is choose for a row by its number.
  reveal(i) { this.choose(this.order.indexOf(i), false); }

  // print makes the first rows elements, and undoes that.
  print(rows) {
    this.printing = rows;
    if (rows) this.box.scrollTop = 0;
    this.draw();
  }
}
