/** Draws a radiograph into a canvas: by WebGL2 where there is a graphics processor, else by arithmetic. */

import { ArithmeticDrawing } from "./arithmetic.js";
import { WebglDrawing } from "./webgl.js";

/**
 * @typedef {import("./pyramid.js").Pyramid} Pyramid
 * @typedef {import("./view.js").Matrix} Matrix
 * @typedef {import("./window.js").Window} Window
 * @typedef {{name: string, draw: (pyramid: Pyramid, toScreen: Matrix, window: Window, inverted: boolean) => void,
 *            fits: (pyramid: Pyramid) => boolean}} Drawing
 *   `toScreen` leads to px of the canvas; `fits` says whether the picture is not too large for the device
 */

/** How to draw, of the page's address, for measuring: "webgl" (also in software), "arithmetic". */
const WANTED = new URLSearchParams(location.search).get("renderer");

/**
 * WebGL in software is refused: there, as benchmarks/page.py measures, arithmetic on the pixels that are seen is quicker.
 * @returns {HTMLCanvasElement}
 */
function newCanvas() {
  const canvas = document.createElement("canvas");
  canvas.className = "gray";
  canvas.setAttribute("role", "img");
  return canvas;
}

/** A canvas in `parent`, and how it is drawn; a picture that is too large for WebGL moves to a second canvas. */
export class GrayCanvas {
  /** @param {Element} parent */
  constructor(parent) {
    this.element = newCanvas();
    parent.prepend(this.element);
    const gl = WANTED === "arithmetic" ? null : contextOf(this.element);
    /** @type {Drawing} */
    this.drawing = gl ? new WebglDrawing(this.element, gl) : new ArithmeticDrawing(this.element);
    this.element.dataset.renderer = this.drawing.name;
    this.element.addEventListener("webglcontextlost", () => this.fallBack());
  }

  /** @param {number} width px of the device @param {number} height */
  resize(width, height) {
    if (this.element.width === width && this.element.height === height) return;
    this.element.width = width;
    this.element.height = height;
  }

  /** @param {Pyramid} pyramid @param {Matrix} toScreen @param {Window} window @param {boolean} inverted */
  draw(pyramid, toScreen, window, inverted) {
    if (!this.drawing.fits(pyramid)) this.fallBack();
    this.drawing.draw(pyramid, toScreen, window, inverted);
  }

  fallBack() {
    const canvas = newCanvas();
    canvas.width = this.element.width;
    canvas.height = this.element.height;
    for (const name of ["aria-label"]) canvas.setAttribute(name, this.element.getAttribute(name) ?? "");
    this.element.replaceWith(canvas);
    this.element = canvas;
    this.drawing = new ArithmeticDrawing(canvas);
    canvas.dataset.renderer = this.drawing.name;
  }
}

/** @param {HTMLCanvasElement} canvas */
function contextOf(canvas) {
  return canvas.getContext("webgl2", {
    alpha: false,
    antialias: false,
    depth: false,
    failIfMajorPerformanceCaveat: WANTED !== "webgl",
  });
}
