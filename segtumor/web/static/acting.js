/** What a reader does to the findings of the picture that is active: each act is a new draft, shown and saved at once. */

import { draw, edit, judge, keyOf, remark, without } from "./review/draft.js";
import { entriesOf, middleOf, unjudged } from "./review/entries.js";
import { roundRing } from "./viewer/drawing.js";
import { boxOf, contains, simplified } from "./viewer/geometry.js";

/**
 * @typedef {import("./session.js").Session} Session
 * @typedef {import("./viewer/viewport.js").Viewport} Viewport
 * @typedef {{viewport: () => Viewport, changed: (session: Session) => void, shown: () => void, setTool: (tool: string) => void,
 *            threshold: () => number, classes: () => string[], colourOf: (name: string) => string, told: (text: string) => void}} Owner
 *   `changed`: a draft was changed and is to be saved; `shown`: only what is seen has changed
 */

export class Acting {
  /** @param {Owner} owner */
  constructor(owner) {
    this.owner = owner;
    /** Class of the next outline that is drawn: the last that was chosen. @type {string|null} */
    this.lastClass = null;
  }

  get session() {
    return this.owner.viewport().session;
  }

  entries() {
    const { session } = this;
    return session ? entriesOf(session.image.reading, session.draft, this.owner.threshold()) : [];
  }

  chosen() {
    return this.entries().find(({ key }) => key === this.session?.selected) ?? null;
  }

  /** @param {import("./review/draft.js").Draft} draft @param {string} [kind] @returns {boolean} */
  commit(draft, kind) {
    const { session } = this;
    if (!session?.history.push(draft, kind)) return false;
    this.owner.changed(session);
    return true;
  }

  /** @param {string|null} key */
  choose(key) {
    const { session } = this;
    if (!session || session.selected === key) return;
    session.selected = key;
    this.owner.setTool("pan");
    this.owner.shown();
  }

  /** @param {1|-1} by */
  step(by) {
    const entries = this.entries();
    if (!entries.length) return false;
    const here = entries.findIndex(({ key }) => key === this.session?.selected);
    const next = entries[here < 0 ? (by > 0 ? 0 : entries.length - 1) : (here + by + entries.length) % entries.length];
    this.choose(next.key);
    this.reveal(next);
    return true;
  }

  /** Bring a finding into the middle if it is out of sight. @param {import("./review/entries.js").Entry} entry */
  reveal(entry) {
    const viewport = this.owner.viewport();
    const middle = middleOf(entry);
    if (!middle || !this.session?.view) return;
    const [a, b, c, d, e, f] = viewport.matrix();
    const [x, y] = [a * middle[0] + c * middle[1] + e, b * middle[0] + d * middle[1] + f];
    if (x < 0 || y < 0 || x > viewport.size.width || y > viewport.size.height) viewport.change((view) => ({ ...view, x: middle[0], y: middle[1] }));
  }

  /** @param {"accepted"|"rejected"} verdict */
  judge(verdict) {
    const entry = this.chosenOrOnly();
    if (!entry?.finding || !this.session) return false;
    return this.commit(judge(this.session.draft, entry.finding, verdict));
  }

  /** Where there is one finding only, nobody has to choose it first. */
  chosenOrOnly() {
    const entries = this.entries();
    if (!this.chosen() && entries.length === 1) this.choose(entries[0].key);
    const entry = this.chosen();
    if (!entry) this.owner.told(entries.length ? "Choose a finding first: N, or a click on its outline." : "There is no finding to judge. D draws one.");
    return entry;
  }

  /** @param {string} name */
  setClass(name) {
    const entry = this.chosen();
    if (!entry || !this.session) return;
    this.lastClass = name;
    this.commit(edit(this.session.draft, entry.key, entry.finding, { class: name }));
  }

