/** Of the whole picture: its comment, whether it was read and by whom, and what can be taken away. */

import * as api from "../api.js";
import { byId, el, keyed, setText } from "../dom.js";
import { unjudged } from "../review/entries.js";

/** What each DICOM object is called. @type {Record<string, string>} */
const DICOM = { seg: "DICOM segmentation", sr: "DICOM structured report", sc: "DICOM secondary capture" };

/** @param {import("../session.js").Session|null} session @param {any} about */
export function showWhole(session, about) {
  byId("case-exports").hidden = !session;
  if (!session) return;
  const { image, saved, draft } = session;
  const comment = /** @type {HTMLTextAreaElement} */ (byId("comment"));
  if (comment !== document.activeElement && comment.value !== draft.comment) comment.value = draft.comment;
  const open = unjudged(image.reading, draft).length;
  setText(byId("read-text"), open ? (open < draft.findings.length + open ? "Accept the rest" : "Accept all") : "Read, nothing to add");
  /** @type {HTMLButtonElement} */ (byId("read")).disabled = !open && session.read;
  const left = open ? `${open} ${open === 1 ? "finding" : "findings"} to judge` : "";
  const by = saved ? `${open ? "last change" : "read"} by ${saved.user ?? "?"}, ${timeOf(saved.saved)}` : "";
  setText(byId("reviewed"), [left, by].filter(Boolean).join("; "));
  for (const [id, path] of /** @type {const} */ ([["report", api.reportPath(image.case)], ["image-coco", `${api.imagePath(image.id)}/coco.json`], ["image-overlay", `${api.imagePath(image.id)}/overlay.png`]])) {
    byId(id).setAttribute("href", path);
  }
  byId("send-archive").hidden = !(about.dicomweb && image.is_dicom && image.reading);
  const of = saved ? "?of=review" : ""; // what the reader made of the findings, where there is a review
  const outputs = /** @type {string[]} */ (image.is_dicom ? about.dicom_outputs ?? [] : []);
  keyed(byId("dicom"), outputs, String, (name) => el("a", { class: "menu-item", "data-testid": `dicom-${name}`, download: true }, DICOM[name] ?? name),
    (link, name) => link.setAttribute("href", `${api.imagePath(image.id)}/dicom/${encodeURIComponent(name)}${of}`));
}

/** @param {string|undefined} stamp */
const timeOf = (stamp) => (stamp ? new Date(stamp).toLocaleString("en-GB", { dateStyle: "short", timeStyle: "short" }) : "");
