/** Every key of the page in one table: what listens to keys and the help dialog both read it. */

import { el } from "./dom.js";

/** Key as `event.key` has it (with Ctrl, Alt, Shift where they matter), command, what it does; a row of one text is a heading. */
export const KEYS = /** @type {[string[], string, string][]} */ ([
  [["j", "PageDown"], "next-case", "next case"],
  [["k", "PageUp"], "previous-case", "previous case"],
  [["."], "next-image", "next picture of the case"],
  [[","], "previous-image", "previous picture"],
  [["/"], "search", "search the worklist"],
  [["u"], "upload", "upload files"],
  [["f"], "fit", "whole picture"],
  [["1"], "one", "one pixel to one"],
  [["+", "="], "zoom-in", "zoom in"],
  [["-"], "zoom-out", "zoom out"],
  [["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"], "arrow", "move the picture, or the chosen corner"],
  [["r"], "turn", "turn clockwise"],
  [["Shift+R"], "turn-back", "turn back"],
  [["h"], "across", "swap left and right"],
  [["v"], "down", "swap top and bottom"],
  [["0"], "reset", "as it came"],
  [["w"], "preset", "next window: first, auto, bone, soft"],
  [["Alt+ArrowLeft", "Alt+ArrowRight"], "width", "narrower, wider window"],
  [["Alt+ArrowUp", "Alt+ArrowDown"], "level", "darker, brighter"],
  [["i"], "invert", "invert"],
  [["o"], "outlines", "outlines on and off"],
  [["g"], "heat", "heat map on and off"],
  [["t"], "two", "two pictures side by side"],
  [["l"], "link", "link their zoom"],
  [["m"], "measure", "measure a distance"],
  [["["], "threshold-down", "lower threshold"],
  [["]"], "threshold-up", "higher threshold"],
  [["n"], "next-finding", "next finding, or corner"],
  [["Shift+N"], "previous-finding", "previous finding, or corner"],
  [["a"], "accept", "accept"],
  [["x"], "reject", "reject"],
  [["c"], "class", "next class"],
  [["e"], "edit", "edit the outline"],
  [["d"], "draw", "draw a finding"],
  [["Shift+D"], "round", "put a round outline in the middle and edit it"],
  [["Insert"], "insert", "add a corner after the chosen one"],
  [["Delete", "Backspace"], "delete", "delete the corner, the measurement or the drawn finding"],
  [["Enter"], "finish", "finish drawing or editing"],
  [["Escape"], "escape", "leave the tool"],
  [["q"], "read", "accept the rest; read, nothing to add"],
  [["Ctrl+z"], "undo", "undo"],
  [["Ctrl+Shift+Z", "Ctrl+y"], "redo", "redo"],
  [["?"], "help", "this help"],
]);

const HEADINGS = /** @type {Record<string, string>} */ ({
  "next-case": "Worklist", fit: "Picture", preset: "Window", outlines: "Show", "next-finding": "Findings", help: "Page",
});

const COMMANDS = new Map(KEYS.flatMap(([keys, command]) => keys.map((key) => [key, command])));
/** In these elements keys write, or have a meaning of their own. */
const WRITING = "input:not([type=range]):not([type=checkbox]), textarea, select";

/** @param {KeyboardEvent} event */
export function nameOf(event) {
  const shift = event.shiftKey && (/^[A-Z]$/.test(event.key) || event.key.length > 1);
  return `${event.ctrlKey || event.metaKey ? "Ctrl+" : ""}${event.altKey ? "Alt+" : ""}${shift ? "Shift+" : ""}${event.key}`;
}

/** @param {(command: string, event: KeyboardEvent) => boolean} run whether the command had anything to do */
export function listen(run) {
  document.addEventListener("keydown", (event) => {
    const target = /** @type {Element} */ (event.target);
    if (event.isComposing || document.querySelector("dialog[open]")) return;
    if (target.matches(WRITING)) {
      if (event.key === "Escape") /** @type {HTMLElement} */ (target).blur();
      return;
    }
    if (ownMeaning(target, event)) return;
    const name = nameOf(event);
    const command = COMMANDS.get(name) ?? COMMANDS.get(name.replace("Shift+Arrow", "Arrow")); // Shift: ten times as far
    if (command && run(command, event)) event.preventDefault();
  });
}

/** A slider moves by arrows, a button is pressed by Enter, a list scrolls. @param {Element} target @param {KeyboardEvent} event */
function ownMeaning(target, event) {
  if (target.matches("input[type=range]")) return event.key.startsWith("Arrow") || event.key.startsWith("Page");
  if (target.matches("button, a, summary, [role=button]")) return event.key === "Enter" || event.key === " ";
  return false;
}

const SIGNS = /** @type {Record<string, string>} */ ({ ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", PageDown: "Page ↓", PageUp: "Page ↑" });

/** @param {string} key */
const shownKey = (key) => key.split("+").map((part) => SIGNS[part] ?? (part.length === 1 ? part.toUpperCase() : part)).join(" + ") || "+";

/** The tables of the help dialog. @param {Element} place */
export function fillHelp(place) {
  let body = /** @type {HTMLElement|null} */ (null);
  for (const [keys, command, text] of KEYS) {
    if (command in HEADINGS || !body) {
      body = el("dl", {});
      place.append(el("section", {}, el("h3", {}, HEADINGS[command] ?? ""), body));
    }
    const caps = keys.map((key) => el("kbd", {}, key === "+" ? "+" : shownKey(key)));
    body.append(el("dt", {}, ...caps), el("dd", {}, text));
  }
}
