/** What the commands of keys and tool bar do. */

import { openHelp } from "./dialogs.js";
import { byId } from "./dom.js";
import { OutlineDrawing } from "./viewer/drawing.js";
import { OutlineEditor } from "./viewer/editor.js";
import { Measurement } from "./viewer/measure.js";
import { flippedAcross, flippedDown, panned, rotated, zoomAt } from "./viewer/view.js";
import { dragged, PRESETS } from "./viewer/window.js";

/**
 * @typedef {{store: any, cases: import("./caseview.js").CaseView, acting: import("./acting.js").Acting,
 *            worklist: import("./worklist.js").Worklist, heat: import("./panel/heat.js").HeatControl,
 *            setTool: (tool: string) => void, setThreshold: (value: number) => void, hint: (text: string) => void}} Page
 */

const ZOOM_STEP = 1.25;
const PAN_PX = 40;
const WINDOW_STEP = 0.05;
const THRESHOLD_STEP = 0.01;

/** @type {Record<string, [number, number]>} */
const DIRECTIONS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** Command -> what it does; false where there was nothing to do. @type {Record<string, (page: Page, event: KeyboardEvent) => boolean|void>} */
export const COMMANDS = {
  "next-case": ({ worklist }) => void worklist.step(1),
  "previous-case": ({ worklist }) => void worklist.step(-1),
  "next-image": ({ cases, store }) => cases.turnTo(cases.places[store.state.active] + 1),
  "previous-image": ({ cases, store }) => cases.turnTo(cases.places[store.state.active] - 1),
  search: () => byId("search").focus(),
  upload: () => byId("files").click(),
  fit: ({ cases }) => cases.shownViewports().forEach((viewport) => viewport.fit()),
  one: ({ cases }) => cases.viewport.change((view) => ({ ...view, scale: 1 / Math.min(2, devicePixelRatio) })),
  "zoom-in": (page) => zoom(page, ZOOM_STEP),
  "zoom-out": (page) => zoom(page, 1 / ZOOM_STEP),
  arrow,
  turn: ({ cases }) => change(cases, (view) => rotated(view, 1)),
  "turn-back": ({ cases }) => change(cases, (view) => rotated(view, -1)),
  across: ({ cases }) => change(cases, flippedAcross),
  down: ({ cases }) => change(cases, flippedDown),
  reset,
  preset: ({ cases, store }) => usePreset({ cases, store }, PRESETS[(PRESETS.indexOf(cases.viewport.session?.preset ?? "first") + 1) % PRESETS.length]),
  width: (page, event) => window(page, DIRECTIONS[event.key][0], 0),
  level: (page, event) => window(page, 0, DIRECTIONS[event.key][1]),
  invert: ({ cases, store }) => {
    const { viewport } = cases;
    if (!viewport.session) return;
    viewport.session.inverted = !viewport.session.inverted;
    viewport.requestDraw();
    store.touch("drafts");
  },
  outlines: ({ store }) => store.set({ outlines: !store.state.outlines }),
  heat: ({ heat }) => void heat.toggle(),
  two: ({ cases, store }) => {
    cases.setTwo(!cases.two);
    store.touch("drafts");
  },
  link: ({ cases, store }) => {
    cases.linked = !cases.linked;
    store.touch("drafts");
  },
  measure: ({ setTool, store }) => setTool(store.state.tool === "measure" ? "pan" : "measure"),
  "threshold-down": ({ setThreshold, store }) => setThreshold(store.state.threshold - THRESHOLD_STEP),
  "threshold-up": ({ setThreshold, store }) => setThreshold(store.state.threshold + THRESHOLD_STEP),
  "next-finding": ({ cases, acting }) => (cases.viewport.tool instanceof OutlineEditor ? cases.viewport.tool.command("next") : acting.step(1)),
  "previous-finding": ({ cases, acting }) => (cases.viewport.tool instanceof OutlineEditor ? cases.viewport.tool.command("previous") : acting.step(-1)),
  accept: ({ acting }) => acting.judge("accepted"),
  reject: ({ acting }) => acting.judge("rejected"),
  class: ({ acting }) => acting.nextClass(),
  edit: ({ acting, store, setTool }) => (store.state.tool === "edit" ? setTool("pan") : acting.startEditing()),
  draw: ({ cases, setTool, store }) => {
    if (!cases.viewport.session) return false;
    setTool(store.state.tool === "draw" ? "pan" : "draw");
  },
  round: ({ acting }) => acting.addRound(),
  insert: ({ cases }) => cases.viewport.tool instanceof OutlineEditor && cases.viewport.tool.command("insert"),
  delete: remove,
  finish: ({ cases, store, setTool }) => {
    if (cases.viewport.tool instanceof OutlineDrawing) cases.viewport.tool.close();
    else if (store.state.tool === "pan") return false;
    else setTool("pan");
  },
  escape: ({ cases, store, setTool, acting }) => {
    cases.viewport.endTool();
    if (store.state.tool === "pan") acting.choose(null);
    else setTool("pan");
  },
  read: ({ acting }) => acting.finish(),
  undo: ({ acting }) => acting.travel("undo"),
  redo: ({ acting }) => acting.travel("redo"),
  help: openHelp,
};

