/**
 * Mouse, pen and fingers on a viewport, as what they mean. Two fingers always zoom and pan; one pointer does what the
 * tool says, the right button (or Shift) always sets the window, the middle button (or Space held) always pans.
 *
 * @typedef {[number, number]} Point CSS px of the viewport
 * @typedef {{
 *   tool: () => string, spaceHeld: () => boolean,
 *   zoom: (factor: number, at: Point) => void, pan: (dx: number, dy: number) => void,
 *   window: (dx: number, dy: number) => void, tap: (at: Point) => void, hover: (at: Point|null) => void,
 *   begin: (at: Point, event: PointerEvent) => void, extend: (at: Point) => void, finish: (at: Point) => void,
 *   twice: (at: Point) => void,
 * }} Meaning `begin`, `extend`, `finish`: a tool that draws (measure, draw)
 */

/** Farther than this, CSS px, it is a drag. */
const CLICK_RADIUS = 4;
const LINE_PX = 16;
const DRAWING = ["measure", "draw"];

/** @param {HTMLElement} element @param {Meaning} meaning */
export function addGestures(element, meaning) {
  /** @type {Map<number, Point>} */
  const pointers = new Map();
  let mode = "";
  let start = /** @type {Point} */ ([0, 0]);
  let moved = false;

  const at = (/** @type {MouseEvent} */ event) => {
    const box = element.getBoundingClientRect();
    return /** @type {Point} */ ([event.clientX - box.left, event.clientY - box.top]);
  };
  const modeOf = (/** @type {PointerEvent} */ event) => {
    if (event.button === 1 || meaning.spaceHeld()) return "pan";
    if (event.button === 2 || event.shiftKey) return "window";
    if (DRAWING.includes(meaning.tool())) return "draw";
    return meaning.tool() === "window" ? "window" : "pan";
  };

  element.addEventListener("pointerdown", (event) => {
    if (pointers.size === 0) {
      [mode, start, moved] = [modeOf(event), at(event), false];
      if (mode === "draw") meaning.begin(start, event);
    } else mode = "pinch";
    pointers.set(event.pointerId, at(event));
    element.setPointerCapture(event.pointerId);
  });

  element.addEventListener("pointermove", (event) => {
    const now = at(event);
    meaning.hover(now);
    const before = pointers.get(event.pointerId);
    if (!before) return;
    if (!moved && Math.hypot(now[0] - start[0], now[1] - start[1]) < CLICK_RADIUS && mode !== "pinch") return;
    moved = true;
    if (mode === "pinch") pinch(event.pointerId, before, now);
    else if (mode === "pan") meaning.pan(now[0] - before[0], now[1] - before[1]);
    else if (mode === "window") meaning.window(now[0] - before[0], now[1] - before[1]);
    else if (mode === "draw") meaning.extend(now);
    pointers.set(event.pointerId, now);
  });

  /** @param {number} id @param {Point} before @param {Point} now */
  function pinch(id, before, now) {
    const other = [...pointers].find(([key]) => key !== id)?.[1];
    if (!other) return;
    const spread = (/** @type {Point} */ p) => Math.max(1, Math.hypot(p[0] - other[0], p[1] - other[1]));
    meaning.zoom(spread(now) / spread(before), [(now[0] + other[0]) / 2, (now[1] + other[1]) / 2]);
    meaning.pan((now[0] - before[0]) / 2, (now[1] - before[1]) / 2);
  }

  element.addEventListener("pointerup", (event) => {
    if (!pointers.delete(event.pointerId)) return;
    if (mode === "draw") meaning.finish(at(event));
    else if (!moved && mode === "pan" && event.button === 0) meaning.tap(at(event));
    if (pointers.size === 0) mode = "";
  });
  element.addEventListener("pointercancel", (event) => pointers.delete(event.pointerId));
  element.addEventListener("pointerleave", () => meaning.hover(null));
  element.addEventListener("dblclick", (event) => meaning.twice(at(event)));
  element.addEventListener("contextmenu", (event) => event.preventDefault());
  element.addEventListener("wheel", (event) => {
    event.preventDefault();
    const px = event.deltaY * (event.deltaMode === WheelEvent.DOM_DELTA_LINE ? LINE_PX : 1);
    meaning.zoom(Math.exp(-px * (event.ctrlKey ? 0.01 : 0.0015)), at(event)); // a trackpad's pinch comes with ctrlKey
  }, { passive: false });
}