  nextClass() {
    const entry = this.chosenOrOnly();
    if (!entry) return false;
    const classes = this.owner.classes();
    this.setClass(classes[(classes.indexOf(entry.class) + 1) % classes.length]);
    return true;
  }

  /** @param {string|null} key null: the whole picture @param {string} text */
  comment(key, text) {
    if (this.session) this.commit(remark(this.session.draft, key, text), `comment ${key ?? ""}`);
  }

  startEditing() {
    const entry = this.chosenOrOnly();
    const { session } = this;
    if (!entry || !session) return false;
    if (!entry.rings.length) {
      this.owner.told("This model gives no outline here. D draws one.");
      return false;
    }
    session.hidden.delete(entry.key);
    this.owner.setTool("edit");
    const rings = entry.verdict === "edited" || entry.verdict === "drawn" ? entry.rings : entry.rings.map((ring) => simplified(ring));
    this.owner.viewport().startEditing(rings, this.owner.colourOf(entry.class), (outlines) => {
      this.commit(edit(session.draft, entry.key, entry.finding, { outlines }));
    });
    this.owner.shown();
    return true;
  }

  /** A lesion that the model missed. @param {[number, number][]} ring image px */
  add(ring) {
    const { session } = this;
    if (!session) return;
    const { draft, key } = draw(session.draft, [ring], this.lastClass ?? this.owner.classes()[0]);
    session.selected = key;
    this.commit(draft);
    this.owner.setTool("pan");
  }

  /** An outline without a pointer: round, in the middle of what is seen, then changed by keys. */
  addRound() {
    const { session } = this;
    const viewport = this.owner.viewport();
    if (!session?.view) return false;
    const middle = viewport.toImage([viewport.size.width / 2, viewport.size.height / 2]);
    const [x, y] = [Math.min(session.image.width, Math.max(0, middle[0])), Math.min(session.image.height, Math.max(0, middle[1]))];
    const radius = Math.min(0.15 * Math.min(viewport.size.width, viewport.size.height) / session.view.scale, x, y, session.image.width - x, session.image.height - y);
    this.add(roundRing([x, y], Math.max(2, radius)));
    return this.startEditing();
  }

  remove() {
    const entry = this.chosen();
    if (!entry || entry.finding || !this.session) return false;
    this.session.selected = null;
    this.owner.setTool("pan");
    return this.commit(without(this.session.draft, entry.key));
  }

  /** @param {"undo"|"redo"} what */
  travel(what) {
    const { session } = this;
    if (!session?.history[what]()) return false;
    this.owner.setTool("pan");
    this.owner.changed(session);
    return true;
  }

  /**
   * Done with the picture: findings that are shown and were not judged are accepted; without any, what is saved is that
   * it was read.
   */
  finish() {
    const { session } = this;
    if (!session) return false;
    const { reading } = session.image;
    const shown = new Set(this.entries().map(({ key }) => key));
    const rest = unjudged(reading, session.draft).filter((finding) => shown.has(keyOf(finding.index)));
    const draft = rest.reduce((before, finding) => judge(before, finding, "accepted"), session.draft);
    if (!this.commit(draft) && !session.read) {
      session.read = true;
      this.owner.changed(session);
    }
    const hidden = unjudged(reading, session.draft).length;
    if (hidden) this.owner.told(`${hidden} more from ${reading?.threshold.toFixed(2)} on: lower the slider to judge them.`);
    return true;
  }

  /** Choose the finding under a point, the smallest where several lie. @param {[number, number]} at image px */
  tap(at) {
    const { session } = this;
    const under = this.entries().filter(({ key, rings }) => !session?.hidden.has(key) && contains(rings, at));
    const sizeOf = (/** @type {[number, number][][]} */ rings) => {
      const [x0, y0, x1, y1] = boxOf(rings);
      return (x1 - x0) * (y1 - y0);
    };
    under.sort((p, q) => sizeOf(p.rings) - sizeOf(q.rings));
    this.choose(under[0]?.key ?? null);
  }
}
