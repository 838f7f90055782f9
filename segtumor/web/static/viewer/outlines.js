/** Outlines of findings above the picture: SVG in image px, whose transform follows the view. */

import { keyed, setText, svg } from "../dom.js";
import { boxOf, pathOf } from "./geometry.js";
import { apply } from "./view.js";

/**
 * @typedef {import("../review/entries.js").Entry} Entry
 * @typedef {import("./view.js").Matrix} Matrix
 * @typedef {{opacity: number, shown: boolean, hidden: Set<string>, selected: string|null, editing: string|null,
 *            colourOf: (name: string) => string}} Look
 */

const TEXT_PX = 14;

export class Outlines {
  /** @param {Element} parent */
  constructor(parent) {
    this.world = svg("g", { class: "world" });
    this.labels = svg("g", { class: "labels" });
    /** Where tools draw: screen px. */
    this.tools = svg("g", { class: "tool-layer" });
    this.element = svg("svg", { class: "outlines", "aria-hidden": "true" }, this.world, this.labels, this.tools);
    parent.append(this.element);
    /** @type {Entry[]} */
    this.seen = [];
    /** @type {Matrix} */
    this.matrix = [1, 0, 0, 1, 0, 0];
  }

  /** @param {Entry[]} entries @param {Look} look */
  render(entries, look) {
    this.seen = look.shown ? entries.filter((entry) => entry.rings.length && !look.hidden.has(entry.key)) : [];
    /** @type {(entry: Entry) => string} */
    const key = (entry) => entry.key;
    keyed(this.world, this.seen, key, () => svg("g", {}, svg("path", { class: "model" }), svg("path", { class: "current" })), (group, entry) => {
      const [model, current] = group.children;
      group.setAttribute("class", `outline ${entry.verdict ?? "open"}${entry.key === look.selected ? " selected" : ""}`);
      const changed = entry.verdict === "edited" && entry.finding;
      attribute(model, "d", changed && entry.finding ? pathOf(entry.finding.outlines) : "");
      attribute(current, "d", entry.key === look.editing ? "" : pathOf(entry.rings));
      attribute(current, "fill-opacity", String(entry.verdict === "rejected" ? 0 : look.opacity));
      attribute(current, "fill", look.colourOf(entry.class));
      attribute(current, "stroke", look.colourOf(entry.class));
      attribute(model, "stroke", look.colourOf(entry.finding?.class ?? entry.class));
    });
    keyed(this.labels, this.seen, key, () => svg("text", {}), (text, entry) => {
      text.setAttribute("class", entry.key === look.selected ? "selected" : "");
      setText(text, entry.label);
    });
    this.place(this.matrix);
  }

  /** Follow the view. @param {Matrix} matrix image to screen */
  place(matrix) {
    this.matrix = matrix;
    this.world.setAttribute("transform", `matrix(${matrix.join(" ")})`);
    this.seen.forEach((entry, i) => {
      const [x0, y0, x1, y1] = boxOf(entry.rings);
      const corners = [[x0, y0], [x1, y0], [x0, y1], [x1, y1]].map((corner) => apply(matrix, /** @type {[number, number]} */ (corner)));
      const text = this.labels.children[i];
      text.setAttribute("x", String(Math.round(Math.min(...corners.map((corner) => corner[0])))));
      const above = Math.round(Math.min(...corners.map((corner) => corner[1])) - 6);
      const bottom = Math.max(...corners.map((corner) => corner[1]));
      text.setAttribute("y", String(bottom > TEXT_PX ? Math.max(TEXT_PX, above) : above)); // at the edge while the finding is seen
    });
  }
}

/** @param {Element} element @param {string} name @param {string} value */
function attribute(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}