/** @param {Page} page @param {string} command @param {KeyboardEvent} event @returns {boolean} */
export function runCommand(page, command, event) {
  return COMMANDS[command](page, event) !== false;
}

/** @param {Page} page @param {number} factor */
function zoom({ cases }, factor) {
  const { viewport } = cases;
  viewport.change((view) => zoomAt(view, factor, [viewport.size.width / 2, viewport.size.height / 2], viewport.size));
}

/** @param {import("./caseview.js").CaseView} cases @param {(view: import("./viewer/view.js").View) => import("./viewer/view.js").View} how */
function change(cases, how) {
  const fitted = cases.viewport.session?.fitted;
  cases.viewport.change(how);
  if (fitted) cases.viewport.fit();
}

/** @param {Page} page @param {KeyboardEvent} event */
function arrow({ cases }, event) {
  const { viewport } = cases;
  const [x, y] = DIRECTIONS[event.key];
  const step = event.shiftKey ? 10 : 1;
  if (viewport.tool instanceof OutlineEditor) viewport.tool.nudge(x * step, y * step);
  else viewport.change((view) => panned(view, -x * PAN_PX * step, -y * PAN_PX * step, viewport.size));
}

/** @param {Page} page @param {number} x @param {number} y */
function window({ cases, store }, x, y) {
  cases.viewport.setWindow((shown) => dragged(shown, x * WINDOW_STEP, -y * WINDOW_STEP));
  store.touch("drafts");
}

/** @param {{cases: import("./caseview.js").CaseView, store: any}} page @param {import("./viewer/window.js").Preset} name */
export function usePreset({ cases, store }, name) {
  const { session } = cases.viewport;
  if (!session?.pyramid) return false;
  session.preset = name;
  session.ownWindow = null;
  cases.viewport.requestDraw();
  store.touch("drafts");
}

/** @param {Page} page */
function reset(page) {
  const { cases } = page;
  const { session } = cases.viewport;
  if (!session) return false;
  session.inverted = false;
  usePreset(page, "first");
  cases.viewport.change((view) => ({ ...view, turns: 0, mirrored: false }));
  cases.viewport.fit();
  page.store.touch("drafts");
}

/** @param {Page} page */
function remove({ cases, acting }) {
  const { tool } = cases.viewport;
  if (tool instanceof OutlineEditor) tool.command("delete");
  else if (tool instanceof OutlineDrawing) tool.removeLast();
  else if (tool instanceof Measurement && tool.ends) tool.destroy();
  else return acting.remove();
}
