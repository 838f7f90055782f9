/** Icons of the tool bar, drawn for this page: strokes on a grid of 20 x 20. */

import { svg } from "./dom.js";

/** Name -> path. @type {Record<string, string>} */
const PATHS = {
  pan: "M10 2v16M2 10h16M7.5 4.5 10 2l2.5 2.5M7.5 15.5 10 18l2.5-2.5M4.5 7.5 2 10l2.5 2.5M15.5 7.5 18 10l-2.5 2.5",
  window: "M10 3a7 7 0 1 0 0 14 7 7 0 0 0 0-14ZM10 3v14M10 6.5l5.5-1M10 10h7M10 13.5l5.5 1.2",
  measure: "M2.5 14 14 2.5l3.5 3.5L6 17.5ZM5.5 11l1.8 1.8M8.3 8.2l2.6 2.6M11.2 5.4 13 7.2",
  draw: "M4 16l1-4.2L14 2.8l3.2 3.2-9 9ZM12 4.8 15.2 8",
  fit: "M3 7V3h4M13 3h4v4M17 13v4h-4M7 17H3v-4M7 7h6v6H7Z",
  one: "M4 6.2 6.5 4.5v11M13.5 6.2 16 4.5v11M10.2 8v.2M10.2 12v.2",
  turn: "M15.5 6.5A7 7 0 1 0 17 11M16 2.5v4.2h-4.2",
  across: "M10 2v16M7.5 5.5v9L2.5 14.5ZM12.5 5.5v9l5 0Z",
  down: "M2 10h16M5.5 7.5h9L14.5 2.5ZM5.5 12.5h9l0 5Z",
  invert: "M10 3a7 7 0 1 0 0 14ZM10 3a7 7 0 0 1 0 14",
  reset: "M4.5 6.5A7 7 0 1 1 3 11M4 2.5v4.2h4.2",
  outlines: "M5 4.5 11 3l5.5 4.2L15 14l-6.5 3L3.5 12Z",
  heat: "M10 2.5c.5 3-3.8 4.6-3.8 9a4.2 4.2 0 0 0 8.1 1.4c.9-3-1.2-4.2-1.3-6.4-1.2.6-1.6 1.9-1.5 3C10 8 11.3 5 10 2.5Z",
  two: "M2.5 4h6.5v12H2.5ZM11 4h6.5v12H11Z",
  link: "M8.5 11.5a3 3 0 0 0 4.3 0l3-3a3 3 0 0 0-4.3-4.3l-1 1M11.5 8.5a3 3 0 0 0-4.3 0l-3 3a3 3 0 0 0 4.3 4.3l1-1",
  upload: "M10 13V3M6 6.8 10 3l4 3.8M3 13v4h14v-4",
  undo: "M4 8h8.5a4 4 0 0 1 0 8H8M7.5 4.5 4 8l3.5 3.5",
  redo: "M16 8H7.5a4 4 0 0 0 0 8H12M12.5 4.5 16 8l-3.5 3.5",
  eye: "M1.8 10S4.8 4.8 10 4.8 18.2 10 18.2 10 15.2 15.2 10 15.2 1.8 10 1.8 10ZM10 7.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5Z",
  accept: "M4 10.5 8.3 15 16.5 5.5",
  reject: "M5 5l10 10M15 5 5 15",
  edit: "M4 16l1-4.2L14 2.8l3.2 3.2-9 9Z",
  remove: "M4 5.5h12M8 5.5V3.5h4v2M5.5 5.5l.8 11.5h7.4l.8-11.5",
  help: "M7 7.2a3 3 0 1 1 4.3 2.7c-.9.5-1.3 1-1.3 2.1M10 15.3v.4",
  user: "M10 3.5a3 3 0 1 0 0 6 3 3 0 0 0 0-6ZM3.5 17a6.5 6.5 0 0 1 13 0",
  export: "M10 3v10M6 9.2 10 13l4-3.8M3 13v4h14v-4",
};

/** @param {string} name */
export function icon(name) {
  if (!(name in PATHS)) throw new Error(`no icon is called ${name}`);
  return svg("svg", { viewBox: "0 0 20 20", class: "icon", "aria-hidden": "true", focusable: "false" }, svg("path", { d: PATHS[name] }));
}

/** Put icons where the page asks for them: `data-icon="NAME"`. @param {ParentNode} root */
export function fillIcons(root) {
  for (const place of root.querySelectorAll("[data-icon]")) place.prepend(icon(place.getAttribute("data-icon") ?? ""));
}
