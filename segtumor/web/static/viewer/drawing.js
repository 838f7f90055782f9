/**
 * A new outline: each click sets a corner, a drag draws freehand. It closes by a click on its first corner, a double
 * click or Enter, or, when drawn freehand, where the pointer is let go.
 */

import { svg } from "../dom.js";
import { clipped, simplified } from "./geometry.js";
import { apply, inverse } from "./view.js";

/**
 * @typedef {import("./geometry.js").Point} Point
 * @typedef {import("./view.js").Matrix} Matrix
 */

/** CSS px: between points of a freehand line, and around the first corner where a click closes. */
const STEP = 5;
const CLOSING = 10;
/** Fewer points of a freehand line are a click with an unsteady hand. */
const LEAST_FREEHAND = 8;

export class OutlineDrawing {
  /**
   * @param {Element} layer group of screen px
   * @param {{image: {width: number, height: number}, matrix: Matrix, done: (ring: Point[]) => void}} options
   */
  constructor(layer, { image, matrix, done }) {
    this.layer = layer;
    this.image = image;
    this.matrix = matrix;
    this.done = done;
    /** @type {Point[]} image px */
    this.points = [];
    /** @type {Point|null} screen px */
    this.pointer = null;
    this.strokeFrom = -1;
    this.line = svg("polyline", { class: "drawing" });
    this.first = svg("circle", { class: "first", r: CORNER });
    layer.replaceChildren(this.line, this.first);
  }

  destroy() {
    this.layer.replaceChildren();
  }

  /** @param {Matrix} matrix */
  place(matrix) {
    this.matrix = matrix;
    this.draw();
  }

  /** @param {Point} at screen px */
  begin(at) {
    if (this.points.length >= 3 && near(at, apply(this.matrix, this.points[0]), CLOSING)) {
      this.close();
      return;
    }
    this.points.push(this.inImage(at));
    this.strokeFrom = this.points.length;
    this.draw();
  }

  /** @param {Point} at */
  extend(at) {
    this.pointer = at;
    const last = this.points[this.points.length - 1];
    if (this.strokeFrom > 0 && last && !near(at, apply(this.matrix, last), STEP)) this.points.push(this.inImage(at));
    this.draw();
  }

  /** @param {Point} _at */
  finish(_at) {
    const freehand = this.strokeFrom > 0 && this.points.length - this.strokeFrom >= LEAST_FREEHAND;
    this.strokeFrom = -1;
    if (freehand) this.close();
  }

  /** @param {Point} at */
  hover(at) {
    this.pointer = at;
    this.draw();
  }

  removeLast() {
    this.points.pop();
    this.draw();
  }

  close() {
    const ring = withoutRepeats(this.points);
    this.points = [];
    this.strokeFrom = -1;
    this.draw();
    if (ring.length >= 3) this.done(simplified(ring));
  }

  draw() {
    const screen = this.points.map((point) => apply(this.matrix, point));
    const shown = this.pointer && screen.length ? [...screen, this.pointer] : screen;
    this.line.setAttribute("points", shown.map((point) => point.map((value) => value.toFixed(1)).join()).join(" "));
    this.first.setAttribute("cx", String(screen[0]?.[0] ?? -100));
    this.first.setAttribute("cy", String(screen[0]?.[1] ?? -100));
  }

  /** @param {Point} at */
  inImage(at) {
    return clipped(apply(inverse(this.matrix), at), this.image);
  }
}

const CORNER = 5;

/** @param {Point} p @param {Point} q @param {number} radius */
const near = (p, q, radius) => Math.hypot(p[0] - q[0], p[1] - q[1]) <= radius;

/** A double click sets its corner twice. @param {Point[]} points */
const withoutRepeats = (points) => points.filter((point, i) => i === 0 || !near(point, points[i - 1], 1e-6));

/** Round outline in the middle of what is seen, for those who work by keys. @param {Point} centre @param {number} radius px */
export function roundRing(centre, radius) {
  const corners = 8;
  return Array.from({ length: corners }, (_, i) => {
    const angle = (2 * Math.PI * i) / corners;
    return /** @type {Point} */ ([centre[0] + radius * Math.cos(angle), centre[1] + radius * Math.sin(angle)]);
  });
}
