/** The list of cases: sorted, filtered and searched by the server, a page at a time, and kept fresh. */

import * as api from "./api.js";
import { byId, el, keyed, setText } from "./dom.js";

/**
 * @typedef {{id: string, name: string, status: string, reason: string|null, arrived: string, n_images: number,
 *            tumour: number|null, malignant: number|null, called: string|null, reviewed: boolean, images: string[]}} Case
 * @typedef {{open: (row: Case) => void, renewed: (row: Case) => void, told: (text: string) => void}} Owner
 *   `renewed`: something new is known of the case that is open
 */

const PAGE = 100;
const BUSY_MS = 1000;
const IDLE_MS = 10_000;
const SEARCH_PAUSE_MS = 200;
const STATUSES = ["waiting", "running", "done", "failed"];

export class Worklist {
  /** @param {Owner} owner */
  constructor(owner) {
    this.owner = owner;
    this.list = byId("cases");
    /** @type {Case[]} */
    this.rows = [];
    this.total = 0;
    this.offset = 0;
    /** @type {string|null} */
    this.current = null;
    /** Most that was ever waiting since the queue was last empty: the whole of the progress bar. */
    this.peak = 0;
    this.timer = 0;
    /** @type {AbortController|null} */
    this.asking = null;
    this.sort = /** @type {HTMLSelectElement} */ (byId("sort"));
    this.status = /** @type {HTMLSelectElement} */ (byId("status"));
    this.search = /** @type {HTMLInputElement} */ (byId("search"));
    for (const select of [this.sort, this.status]) select.addEventListener("change", () => this.turnTo(0));
    let typing = 0;
    this.search.addEventListener("input", () => {
      clearTimeout(typing);
      typing = setTimeout(() => this.turnTo(0), SEARCH_PAUSE_MS);
    });
    byId("previous-page").addEventListener("click", () => this.turnTo(this.offset - PAGE));
    byId("next-page").addEventListener("click", () => this.turnTo(this.offset + PAGE));
    document.addEventListener("visibilitychange", () => document.hidden || this.refresh());
  }

  /** @param {number} offset */
  turnTo(offset) {
    this.offset = Math.max(0, offset);
    this.list.scrollTop = 0;
    return this.refresh();
  }

  /** Ask the server, and again soon while anything waits or runs. */
  async refresh() {
    clearTimeout(this.timer);
    this.asking?.abort();
    const asking = new AbortController();
    this.asking = asking;
    let busy = false;
    try {
      const answer = await api.cases(this.query(), asking.signal);
      busy = answer.counts.waiting + answer.counts.running > 0;
      this.show(answer);
    } catch (error) {
      if (asking.signal.aborted) return;
      this.owner.told(error instanceof Error ? error.message : String(error));
    }
    if (!document.hidden) this.timer = setTimeout(() => this.refresh(), busy ? BUSY_MS : IDLE_MS);
  }

  query() {
    /** @type {Record<string, string|number>} */
    const query = { sort: this.sort.value, limit: PAGE, offset: this.offset };
    if (this.status.value) query.status = this.status.value;
    if (this.search.value.trim()) query.search = this.search.value.trim();
    return query;
  }

  /** @param {{cases: Case[], total: number, counts: Record<string, number>, seconds_left: number|null}} answer */
  show({ cases, total, counts, seconds_left: left }) {
    this.rows = cases;
    this.total = total;
    keyed(this.list, cases, (row) => row.id, () => this.newRow(), (row, item) => this.updateRow(/** @type {HTMLElement} */ (row), item));
    for (const option of this.status.options) {
      const count = option.value ? counts[option.value] : STATUSES.reduce((sum, name) => sum + (counts[name] ?? 0), 0);
      setText(option, `${option.dataset.name} (${count ?? 0})`);
    }
    setText(byId("score-head"), cases.length ? scoreHead(cases) : "");
    const last = Math.min(total, this.offset + cases.length);
    setText(byId("page-text"), total ? `${this.offset + 1}–${last} of ${total}` : "no cases");
    /** @type {HTMLButtonElement} */ (byId("previous-page")).disabled = this.offset === 0;
    /** @type {HTMLButtonElement} */ (byId("next-page")).disabled = last >= total;
    byId("no-cases").hidden = total > 0;
    setText(byId("no-cases-text"), this.search.value || this.status.value ? "No case fits." : "No cases yet. Drop radiographs anywhere on this page.");
    const open = cases.find(({ id }) => id === this.current);
    if (open) this.owner.renewed(open);
    this.showProgress(counts.waiting + counts.running, left);
  }

