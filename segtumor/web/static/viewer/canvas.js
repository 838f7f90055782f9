/**
 * Draws a radiograph by looking up every pixel of the screen in it: bilinear in 16 bits, then the window. Turns are by
 * right angles, so a column of the screen is always one column or row of the picture: places and weights are computed
 * once per column and row, and the price of a frame depends on the screen alone.
 *
 * WebGL2 was tried first: without a graphics processor it is half as fast as this (docs/how-to/page.md), with one this
 * is fast enough, and one way to draw is one picture for every reader.
 */

import { levelFor } from "./pyramid.js";
import { inverse } from "./view.js";
import { fillTable } from "./window.js";

/** Weights are whole numbers of 7 bits: 16 + 7 + 7 bits stay below the 31 that JavaScript computes as integers. */
const ONE = 128;
const BLACK = 0xff000000;

/** Places of the two neighbours of each screen pixel along one axis, and the second one's weight. */
class Axis {
  /** @param {number} count */
  constructor(count) {
    this.before = new Int32Array(count);
    this.after = new Int32Array(count);
    this.weight = new Int32Array(count);
    this.from = 0;
    this.to = 0;
  }

  /**
   * @param {number} start picture coordinate of the middle of the first screen pixel
   * @param {number} step picture px per screen px, negative where the display is mirrored
   * @param {number} size of the picture along this axis, px
   * @param {number} stride between neighbours in memory
   */
  fill(start, step, size, stride) {
    const count = this.before.length;
    const [first, last] = step > 0 ? [0 - start, size - start] : [size - start, 0 - start];
    this.from = Math.min(count, Math.max(0, Math.ceil(first / step)));
    this.to = Math.max(this.from, Math.min(count, Math.ceil(last / step)));
    for (let i = this.from; i < this.to; i++) {
      const place = start + i * step - 0.5;
      const whole = Math.floor(place);
      this.before[i] = Math.min(size - 1, Math.max(0, whole)) * stride;
      this.after[i] = Math.min(size - 1, Math.max(0, whole + 1)) * stride;
      this.weight[i] = (place - whole) * ONE;
    }
  }
}

export class GrayCanvas {
  /** @param {Element} parent */
  constructor(parent) {
    this.element = document.createElement("canvas");
    this.element.className = "gray";
    this.element.setAttribute("role", "img");
    parent.prepend(this.element);
    this.context = /** @type {CanvasRenderingContext2D} */ (this.element.getContext("2d", { alpha: false }));
    this.table = new Uint32Array(65536);
    this.tableOf = "";
    this.frame = new ImageData(1, 1);
    this.words = new Uint32Array(this.frame.data.buffer);
    this.columns = new Axis(1);
    this.rows = new Axis(1);
  }

  /** @param {number} width px of the device @param {number} height */
  resize(width, height) {
    if (this.element.width === width && this.element.height === height) return;
    this.element.width = width;
    this.element.height = height;
    this.frame = new ImageData(width, height);
    this.words = new Uint32Array(this.frame.data.buffer);
    this.columns = new Axis(width);
    this.rows = new Axis(height);
  }

  /**
   * @param {import("./pyramid.js").Pyramid} pyramid
   * @param {import("./view.js").Matrix} toScreen from image px to px of the canvas
   * @param {import("./window.js").Window} window
   * @param {boolean} inverted
   */
  draw(pyramid, toScreen, window, inverted) {
    const key = `${window.low} ${window.high} ${inverted}`;
    if (key !== this.tableOf) fillTable(window, inverted, this.table);
    this.tableOf = key;
    const [a, b, c, d, e, f] = inverse(toScreen);
    const level = levelFor(pyramid, Math.hypot(toScreen[0], toScreen[1]));
    const r = level.reduction;
    const upright = a !== 0; // a column of the screen is one of the picture
    const [x0, y0] = [(upright ? a / 2 : c / 2) + e, (upright ? d / 2 : b / 2) + f];
    const [across, down] = upright ? [this.columns, this.rows] : [this.rows, this.columns];
    across.fill(x0 / r, (upright ? a : c) / r, level.width, 1);
    down.fill(y0 / r, (upright ? d : b) / r, level.height, level.width);
    this.paint(level.values);
    this.context.putImageData(this.frame, 0, 0);
  }

  /** @param {Uint16Array} values */
  paint(values) {
    const { words, table, columns, rows } = this;
    const width = this.element.width;
    words.fill(BLACK, 0, rows.from * width);
    words.fill(BLACK, rows.to * width);
    const { before, after, weight, from, to } = columns;
    for (let y = rows.from; y < rows.to; y++) {
      const [above, below, lower] = [rows.before[y], rows.after[y], rows.weight[y]];
      const start = y * width;
      words.fill(BLACK, start, start + from);
      words.fill(BLACK, start + to, start + width);
      for (let x = from; x < to; x++) {
        const [left, right, further] = [before[x], after[x], weight[x]];
        const p = values[above + left];
        const q = values[below + left];
        const top = (p << 7) + (values[above + right] - p) * further;
        const bottom = (q << 7) + (values[below + right] - q) * further;
        words[start + x] = table[((top << 7) + (bottom - top) * lower) >>> 14];
      }
    }
  }
}
