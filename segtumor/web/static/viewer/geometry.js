/**
 * Outlines as numbers: areas, diameters, fewer points.
 *
 * @typedef {[number, number]} Point image px
 * @typedef {Point[]} Ring closed without repeating its first point
 */

/** Area within one ring, px. @param {Ring} ring */
export function ringArea(ring) {
  let twice = 0;
  for (let i = 0; i < ring.length; i++) {
    const [x0, y0] = ring[i];
    const [x1, y1] = ring[(i + 1) % ring.length];
    twice += x0 * y1 - x1 * y0;
  }
  return Math.abs(twice) / 2;
}

/**
 * Longest distance between two points of an outline.
 * @param {Ring[]} rings
 * @param {[number, number]} [spacing] mm per px, row and column; [1, 1] gives px
 */
export function diameter(rings, [row, column] = [1, 1]) {
  const points = hull(rings.flat());
  let longest = 0;
  for (let i = 0; i < points.length; i++) {
    for (let j = i + 1; j < points.length; j++) {
      longest = Math.max(longest, Math.hypot((points[i][0] - points[j][0]) * column, (points[i][1] - points[j][1]) * row));
    }
  }
  return longest;
}

/** Convex hull (Andrew's monotone chain, 1979). @param {Point[]} points @returns {Point[]} */
function hull(points) {
  const sorted = [...points].sort((p, q) => p[0] - q[0] || p[1] - q[1]);
  if (sorted.length < 3) return sorted;
  const half = (/** @type {Point[]} */ ordered) => {
    /** @type {Point[]} */
    const chain = [];
    for (const point of ordered) {
      while (chain.length > 1 && turn(chain[chain.length - 2], chain[chain.length - 1], point) <= 0) chain.pop();
      chain.push(point);
    }
    chain.pop();
    return chain;
  };
  return [...half(sorted), ...half(sorted.reverse())];
}

/** @param {Point} o @param {Point} a @param {Point} b */
const turn = (o, a, b) => (a[0] - o[0]) * (b[1] - o[1]) - (a[1] - o[1]) * (b[0] - o[0]);

/** Even and odd: holes are rings too. @param {Ring[]} rings @param {Point} point */
export function contains(rings, [x, y]) {
  let inside = false;
  for (const ring of rings) {
    for (let i = 0, j = ring.length - 1; i < ring.length; j = i++) {
      const [xi, yi] = ring[i];
      const [xj, yj] = ring[j];
      if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) inside = !inside;
    }
  }
  return inside;
}

/** Smallest box around: x0, y0, x1, y1. @param {Ring[]} rings */
export function boxOf(rings) {
  const points = rings.flat();
  const xs = points.map((point) => point[0]);
  const ys = points.map((point) => point[1]);
  return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
}

/** Within the picture. @param {Point} point @param {{width: number, height: number}} image @returns {Point} */
export function clipped([x, y], { width, height }) {
  return [Math.min(width, Math.max(0, x)), Math.min(height, Math.max(0, y))];
}

/**
 * Few enough points to take hold of: those that matter to half a pixel, or more where that leaves too many
 * (Douglas and Peucker 1973).
 * @param {Ring} ring
 * @param {number} most
 * @returns {Ring}
 */
export function simplified(ring, most = 36) {
  for (let tolerance = 0.5; ; tolerance *= 1.5) {
    const kept = closedDouglasPeucker(ring, tolerance);
    if (kept.length <= most) return kept.length >= 3 ? kept : ring;
  }
}

/** @param {Ring} ring @param {number} tolerance px @returns {Ring} */
function closedDouglasPeucker(ring, tolerance) {
  let opposite = 0;
  const away = (/** @type {number} */ i) => Math.hypot(ring[i][0] - ring[0][0], ring[i][1] - ring[0][1]);
  for (let i = 1; i < ring.length; i++) if (away(i) > away(opposite)) opposite = i;
  const there = douglasPeucker(ring.slice(0, opposite + 1), tolerance);
  const back = douglasPeucker([...ring.slice(opposite), ring[0]], tolerance);
  return [...there.slice(0, -1), ...back.slice(0, -1)];
}

/** @param {Point[]} line @param {number} tolerance @returns {Point[]} */
function douglasPeucker(line, tolerance) {
  if (line.length < 3) return line;
  const [first, last] = [line[0], line[line.length - 1]];
  let [furthest, index] = [0, 0];
  for (let i = 1; i < line.length - 1; i++) {
    const distance = toSegment(line[i], first, last);
    if (distance > furthest) [furthest, index] = [distance, i];
  }
  if (furthest <= tolerance) return [first, last];
  return [...douglasPeucker(line.slice(0, index + 1), tolerance).slice(0, -1), ...douglasPeucker(line.slice(index), tolerance)];
}

/** Distance of a point to a stretch. @param {Point} p @param {Point} a @param {Point} b */
function toSegment(p, a, b) {
  const [dx, dy] = [b[0] - a[0], b[1] - a[1]];
  const along = ((p[0] - a[0]) * dx + (p[1] - a[1]) * dy) / (dx * dx + dy * dy || 1);
  const t = Math.min(1, Math.max(0, along));
  return Math.hypot(p[0] - a[0] - t * dx, p[1] - a[1] - t * dy);
}

/** @param {Ring[]} rings */
export const pathOf = (rings) => rings.map((ring) => `M${ring.map(([x, y]) => `${round(x)} ${round(y)}`).join("L")}Z`).join("");

/** Hundredths of a pixel are enough. @param {number} value */
export const round = (value) => Math.round(value * 100) / 100;
