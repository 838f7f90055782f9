/** Sends each change to the server at once, tries again while it does not answer, and says where things are. */

import * as api from "../api.js";
import { bodyOf } from "./draft.js";
import { merged } from "./merge.js";

/**
 * @typedef {import("../session.js").Session} Session
 * @typedef {{state: "saved"|"saving"|"failed"|"idle", text: string}} Report
 * @typedef {"both"|"mine"|"theirs"} Choice
 * @typedef {{report: (report: Report) => void, saved: (session: Session) => void, replaced: (session: Session) => void,
 *            askName: () => Promise<boolean>,
 *            askConflict: (session: Session, theirs: import("./draft.js").Review) => Promise<Choice>}} Owner
 */

/** Changes closer together than this go in one request. */
const PAUSE_MS = 250;
const RETRY_MS = [1000, 2000, 5000, 10000];

export class Saver {
  /** @param {Owner} owner */
  constructor(owner) {
    this.owner = owner;
    /** @type {Map<Session, {timer: number, attempt: number, busy: boolean, again: boolean, reason: string}>} */
    this.pending = new Map();
  }

  get unsaved() {
    return this.pending.size > 0;
  }

  /** @param {Session} session whose draft has changed */
  changed(session) {
    const state = this.pending.get(session) ?? { timer: 0, attempt: 0, busy: false, again: false, reason: "" };
    this.pending.set(session, state);
    state.attempt = 0;
    state.reason = "";
    if (state.busy) state.again = true;
    else this.schedule(session, PAUSE_MS);
    this.tell();
  }

  /** @param {Session} session @param {number} ms */
  schedule(session, ms) {
    const state = this.pending.get(session);
    if (!state) return;
    clearTimeout(state.timer);
    state.timer = setTimeout(() => this.send(session), ms);
  }

  /** Send everything that waits, now: the page may be closing. */
  flush() {
    if (!api.userName()) return; // nobody's name may stand under a correction; the browser asks before it closes
    for (const [session, state] of this.pending) if (!state.busy) this.send(session, true);
  }

  /** @param {Session} session @param {boolean} [keepalive] the request outlives the page */
  async send(session, keepalive = false) {
    const state = this.pending.get(session);
    if (!state || state.busy) return;
    clearTimeout(state.timer);
    state.busy = true;
    state.again = false;
    state.reason = "";
    this.tell();
    try {
      if (!api.userName() && !(await this.owner.askName())) throw new api.ApiError(400, "Your name is needed.");
      const { draft } = session;
      session.saved = await api.saveReview(session.image.id, bodyOf(draft, session.saved?.revision ?? 0), keepalive);
      session.read = true;
      if (session.draft === draft && !state.again) this.pending.delete(session);
      else state.again = true;
      this.owner.saved(session);
    } catch (error) {
      if (!(error instanceof api.ApiError)) throw error;
      const theirs = error.body?.review ?? error.body;
      if (error.status === 409 && theirs?.revision !== undefined) await this.settle(session, theirs);
      else this.failed(session, error);
    } finally {
      state.busy = false;
    }
    if (state.again && this.pending.has(session)) this.schedule(session, PAUSE_MS);
    this.tell();
  }

  /** @param {Session} session @param {api.ApiError} error */
  failed(session, error) {
    const state = this.pending.get(session);
    if (!state) return;
    state.reason = error.message;
    if (!error.passing) return;
    const wait = error.retryAfter === null ? RETRY_MS[Math.min(state.attempt, RETRY_MS.length - 1)] : 1000 * error.retryAfter;
    state.attempt += 1;
    this.schedule(session, wait);
  }

  /** @param {Session} session @param {import("./draft.js").Review} theirs */
  async settle(session, theirs) {
    const choice = await this.owner.askConflict(session, theirs);
    const mine = session.draft;
    const base = session.saved;
    if (choice === "theirs") {
      session.accept(theirs);
      this.pending.delete(session);
    } else {
      session.saved = theirs;
      session.history.push(choice === "both" ? merged(base, mine, theirs) : mine);
      const state = this.pending.get(session);
      if (state) state.again = true;
    }
    this.owner.replaced(session);
  }

  /** Try again at once what failed. */
  retry() {
    for (const session of this.pending.keys()) this.schedule(session, 0);
  }

  tell() {
    const states = [...this.pending.values()];
    const failed = states.find((state) => state.reason);
    if (failed) this.owner.report({ state: "failed", text: `Not saved: ${failed.reason}` });
    else if (states.length) this.owner.report({ state: "saving", text: "Saving …" });
    else this.owner.report({ state: "saved", text: "Saved" });
  }
}
