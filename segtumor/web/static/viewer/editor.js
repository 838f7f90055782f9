/**
 * Changes an outline: drag a corner, drag the middle of a side to add one, delete one. Handles are drawn in screen px, and
 * every position goes through the view's own matrix, so that editing works turned, mirrored and zoomed, by mouse, pen
 * and finger. (Annotorious 3.8 does not: static/vendor/README.md has what was tried.)
 */

import { svg } from "../dom.js";
import { clipped, pathOf } from "./geometry.js";
import { apply, inverse } from "./view.js";

/**
 * @typedef {import("./geometry.js").Ring} Ring
 * @typedef {import("./geometry.js").Point} Point
 * @typedef {import("./view.js").Matrix} Matrix
 * @typedef {{ring: number, corner: number}} Place
 */

const CORNER_RADIUS = 4;
const MIDDLE_RADIUS = 3;
/** A finger needs this much, CSS px. */
const TOUCH_RADIUS = 14;
/** Sides that are shorter on the screen have no handle in the middle. */
const SHORTEST_SIDE = 26;
const DOUBLE_TAP_MS = 350;

export class OutlineEditor {
  /**
   * @param {Element} layer group of screen px
   * @param {{rings: Ring[], colour: string, image: {width: number, height: number}, matrix: Matrix,
   *          changed: (rings: Ring[]) => void}} options `changed` at the end of every change
   */
  constructor(layer, { rings, colour, image, matrix, changed }) {
    this.rings = rings.map((ring) => ring.map((point) => /** @type {Point} */ ([...point])));
    this.image = image;
    this.changed = changed;
    this.matrix = matrix;
    /** @type {Place} */
    this.chosen = { ring: 0, corner: 0 };
    this.tapped = { time: 0, corner: -1 };
    this.path = svg("path", { class: "editing", stroke: colour, fill: colour });
    this.handles = svg("g", { class: "handles" });
    layer.replaceChildren(this.path, this.handles);
    this.layer = layer;
    this.handles.addEventListener("pointerdown", (event) => this.grab(/** @type {PointerEvent} */ (event)));
    this.draw();
  }

  /** @param {Matrix} matrix image to screen */
  place(matrix) {
    this.matrix = matrix;
    this.draw();
  }

  destroy() {
    this.layer.replaceChildren();
  }

  draw() {
    const screen = this.rings.map((ring) => ring.map((point) => apply(this.matrix, point)));
    this.path.setAttribute("d", pathOf(screen));
    const handles = screen.flatMap((ring, r) => [...middles(ring, r), ...corners(ring, r, this.chosen)]);
    this.handles.replaceChildren(...handles);
  }

  /** @param {PointerEvent} event */
  grab(event) {
    const target = /** @type {Element} */ (event.target).closest("[data-corner]");
    if (!target || event.button !== 0) return;
    event.stopPropagation();
    event.preventDefault();
    const place = { ring: Number(target.getAttribute("data-ring")), corner: Number(target.getAttribute("data-corner")) };
    const added = target.classList.contains("middle");
    if (!added && (event.altKey || this.isSecondTap(event, place))) {
      this.remove(place);
      return;
    }
    if (added) this.insert(place);
    this.chosen = place;
    this.draw();
    this.follow(event, added);
  }

  /** @param {PointerEvent} event @param {Place} place */
  isSecondTap(event, { ring, corner }) {
    const which = 1e6 * ring + corner;
    const second = event.timeStamp - this.tapped.time < DOUBLE_TAP_MS && this.tapped.corner === which;
    this.tapped = { time: event.timeStamp, corner: second ? -1 : which };
    return second;
  }

