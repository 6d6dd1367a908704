// Lists are tables that stand in the page and may be renewed while it is looked at: the
// script sorts them, filters them and lets keys go from row to row. What a list is
// sorted by stays with its id.
const lists = new Map();

// dress finds the lists in a part of the page that is new.
function dress(within) {
  for (const box of within.querySelectorAll("[data-list]")) dressList(box);
  const own = within.closest("[data-list]");
  if (own) dressList(own);
}

function dressList(box) {
  let list = lists.get(box.id);
  if (!list) lists.set(box.id, (list = new List(box.id)));
  list.adopt(box);
}

class List {
  constructor(id) {
    this.id = id;
    this.sorted = null; // column and up; null is the order that the server chose
    this.filter = document.querySelector(`[data-filters="${id}"]`);
    this.count = document.querySelector(`[data-count="${id}"]`);
    if (this.filter) wireFilter(this.filter, () => this.sift());
  }

  adopt(box) {
    if (this.box !== box) {
      this.box = box;
      box.addEventListener("keydown", (e) => this.key(e));
    }
    this.table = box.querySelector("table");
    if (!this.table) return;
    for (const [column, cell] of [...this.table.tHead.rows[0].cells].entries()) {
      if (!cell.textContent || "unsorted" in cell.dataset || cell.querySelector("button")) continue;
      cell.replaceChildren(el("button", { type: "button", onclick: () => this.sortBy(column, cell) }, ...cell.childNodes));
    }
    for (const row of this.rows()) if (!row.querySelector("a")) row.tabIndex = -1;
    this.sort();
    this.sift();
  }

  rows() { return [...this.table.tBodies[0].rows]; }

  sortBy(column, cell) {
    const up = this.sorted && this.sorted.column === column ? !this.sorted.up : !cell.classList.contains("r");
    this.sorted = { column, up };
    this.sort();
    say("sorted by " + cell.textContent + (up ? ", ascending" : ", descending"));
  }

  sort() {
    if (!this.sorted) return;
    const { column, up } = this.sorted, sign = up ? 1 : -1;
    const compare = (a, b) => (typeof a === typeof b ? (a < b ? -1 : a > b ? 1 : 0) : typeof a === "number" ? 1 : -1); // nothing before numbers
    const order = this.rows().map((row) => [this.value(row.cells[column]), row]);
    order.sort((a, b) => sign * compare(a[0], b[0]));
    this.table.tBodies[0].append(...order.map(([, row]) => row));
    for (const [k, cell] of [...this.table.tHead.rows[0].cells].entries()) {
      if (k === column) cell.setAttribute("aria-sort", up ? "ascending" : "descending");
      else cell.removeAttribute("aria-sort");
    }
  }

  // value is what a cell is sorted by: the number that it says in words, a time, or its text.
  value(cell) {
    if (!cell) return "";
    if (cell.dataset.v !== undefined) return +cell.dataset.v;
    const time = cell.querySelector("time");
    return time ? time.dateTime : cell.textContent.trim().toLowerCase();
  }

  // sift hides the rows that lack a word of the filter.
  sift() {
    if (!this.filter || !this.table) return;
    const words = this.filter.value.toLowerCase().split(/\s+/).filter(Boolean), rows = this.rows();
    let n = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((w) => text.includes(w));
      if (!row.hidden) n++;
    }
    this.count.textContent = words.length ? number(n) + " of " + number(rows.length) : "";
  }

  // key goes from row to row: to its link, or to the row itself if it has none.
  key(e) {
    if (!this.table || e.ctrlKey || e.metaKey || e.altKey) return;
    const rows = this.rows().filter((row) => !row.hidden), at = rows.indexOf(e.target.closest("tbody tr"));
    const to = { ArrowDown: at + 1, j: at + 1, ArrowUp: at - 1, k: at - 1, Home: 0, End: rows.length - 1 }[e.key];
    if (to === undefined || !rows.length) return;
    const row = rows[Math.max(0, Math.min(to, rows.length - 1))];
    (row.querySelector("a") || row).focus();
    e.preventDefault();
  }
}
