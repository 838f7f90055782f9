/** One picture on the screen: its gray values, outlines, heat and tools, and the view they share. */

import { el, setText } from "../dom.js";
import { GrayCanvas } from "./canvas.js";
import { OutlineDrawing } from "./drawing.js";
import { OutlineEditor } from "./editor.js";
import { addGestures } from "./gestures.js";
import { placeHeat } from "./heat.js";
import { Measurement } from "./measure.js";
import { Outlines } from "./outlines.js";
import { apply, fit, inverse, matrixOf, panned, zoomAt } from "./view.js";
import { dragged, windowText } from "./window.js";

/**
 * @typedef {import("../session.js").Session} Session
 * @typedef {import("./view.js").View} View
 * @typedef {[number, number]} Point
 * @typedef {{tool: () => string, spaceHeld: () => boolean, tapped: (viewport: Viewport, at: Point) => void,
 *            activated: (viewport: Viewport) => void, viewed: (viewport: Viewport) => void,
 *            drawn: (viewport: Viewport, ring: Point[]) => void}} Owner `tapped` and `drawn` in image px
 */

/** A screen with more pixels to a CSS pixel than this gets no finer picture. */
const FINEST = 2;
/** Where a frame takes longer, the picture is drawn at half its resolution while it moves, and finely when it rests. */
const SLOW_MS = 22;
const REST_MS = 120;

export class Viewport {
  /** @param {string} name for tests and for people who hear the page @param {Owner} owner */
  constructor(name, owner) {
    this.owner = owner;
    this.corners = Object.fromEntries(["topleft", "topright", "bottomleft", "bottomright"].map((corner) => [corner, el("div", { class: `corner ${corner}` })]));
    this.message = el("div", { class: "message", role: "status" });
    this.element = el("section", { class: "viewport", "data-testid": `viewport-${name}`, "aria-label": `Radiograph ${name}`, tabindex: 0 }, ...Object.values(this.corners), this.message);
    this.gray = new GrayCanvas(this.element);
    this.outlines = new Outlines(this.element);
    /** @type {HTMLCanvasElement|null} */
    this.heat = null;
    /** @type {Session|null} */
    this.session = null;
    this.size = { width: 1, height: 1 };
    /** @type {OutlineEditor|OutlineDrawing|Measurement|null} */
    this.tool = null;
    this.waiting = 0;
    this.resting = 0;
    this.coarse = false;
    /** Frames drawn so far; benchmarks count them. */
    this.frames = 0;
    new ResizeObserver(() => this.resized()).observe(this.element);
    this.element.addEventListener("pointerdown", () => owner.activated(this), true);
    this.element.addEventListener("focus", () => owner.activated(this));
    addGestures(this.element, this.meaning());
  }

  /** @returns {import("./gestures.js").Meaning} */
  meaning() {
    const { owner } = this;
    const drawing = () => (this.tool instanceof OutlineDrawing || this.tool instanceof Measurement ? this.tool : null);
    return {
      tool: owner.tool,
      spaceHeld: owner.spaceHeld,
      zoom: (factor, at) => this.change((view) => zoomAt(view, factor, at, this.size)),
      pan: (dx, dy) => this.change((view) => panned(view, dx, dy, this.size)),
      window: (dx, dy) => this.setWindow((window) => dragged(window, dx / this.size.width, dy / this.size.height)),
      tap: (at) => this.session && owner.tapped(this, this.toImage(at)),
      hover: (at) => this.hover(at),
      begin: (at) => this.begin(at),
      extend: (at) => drawing()?.extend(at),
      finish: (at) => drawing()?.finish(at),
      twice: () => this.tool instanceof OutlineDrawing && this.tool.close(),
    };
  }

  /** @param {Point} at screen px @returns {Point} image px */
  toImage(at) {
    return apply(inverse(this.matrix()), at);
  }

  matrix() {
    if (!this.session?.view) return /** @type {import("./view.js").Matrix} */ ([1, 0, 0, 1, 0, 0]);
    return matrixOf(this.session.view, this.size);
  }

  /** @param {Session|null} session */
  show(session) {
    if (this.session !== session) {
      this.endTool();
      this.setHeat(null);
    }
    this.session = session;
    if (session && !session.view) session.view = fit(null, session.image, this.size);
    this.describe();
    this.requestDraw();
  }

  describe() {
    const image = this.session?.image;
    this.gray.element.setAttribute("aria-label", image ? `Radiograph ${image.name}, ${image.width} by ${image.height} px` : "No radiograph");
    setText(this.corners.topleft, image?.name ?? "");
    setText(this.corners.topright, image ? `${image.width} × ${image.height} px` : "");
  }

  /** @param {string} text in the middle, "" for none */
  say(text) {
    setText(this.message, text);
    this.message.classList.toggle("empty", !text);
  }

