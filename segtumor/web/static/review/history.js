/** Undo and redo over drafts. */

import { bodyOf, draftOf, same } from "./draft.js";

/** @typedef {import("./draft.js").Draft} Draft */

export class History {
  /** @param {Draft} present */
  constructor(present) {
    this.present = present;
    /** @type {Draft[]} */
    this.past = [];
    /** @type {Draft[]} */
    this.future = [];
    this.kind = "";
  }

  /**
   * @param {Draft} draft
   * @param {string} [kind] changes of one kind in a row, such as letters of one comment, are one step of undo
   * @returns {boolean} whether anything changed
   */
  push(draft, kind = "") {
    if (same(draft, this.present)) return false;
    if (!kind || kind !== this.kind) this.past.push(this.present);
    this.kind = kind;
    this.present = draft;
    this.future = [];
    return true;
  }

  undo() {
    return this.move(this.past, this.future);
  }

  redo() {
    return this.move(this.future, this.past);
  }

  /** @param {Draft[]} from @param {Draft[]} to */
  move(from, to) {
    const draft = from.pop();
    if (!draft) return false;
    to.push(this.present);
    this.present = draft;
    this.kind = "";
    return true;
  }

  /** @param {import("./draft.js").Review|null} review */
  changedSince(review) {
    return !same(bodyOf(this.present, 0), bodyOf(draftOf(review), 0));
  }
}