  /** @param {number} open @param {number|null} left seconds */
  showProgress(open, left) {
    this.peak = open ? Math.max(this.peak, open) : 0;
    byId("progress").hidden = !open;
    const bar = /** @type {HTMLProgressElement} */ (byId("progress-bar"));
    bar.max = Math.max(1, this.peak);
    bar.value = this.peak - open;
    setText(byId("progress-text"), open ? `${open} to read${left === null ? "" : `, about ${timeText(left)} left`}` : "");
  }

  newRow() {
    const row = el("li", { class: "case", "data-testid": "case" },
      el("button", { type: "button", class: "case-button", onclick: () => this.pick(row) },
        el("span", { class: "dot", "aria-hidden": "true" }),
        el("span", { class: "case-name" }),
        el("span", { class: "case-note" }),
        el("span", { class: "case-score" }),
        el("span", { class: "case-read" })));
    return row;
  }

  /** @param {HTMLElement} row @param {Case} item */
  updateRow(row, item) {
    const [button] = row.children;
    const [, name, note, score, read] = button.children;
    row.dataset.status = item.status;
    setText(name, item.name);
    setText(note, noteText(item));
    note.setAttribute("title", item.reason ?? "");
    setText(score, scoreText(item));
    setText(read, item.reviewed ? "read" : "");
    if (item.id === this.current) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
  }

  /** @param {Element} row */
  pick(row) {
    const item = this.rows.find(({ id }) => id === row.getAttribute("data-key"));
    if (item) this.open(item);
  }

  /** @param {Case} item */
  open(item) {
    this.current = item.id;
    for (const row of this.list.children) {
      const button = row.children[0];
      const here = row.getAttribute("data-key") === item.id;
      if (here) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
      if (here) row.scrollIntoView({ block: "nearest" });
    }
    this.owner.open(item);
  }

  /** The case before or after the one that is open, on the next page too. @param {1|-1} by */
  async step(by) {
    const here = this.rows.findIndex(({ id }) => id === this.current);
    const next = here < 0 ? 0 : here + by;
    if (next >= 0 && next < this.rows.length) this.open(this.rows[next]);
    else if (next >= this.rows.length && this.offset + PAGE < this.total) {
      await this.turnTo(this.offset + PAGE);
      if (this.rows.length) this.open(this.rows[0]);
    } else if (next < 0 && this.offset > 0) {
      await this.turnTo(this.offset - PAGE);
      if (this.rows.length) this.open(this.rows[this.rows.length - 1]);
    }
  }
}

/** @param {Case} item */
function noteText(item) {
  if (item.status === "failed") return item.reason ? `failed: ${item.reason}` : "failed";
  if (item.status !== "done") return item.status;
  return item.n_images > 1 ? `${item.called ?? "read"}, ${item.n_images} pictures` : (item.called ?? "read");
}

/** Probability of malignancy, else of a tumour. @param {Case} item */
function scoreText(item) {
  const value = item.malignant ?? item.tumour;
  return value === null || value === undefined ? "" : value.toFixed(2);
}

/** What the numbers of the list are. @param {Case[]} rows */
const scoreHead = (rows) => (rows.some(({ malignant }) => malignant !== null) ? "P(malignant)" : "P(tumour)");

/** @param {number} seconds */
export function timeText(seconds) {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}
