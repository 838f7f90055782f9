/** Questions the page asks: who is reading, what to do where two readers saved at once; and the help. */

import * as api from "./api.js";
import { byId, setText } from "./dom.js";
import { fillHelp } from "./keys.js";
import { reviewText } from "./review/merge.js";

/** @param {string} id */
const dialog = (id) => /** @type {HTMLDialogElement} */ (byId(id));

export function openHelp() {
  const place = byId("help-keys");
  if (!place.childElementCount) fillHelp(place);
  dialog("help").showModal();
}

/**
 * The answer of a dialog: the value of the button that closed it, "" after Escape.
 * @param {HTMLDialogElement} element
 * @returns {Promise<string>}
 */
function answerOf(element) {
  element.returnValue = "";
  if (!element.open) element.showModal();
  return new Promise((resolve) => element.addEventListener("close", () => resolve(element.returnValue), { once: true }));
}

/** @type {Promise<boolean>|null} */
let asking = null;

/** Ask for the reader's name. @returns {Promise<boolean>} whether there is one now */
export function askName() {
  asking ??= ask().finally(() => (asking = null));
  return asking;
}

async function ask() {
  const input = /** @type {HTMLInputElement} */ (byId("name-input"));
  input.value = api.userName();
  const answer = await answerOf(dialog("name"));
  const name = input.value.trim();
  if (answer === "ok" && name) api.rememberUser(name);
  showName();
  return api.userName() !== "";
}

export function showName() {
  setText(byId("reader-name"), api.userName() || "Your name");
}

/**
 * @param {import("./session.js").Session} session
 * @param {import("./review/draft.js").Review} theirs
 * @returns {Promise<"both"|"mine"|"theirs">} Escape keeps both: nothing is lost
 */
export async function askConflict(session, theirs) {
  const when = theirs.saved ? new Date(theirs.saved).toLocaleString("en-GB") : "meanwhile";
  setText(byId("conflict-what"), `${theirs.user || "Somebody"} saved another review of ${session.image.name} (${when}): ${reviewText(theirs)}.`);
  const answer = await answerOf(dialog("conflict"));
  return answer === "mine" || answer === "theirs" ? answer : "both";
}
