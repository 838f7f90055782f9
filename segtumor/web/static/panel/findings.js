/** The list of findings; the one that is chosen opens, with its probabilities, verdict, class and comment. */

import { el, keyed, setText } from "../dom.js";
import { icon } from "../icons.js";
import { sizeText } from "../review/entries.js";
import { showProbabilities } from "./facts.js";

/**
 * @typedef {import("../review/entries.js").Entry} Entry
 * @typedef {{choose: (key: string) => void, toggle: (key: string) => void, accept: () => void, reject: () => void,
 *            edit: () => void, remove: () => void, setClass: (name: string) => void, comment: (text: string) => void,
 *            classes: () => string[], colourOf: (name: string) => string}} Acts of the chosen finding, but for the first two
 */

/** Words for a verdict in the list. */
const VERDICTS = /** @type {Record<string, string>} */ ({ accepted: "accepted", rejected: "rejected", edited: "edited", drawn: "drawn" });

/**
 * @param {Element} list
 * @param {Entry[]} entries
 * @param {import("../session.js").Session} session
 * @param {Acts} acts
 * @param {boolean} editing whether the chosen outline is being edited
 */
export function showFindings(list, entries, session, acts, editing) {
  keyed(list, entries, (entry) => entry.key, (entry) => newRow(entry.key, acts), (row, entry) => update(row, entry, session, acts, editing));
}

/** @param {string} key @param {Acts} acts */
function newRow(key, acts) {
  const choose = () => acts.choose(key);
  const head = el("div", { class: "finding-head" },
    el("button", { type: "button", class: "eye", onclick: () => acts.toggle(key) }, icon("eye")),
    el("button", { type: "button", class: "pick", onclick: choose },
      el("span", { class: "swatch" }), el("span", { class: "finding-name" }), el("span", { class: "finding-class" }),
      el("span", { class: "verdict" }), el("span", { class: "number" })));
  return el("li", { class: "finding", "data-testid": "finding" }, head, newDetail(key, acts));
}

/** @param {string} key @param {Acts} acts */
function newDetail(key, acts) {
  /** @param {string} name @param {string} text @param {string} shortcut @param {() => void} act */
  const button = (name, text, shortcut, act) =>
    el("button", { type: "button", class: `btn btn-sm act act-${name}`, "data-act": name, "aria-keyshortcuts": shortcut, onclick: act }, icon(name), text);
  const id = `class-${key}`;
  return el("div", { class: "finding-detail" },
    el("div", { class: "probabilities" }),
    el("div", { class: "size" }),
    el("div", { class: "acts" },
      button("accept", "Accept", "a", () => acts.accept()),
      button("reject", "Reject", "x", () => acts.reject()),
      button("edit", "Outline", "e", () => acts.edit()),
      button("remove", "Delete", "Delete", () => acts.remove())),
    el("div", { class: "class-row" }, el("label", { for: id }, "Class"),
      el("select", { id, class: "field class-choice", onchange: (/** @type {Event} */ event) => acts.setClass(/** @type {HTMLSelectElement} */ (event.target).value) },
        ...acts.classes().map((name) => el("option", { value: name }, name)))),
    el("textarea", { class: "field comment", rows: 2, maxlength: 2000, "aria-label": "Comment on this finding", placeholder: "Comment",
      oninput: (/** @type {Event} */ event) => acts.comment(/** @type {HTMLTextAreaElement} */ (event.target).value) }));
}

/** @param {Element} row @param {Entry} entry @param {import("../session.js").Session} session @param {Acts} acts @param {boolean} editing */
function update(row, entry, session, acts, editing) {
  const chosen = session.selected === entry.key;
  row.className = `finding ${entry.verdict ?? "open"}${chosen ? " chosen" : ""}`;
  const find = (/** @type {string} */ selector) => /** @type {HTMLElement} */ (row.querySelector(selector));
  const shown = !session.hidden.has(entry.key);
  find(".eye").setAttribute("aria-pressed", String(shown));
  find(".eye").setAttribute("aria-label", `Outline of finding ${entry.name}`);
  find(".pick").setAttribute("aria-expanded", String(chosen));
  find(".swatch").style.background = acts.colourOf(entry.class);
  setText(find(".finding-name"), entry.name);
  setText(find(".finding-class"), entry.class);
  setText(find(".verdict"), entry.verdict ? VERDICTS[entry.verdict] : "");
  setText(find(".number"), entry.score === null ? "" : entry.score.toFixed(2));
  find(".finding-detail").hidden = !chosen;
  if (!chosen) return;
  showProbabilities(find(".probabilities"), entry.finding?.probabilities ?? {});
  setText(find(".size"), sizeText(entry, session.image));
  for (const button of row.querySelectorAll(".act")) {
    const name = button.getAttribute("data-act");
    const pressed = { accept: entry.verdict === "accepted", reject: entry.verdict === "rejected", edit: editing }[name ?? ""];
    if (pressed !== undefined) button.setAttribute("aria-pressed", String(pressed));
    /** @type {HTMLElement} */ (button).hidden = name === "remove" ? entry.finding !== null : entry.finding === null && name !== "edit";
  }
  const choice = /** @type {HTMLSelectElement} */ (find(".class-choice"));
  if (choice.value !== entry.class) choice.value = entry.class;
  const comment = /** @type {HTMLTextAreaElement} */ (find(".comment"));
  comment.disabled = entry.verdict === null;
  comment.placeholder = entry.verdict === null ? "Accept, reject or edit first, then comment" : "Comment";
  if (comment !== document.activeElement && comment.value !== entry.comment) comment.value = entry.comment;
}