  /** @param {(view: View) => View} how */
  change(how) {
    if (!this.session?.view) return;
    this.session.view = how(this.session.view);
    this.session.fitted = false;
    this.owner.viewed(this);
    this.requestDraw();
  }

  fit() {
    const { session } = this;
    if (!session) return;
    this.change((view) => fit(view, session.image, this.size));
    session.fitted = true;
  }

  /** @param {(window: import("./window.js").Window) => import("./window.js").Window} how */
  setWindow(how) {
    if (!this.session?.pyramid) return;
    this.session.ownWindow = how(this.session.window);
    this.requestDraw();
  }

  resized() {
    const box = this.element.getBoundingClientRect();
    if (!box.width || !box.height) return;
    this.size = { width: box.width, height: box.height };
    const { session } = this;
    if (session && (session.fitted || !session.view)) session.view = fit(session.view, session.image, this.size);
    this.draw(); // at once: a canvas that changed its size is empty
  }

  requestDraw() {
    if (!this.waiting) this.waiting = requestAnimationFrame(() => this.draw());
  }

  draw() {
    cancelAnimationFrame(this.waiting);
    this.waiting = 0;
    const { session } = this;
    this.element.classList.toggle("blank", !session?.pyramid);
    if (!session?.view) return;
    const matrix = this.matrix();
    if (session.pyramid) this.drawGray(session, session.pyramid, matrix);
    this.outlines.place(matrix);
    this.tool?.place(matrix);
    if (this.heat) placeHeat(this.heat, session.image, matrix);
    setText(this.corners.bottomright, `${windowText(session.window)}  ${Math.round(session.view.scale * 100)} %`);
    this.frames += 1;
  }

  /** @param {Session} session @param {import("./pyramid.js").Pyramid} pyramid @param {import("./view.js").Matrix} matrix */
  drawGray(session, pyramid, [a, b, c, d, e, f]) {
    const start = performance.now();
    const fine = Math.min(FINEST, devicePixelRatio) * (this.coarse ? 0.5 : 1);
    this.gray.resize(Math.round(this.size.width * fine), Math.round(this.size.height * fine));
    const [x, y] = [this.gray.element.width / this.size.width, this.gray.element.height / this.size.height];
    this.gray.draw(pyramid, [a * x, b * y, c * x, d * y, e * x, f * y], session.window, session.inverted);
    clearTimeout(this.resting);
    if (!this.coarse) this.coarse = performance.now() - start > SLOW_MS;
    if (!this.coarse) return;
    this.resting = setTimeout(() => {
      this.coarse = false;
      this.draw();
      this.coarse = false; // this one frame may be slow: nothing moves
      clearTimeout(this.resting);
    }, REST_MS);
  }

  /** @param {Point|null} at */
  hover(at) {
    if (at && this.tool instanceof OutlineDrawing) this.tool.hover(at);
    const text = at && this.session?.pyramid ? valueText(this.session, this.toImage(at)) : "";
    setText(this.corners.bottomleft, text);
  }

  /** @param {Point} at */
  begin(at) {
    const { session } = this;
    if (!session) return;
    if (this.owner.tool() === "measure") {
      if (!(this.tool instanceof Measurement)) {
        this.endTool();
        this.tool = new Measurement(this.outlines.tools, { image: session.image, spacing: session.image.spacing_mm, matrix: this.matrix() });
      }
      this.tool.begin(at);
    } else if (this.tool instanceof OutlineDrawing) this.tool.begin(at);
  }

  startDrawing() {
    const { session } = this;
    if (!session) return;
    this.endTool();
    this.tool = new OutlineDrawing(this.outlines.tools, { image: session.image, matrix: this.matrix(), done: (ring) => this.owner.drawn(this, ring) });
  }

  /** @param {import("./geometry.js").Ring[]} rings @param {string} colour @param {(rings: Point[][]) => void} changed */
  startEditing(rings, colour, changed) {
    const { session } = this;
    if (!session) return;
    this.endTool();
    this.tool = new OutlineEditor(this.outlines.tools, { rings, colour, image: session.image, matrix: this.matrix(), changed });
  }

  endTool() {
    this.tool?.destroy();
    this.tool = null;
  }

  /** @param {HTMLCanvasElement|null} canvas */
  setHeat(canvas) {
    this.heat?.remove();
    this.heat = canvas;
    if (canvas) this.outlines.element.before(canvas);
    this.requestDraw();
  }
}

/** @param {Session} session @param {Point} point image px */
function valueText({ image, pyramid }, [x, y]) {
  const [column, row] = [Math.floor(x), Math.floor(y)];
  if (!pyramid || column < 0 || row < 0 || column >= image.width || row >= image.height) return "";
  return `x ${column}  y ${row}  gray ${pyramid.levels[0].values[row * image.width + column]}`;
}
