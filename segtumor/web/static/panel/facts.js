/** What is known of the picture: case, size, spacing, model, the probability of each class, and warnings. */

import { byId, el, keyed, setText } from "../dom.js";
import { summaryText } from "../review/entries.js";

/**
 * @typedef {import("../session.js").Session} Session
 * @typedef {import("../session.js").Picture} Picture
 */

/** @param {Session|null} session @param {import("../review/entries.js").Entry[]} entries @param {number} threshold */
export function showFacts(session, entries, threshold) {
  byId("panel").classList.toggle("empty", !session);
  if (!session) return;
  const { image } = session;
  setText(byId("image-name"), image.name);
  setText(byId("summary"), sentence(image, entries, threshold));
  showProbabilities(byId("probabilities"), image.reading?.probabilities ?? (image.reading ? { tumour: image.reading.tumour } : {}));
  showNotes(image);
  showTable(image);
}

/** @param {Picture} image @param {import("../review/entries.js").Entry[]} entries @param {number} threshold */
function sentence(image, entries, threshold) {
  if (image.status === "failed") return `Failed: ${image.reason ?? "no reason was given"}`;
  if (!image.reading) return image.status === "running" ? "The model is reading …" : "Waiting for the model …";
  return summaryText(entries, image.reading, threshold);
}

/** Bars of probabilities, most probable first as the server's order has it. @param {Element} place @param {Record<string, number|null>} probabilities */
export function showProbabilities(place, probabilities) {
  keyed(place, Object.entries(probabilities), ([name]) => name,
    ([name]) => el("div", { class: "probability" }, el("span", { class: "probability-name" }, name), el("span", { class: "bar", "aria-hidden": "true" }, el("span", { class: "fill" })), el("span", { class: "number" })),
    (row, [, value]) => {
      const [, bar, number] = row.children;
      /** @type {HTMLElement} */ (bar.children[0]).style.width = `${100 * (value ?? 0)}%`;
      setText(number, value === null ? "?" : value.toFixed(2));
    });
}

/** @param {Picture} image */
function showNotes(image) {
  keyed(byId("notes"), image.reading?.notes ?? [], (note) => note.code,
    () => el("li", { class: "note", "data-testid": "note" }),
    (row, note) => setText(row, note.text));
}

/** @param {Picture} image */
function showTable(image) {
  const spacing = image.spacing_mm?.map((value) => value.toFixed(3));
  /** @type {[string, string][]} */
  const rows = [["Size", `${image.width} × ${image.height} px`]];
  if (spacing) rows.push(["Spacing", `${[...new Set(spacing)].join(" × ")} mm per px, ${image.spacing_source ?? "source unknown"}`]);
  else rows.push(["Spacing", "unknown: sizes are in px"]);
  for (const [key, value] of Object.entries(image.patient ?? {})) if (value) rows.push([`Patient ${key.replace("_", " ")}`, value]);
  if (image.reading) rows.push(["Model", `${image.reading.model}${image.reading.seconds ? `, ${image.reading.seconds.toFixed(2)} s` : ""}`]);
  keyed(byId("facts"), rows, ([name]) => name, ([name]) => el("div", {}, el("dt", {}, name), el("dd", {})), (row, [, value]) => setText(row.children[1], value));
}