  /**
   * The chosen corner goes where the pointer goes, until it is let go.
   * @param {PointerEvent} start
   * @param {boolean} added already a change
   */
  follow(start, added) {
    const surface = /** @type {Element} */ (this.layer.closest(".viewport"));
    const box = surface.getBoundingClientRect();
    let changed = added;
    const move = (/** @type {Event} */ raw) => {
      const event = /** @type {PointerEvent} */ (raw);
      if (event.pointerId !== start.pointerId) return;
      const still = Math.hypot(event.clientX - start.clientX, event.clientY - start.clientY) < 2;
      if (still && !changed) return;
      changed = true;
      this.tapped.corner = -1;
      const point = apply(inverse(this.matrix), [event.clientX - box.left, event.clientY - box.top]);
      this.rings[this.chosen.ring][this.chosen.corner] = clipped(point, this.image);
      this.draw();
    };
    const release = (/** @type {Event} */ event) => {
      if (/** @type {PointerEvent} */ (event).pointerId !== start.pointerId) return;
      for (const name of ["pointermove", "pointerup", "pointercancel"]) window.removeEventListener(name, name === "pointermove" ? move : release);
      if (changed) this.changed(this.copy());
    };
    window.addEventListener("pointermove", move);
    window.addEventListener("pointerup", release);
    window.addEventListener("pointercancel", release);
  }

  /** In the middle of the side that ends at `place`. @param {Place} place */
  insert({ ring, corner }) {
    const points = this.rings[ring];
    const [before, after] = [points[corner - 1], points[corner % points.length]];
    points.splice(corner, 0, [(before[0] + after[0]) / 2, (before[1] + after[1]) / 2]);
  }

  /** @param {Place} place */
  remove({ ring, corner }) {
    if (this.rings[ring].length > 3) this.rings[ring].splice(corner, 1);
    else if (this.rings.length > 1) this.rings.splice(ring, 1);
    else return; // an outline has three corners at least; the whole finding is rejected or deleted elsewhere
    this.chosen = { ring: Math.min(ring, this.rings.length - 1), corner: 0 };
    this.chosen.corner = Math.min(corner, this.rings[this.chosen.ring].length - 1);
    this.draw();
    this.changed(this.copy());
  }

  /** What the keys do. @param {"next"|"previous"|"delete"|"insert"} what */
  command(what) {
    const { ring, corner } = this.chosen;
    if (what === "delete") this.remove(this.chosen);
    else if (what === "insert") {
      this.chosen = { ring, corner: corner + 1 };
      this.insert(this.chosen);
      this.draw();
      this.changed(this.copy());
    } else this.step(what === "next" ? 1 : -1);
  }

  /** @param {1|-1} by */
  step(by) {
    const all = this.rings.flatMap((points, ring) => points.map((_, corner) => ({ ring, corner })));
    const now = all.findIndex(({ ring, corner }) => ring === this.chosen.ring && corner === this.chosen.corner);
    this.chosen = all[(now + by + all.length) % all.length];
    this.draw();
  }

  /** Move the chosen corner by screen px. @param {number} dx @param {number} dy */
  nudge(dx, dy) {
    const points = this.rings[this.chosen.ring];
    const [x, y] = apply(this.matrix, points[this.chosen.corner]);
    points[this.chosen.corner] = clipped(apply(inverse(this.matrix), [x + dx, y + dy]), this.image);
    this.draw();
    this.changed(this.copy());
  }

  copy() {
    return this.rings.map((ring) => ring.map((point) => /** @type {Point} */ ([...point])));
  }
}

/** @param {Point[]} ring screen px @param {number} r @param {Place} chosen */
function corners(ring, r, chosen) {
  return ring.map(([x, y], corner) => {
    const here = chosen.ring === r && chosen.corner === corner;
    return handle(`corner${here ? " chosen" : ""}`, r, corner, x, y, CORNER_RADIUS);
  });
}

/** @param {Point[]} ring screen px @param {number} r */
function middles(ring, r) {
  return ring.flatMap(([x0, y0], i) => {
    const [x1, y1] = ring[(i + 1) % ring.length];
    if (Math.hypot(x1 - x0, y1 - y0) < SHORTEST_SIDE) return [];
    return [handle("middle", r, i + 1, (x0 + x1) / 2, (y0 + y1) / 2, MIDDLE_RADIUS)];
  });
}

/** @param {string} kind @param {number} ring @param {number} corner @param {number} x @param {number} y @param {number} radius */
function handle(kind, ring, corner, x, y, radius) {
  const place = { cx: x.toFixed(1), cy: y.toFixed(1) };
  return svg("g", { class: kind, "data-ring": ring, "data-corner": corner },
    svg("circle", { ...place, r: matchMedia("(pointer: coarse)").matches ? TOUCH_RADIUS : radius + 5, class: "reach" }),
    svg("circle", { ...place, r: radius, class: "grip" }));
}
