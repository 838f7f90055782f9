/** A distance between two points, in mm where the spacing of the pixels is known. */

import { svg, setText } from "../dom.js";
import { clipped } from "./geometry.js";
import { apply, inverse } from "./view.js";

/**
 * @typedef {import("./geometry.js").Point} Point
 * @typedef {import("./view.js").Matrix} Matrix
 */

/**
 * @param {Point} from image px
 * @param {Point} to
 * @param {[number, number]|null} spacing mm per px, row and column
 */
export function distanceText(from, to, spacing) {
  const [dx, dy] = [to[0] - from[0], to[1] - from[1]];
  if (!spacing) return `${Math.hypot(dx, dy).toFixed(1)} px`;
  return `${Math.hypot(dx * spacing[1], dy * spacing[0]).toFixed(1)} mm`;
}

export class Measurement {
  /**
   * @param {Element} layer group of screen px
   * @param {{image: {width: number, height: number}, spacing: [number, number]|null, matrix: Matrix}} options
   */
  constructor(layer, { image, spacing, matrix }) {
    this.layer = layer;
    this.image = image;
    this.spacing = spacing;
    this.matrix = matrix;
    /** @type {[Point, Point]|null} */
    this.ends = null;
    this.line = svg("line", { class: "measure" });
    this.halo = svg("line", { class: "measure halo" });
    this.text = svg("text", { class: "distance" });
    this.text.setAttribute("data-testid", "distance");
  }

  destroy() {
    this.ends = null;
    for (const part of [this.halo, this.line, this.text]) part.remove();
  }

  /** @param {Matrix} matrix */
  place(matrix) {
    this.matrix = matrix;
    this.draw();
  }

  /** @param {Point} at screen px */
  begin(at) {
    const point = clipped(apply(inverse(this.matrix), at), this.image);
    this.ends = [point, point];
    this.layer.replaceChildren(this.halo, this.line, this.text);
    this.draw();
  }

  /** @param {Point} at */
  extend(at) {
    if (this.ends) this.ends[1] = clipped(apply(inverse(this.matrix), at), this.image);
    this.draw();
  }

  finish() {
    if (this.ends && Math.hypot(this.ends[0][0] - this.ends[1][0], this.ends[0][1] - this.ends[1][1]) === 0) this.destroy();
  }

  draw() {
    if (!this.ends) return;
    const [from, to] = this.ends.map((point) => apply(this.matrix, point));
    for (const line of [this.halo, this.line]) {
      for (const [name, value] of Object.entries({ x1: from[0], y1: from[1], x2: to[0], y2: to[1] })) line.setAttribute(name, value.toFixed(1));
    }
    this.text.setAttribute("x", String(to[0] + 8));
    this.text.setAttribute("y", String(to[1] - 8));
    setText(this.text, distanceText(this.ends[0], this.ends[1], this.spacing));
  }
}
