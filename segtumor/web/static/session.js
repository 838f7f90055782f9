/** The pictures that are open: what the server says of each, its gray values, and what the reader has changed. */

import { draftOf } from "./review/draft.js";
import { History } from "./review/history.js";
import { presetWindow } from "./viewer/window.js";

/**
 * @typedef {{index: number, class: string, score: number, probabilities: Record<string, number|null>|null,
 *            box: number[]|null, outlines: [number, number][][], area_px: number|null, diameter_px: number|null,
 *            diameter_mm: number|null}} Finding
 * @typedef {{threshold: number, tumour: number, probabilities: Record<string, number>|null, findings: Finding[],
 *            notes: {code: string, text: string}[], seconds: number|null, model: string, maps: string[],
 *            map_failures?: Record<string, string>}} Reading
 * @typedef {{id: string, case: string, name: string, status: string, reason: string|null, width: number, height: number,
 *            pixels: string, window: [number, number]|null, spacing_mm: [number, number]|null, spacing_source: string|null,
 *            is_dicom: boolean, patient: Record<string, string>|null, reading: Reading|null,
 *            review: import("./review/draft.js").Review|null}} Picture as the API gives it
 */

/** So many bytes of gray values stay in memory; what was looked at longest ago goes first. */
const MOST_BYTES = 400e6;

export class Session {
  /** @param {Picture} image */
  constructor(image) {
    this.image = image;
    /** @type {import("./viewer/pyramid.js").Pyramid|null} */
    this.pyramid = null;
    this.inverted = false;
    this.preset = /** @type {import("./viewer/window.js").Preset} */ ("first");
    /** What the reader made of the window by hand. @type {import("./viewer/window.js").Window|null} */
    this.ownWindow = null;
    /** @type {import("./viewer/view.js").View|null} */
    this.view = null;
    this.fitted = true;
    /** @type {Set<string>} keys of findings whose outline is off */
    this.hidden = new Set();
    /** @type {string|null} */
    this.selected = null;
    /** Last review that the server has confirmed. */
    this.saved = image.review;
    this.history = new History(draftOf(image.review));
    /** Whether a review is to be saved even if it says nothing: "read, nothing to add". */
    this.read = image.review !== null;
  }

  /** What is shown; before the server knows a first window, the gray values decide. */
  get window() {
    if (this.ownWindow) return this.ownWindow;
    return this.pyramid ? presetWindow(this.preset, this.pyramid, this.image.window) : { low: 0, high: 65535 };
  }

  get draft() {
    return this.history.present;
  }

  /** What the server says now; an unsaved change is not touched. @param {Picture} image */
  update(image) {
    const newer = (image.review?.revision ?? 0) > (this.saved?.revision ?? 0);
    if (newer && !this.history.changedSince(this.saved)) this.accept(image.review);
    this.image = image;
  }

  /** Take a review of the server as the present state. @param {import("./review/draft.js").Review|null} review */
  accept(review) {
    this.saved = review;
    this.read = review !== null;
    this.history = new History(draftOf(review));
  }
}

/** Sessions by the id of their image. */
export class Sessions {
  constructor() {
    /** @type {Map<string, Session>} in the order of use */
    this.open = new Map();
  }

  /** @param {Picture} image */
  of(image) {
    const session = this.open.get(image.id) ?? new Session(image);
    session.update(image);
    this.open.delete(image.id);
    this.open.set(image.id, session);
    return session;
  }

  /** Drop gray values beyond the limit; sessions that are shown keep theirs. @param {(Session|null)[]} shown */
  tidy(shown) {
    const bytes = (/** @type {Session} */ session) => 2.7 * (session.pyramid?.levels[0].values.length ?? 0);
    let total = [...this.open.values()].reduce((sum, session) => sum + bytes(session), 0);
    for (const session of this.open.values()) {
      if (total <= MOST_BYTES) return;
      if (shown.includes(session)) continue;
      total -= bytes(session);
      session.pyramid = null;
    }
  }
}
