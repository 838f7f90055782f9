/** Opens pictures: what the server knows of one, its gray values, and its findings as soon as the model has them. */

import * as api from "./api.js";
import { pyramidOf } from "./viewer/pyramid.js";

/**
 * @typedef {import("./session.js").Session} Session
 * @typedef {import("./session.js").Sessions} Sessions
 * @typedef {{changed: (session: Session) => void, failed: (id: string, text: string) => void}} Owner
 */

const POLL_MS = 150;
const SLOW_POLL_MS = 1000;
/** After so long the model has a queue before it; then there is no hurry. */
const HURRY_MS = 15_000;

export class Opening {
  /** @param {Sessions} sessions @param {Owner} owner */
  constructor(sessions, owner) {
    this.sessions = sessions;
    this.owner = owner;
    /** @type {Map<string, Promise<Session|null>>} */
    this.loading = new Map();
    /** @type {Set<string>} */
    this.watched = new Set();
  }

  /**
   * @param {string} id
   * @returns {Promise<Session|null>} with gray values; null if that failed, which `failed` has been told
   */
  open(id) {
    const running = this.loading.get(id) ?? this.load(id).finally(() => this.loading.delete(id));
    this.loading.set(id, running);
    return running;
  }

  /** @param {string} id */
  async load(id) {
    try {
      const session = this.sessions.of(await api.image(id));
      this.owner.changed(session);
      if (!session.pyramid && session.image.pixels && session.image.width) {
        const { pixels, width, height } = session.image;
        session.pyramid = pyramidOf(await api.pixels(pixels), width, height);
        this.owner.changed(session);
      }
      this.watch(session);
      return session;
    } catch (error) {
      this.owner.failed(id, error instanceof Error ? error.message : String(error));
      return null;
    }
  }

  /** Ask again until the model is done. @param {Session} session */
  async watch(session) {
    const { id } = session.image;
    if (this.watched.has(id)) return;
    this.watched.add(id);
    const start = performance.now();
    try {
      while (["waiting", "running"].includes(session.image.status)) {
        await pause(performance.now() - start < HURRY_MS ? POLL_MS : SLOW_POLL_MS);
        session.update(await api.image(id));
        this.owner.changed(session);
      }
    } catch (error) {
      this.owner.failed(id, error instanceof Error ? error.message : String(error));
    } finally {
      this.watched.delete(id);
    }
  }

  /**
   * A heat map, computed if there is none yet.
   * @param {Session} session
   * @param {string} method
   * @returns {Promise<Blob>}
   */
  async map(session, method) {
    const { id } = session.image;
    if (!session.image.reading?.maps.includes(method)) {
      await api.computeMap(id, method);
      while (!session.image.reading?.maps.includes(method)) {
        await pause(POLL_MS);
        session.update(await api.image(id));
        const failure = session.image.reading?.map_failures?.[method];
        if (failure) throw new Error(failure);
        if (session.image.status === "failed") throw new Error(session.image.reason ?? "The map was not computed.");
      }
    }
    return api.map(id, method);
  }
}

/** @param {number} ms */
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
