/** The page: its parts, and what they tell each other. */

import { Acting } from "./acting.js";
import * as api from "./api.js";
import { Archive } from "./archive.js";
import { CaseView } from "./caseview.js";
import { runCommand } from "./commands.js";
import { askConflict, askName, openHelp, showName } from "./dialogs.js";
import { byId, setText } from "./dom.js";
import { HeatControl } from "./panel/heat.js";
import { showFacts } from "./panel/facts.js";
import { showFindings } from "./panel/findings.js";
import { addThreshold, withinSlider } from "./panel/threshold.js";
import { addTools } from "./panel/tools.js";
import { showWhole } from "./panel/whole.js";
import { fillIcons } from "./icons.js";
import { listen } from "./keys.js";
import { Saver } from "./review/saver.js";
import { createStore } from "./state.js";
import { Upload } from "./upload.js";
import { Worklist } from "./worklist.js";

const HINT_MS = 5000;

/** @param {any} about */
function start(about) {
  const store = createStore({ threshold: withinSlider(about.model.threshold), opacity: 0.16, outlines: true, tool: "pan", active: 0, drafts: 0 });
  const { state } = store;
  const classes = () => /** @type {string[]} */ (about.model.classes);
  const colours = new Map(about.model.classes.map((/** @type {string} */ name, /** @type {number} */ i) => [name, about.model.colours[i] ?? "#aaaaaa"]));
  const colourOf = (/** @type {string} */ name) => /** @type {string} */ (colours.get(name) ?? "#aaaaaa");
  const touch = () => store.set({ drafts: state.drafts + 1 });

  let hiding = 0;
  const hint = (/** @type {string} */ text) => {
    clearTimeout(hiding);
    setText(byId("hint"), text);
    if (text) hiding = setTimeout(() => setText(byId("hint"), ""), HINT_MS);
  };

  const saver = new Saver({
    report: ({ state: name, text }) => {
      byId("save").dataset.state = name;
      setText(byId("save-text"), text);
      byId("retry").hidden = name !== "failed";
    },
    saved: () => {
      touch();
      worklist.refresh();
    },
    replaced: touch,
    askName,
    askConflict,
  });

  const cases = new CaseView({
    store,
    tapped: (at) => acting.tap(at),
    drawn: (ring) => acting.add(ring),
    changed: () => {
      touch();
      heat.follow();
    },
    told: hint,
  });
  const acting = new Acting({
    viewport: () => cases.viewport,
    changed: (session) => {
      saver.changed(session);
      touch();
    },
    shown: touch,
    setTool: (tool) => setTool(tool),
    threshold: () => state.threshold,
    classes,
    colourOf,
    told: hint,
  });
  const heat = new HeatControl({ methods: about.model.heat_methods, map: (session, method) => cases.opening.map(session, method), viewports: () => cases.shownViewports() });
  const worklist = new Worklist({ open: (row) => cases.open(row.images), renewed: (row) => cases.renew(row.images), told: hint });
  const upload = new Upload({
    received: (images, first) => {
      if (first && ["pan", "window"].includes(state.tool)) {
        worklist.current = images[0].case; // what was just dropped is what one wants to see, unless a hand is at work
        cases.open(images.filter((image) => image.case === images[0].case).map(({ id }) => id));
      }
      worklist.refresh();
    },
    bodyLimit: () => about.limits.body_bytes,
  });

  if (about.dicomweb) {
    new Archive({
      received: (images) => {
        if (images.length) cases.open(images.map(({ id }) => id));
        worklist.refresh();
      },
      told: hint,
      session: () => cases.viewport.session,
      kinds: about.dicom_outputs,
    });
  }

  /** @param {string} tool */
  function setTool(tool) {
    if (tool !== "edit" && tool !== "measure") cases.viewport.endTool();
    if (tool === "draw") cases.viewport.startDrawing();
    store.set({ tool });
    const words = { draw: "Click corner by corner, or drag freehand. Enter closes, Escape leaves.", edit: "Drag corners; drag a small dot to add one; double click removes. Enter when done.", measure: "Drag from one point to the other." };
    hint(/** @type {Record<string, string>} */ (words)[tool] ?? "");
  }

  const setThreshold = (/** @type {number} */ value) => store.set({ threshold: withinSlider(value) });
  const showThreshold = addThreshold({ about, changed: setThreshold });
  store.on(["threshold"], () => showThreshold(state.threshold));

  const acts = {
    choose: (/** @type {string} */ key) => acting.choose(key),
    toggle: (/** @type {string} */ key) => cases.toggle(key),
    accept: () => acting.judge("accepted"),
    reject: () => acting.judge("rejected"),
    edit: () => (state.tool === "edit" ? setTool("pan") : acting.startEditing()),
    remove: () => acting.remove(),
    setClass: (/** @type {string} */ name) => acting.setClass(name),
    comment: (/** @type {string} */ text) => acting.comment(cases.viewport.session?.selected ?? null, text),
    classes,
    colourOf,
  };
  store.on(["threshold", "opacity", "outlines", "tool", "active", "drafts"], () => {
    const { session } = cases.viewport;
    const entries = acting.entries();
    cases.render({ colourOf, about });
    showFacts(session, entries, state.threshold);
    if (session) showFindings(byId("findings"), entries, session, acts, state.tool === "edit");
    showWhole(session, about);
  });

  const commands = { store, cases, acting, worklist, heat, setTool, setThreshold, hint, classes };
  const run = (/** @type {string} */ command, /** @type {KeyboardEvent} */ event) => runCommand(commands, command, event);
  addTools({ store, cases, setTool, run });
  listen(run);

  byId("comment").addEventListener("input", (event) => acting.comment(null, /** @type {HTMLTextAreaElement} */ (event.target).value));
  byId("retry").addEventListener("click", () => saver.retry());
  byId("reader").addEventListener("click", () => askName());
  byId("open-help").addEventListener("click", openHelp);
  cases.addDeleting(() => worklist.refresh());
  window.addEventListener("beforeunload", (event) => {
    if (!saver.unsaved) return;
    saver.flush();
    event.preventDefault();
  });
  document.addEventListener("visibilitychange", () => document.hidden && saver.flush());

  worklist.refresh().then(() => {
    if (!cases.viewport.session && !upload.running && worklist.rows.length) worklist.open(worklist.rows[0]);
  });
  document.documentElement.dataset.ready = "true";
}

fillIcons(document);
showName();
api.about().then(start, (/** @type {Error} */ error) => {
  setText(byId("hint"), `${error.message} Reload the page once the server runs.`);
});
