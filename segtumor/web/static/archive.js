/** The archive (PACS) that the page was started with: its studies, taking one in, sending results back. */

import * as api from "./api.js";
import { byId, el, keyed, setText } from "./dom.js";

/**
 * @typedef {{study: string, date: string, modalities: string[], n_images: number|null, description: string|null,
 *            patient: {name: string, id: string}|null}} Study
 * @typedef {{received: (images: import("./session.js").Picture[]) => void, told: (text: string) => void,
 *            session: () => import("./session.js").Session|null, kinds: string[]}} Owner
 */

const DAY_MS = 86_400_000;

export class Archive {
  /** @param {Owner} owner */
  constructor(owner) {
    this.owner = owner;
    /** Studies that were taken in since the page was loaded. @type {Set<string>} */
    this.taken = new Set();
    this.dialog = /** @type {HTMLDialogElement} */ (byId("archive"));
    this.days = /** @type {HTMLSelectElement} */ (byId("archive-days"));
    const open = byId("open-archive");
    open.hidden = false;
    open.addEventListener("click", () => {
      this.dialog.showModal();
      this.refresh();
    });
    this.days.addEventListener("change", () => this.refresh());
    byId("send-archive").addEventListener("click", () => this.send());
  }

  async refresh() {
    this.say("Asking the archive …");
    const days = Number(this.days.value);
    const since = days ? new Date(Date.now() - days * DAY_MS).toISOString().slice(0, 10) : null;
    try {
      const { studies } = await api.studies(since);
      this.show(studies);
      this.say(studies.length ? "" : "No study with radiographs in this time.");
    } catch (error) {
      this.show([]);
      this.say(/** @type {Error} */ (error).message);
    }
  }

  /** @param {Study[]} studies */
  show(studies) {
    keyed(byId("studies"), studies, ({ study }) => study, (study) => this.row(study), (row, study) => {
      const button = /** @type {HTMLButtonElement} */ (row.querySelector("button"));
      setText(button, this.taken.has(study.study) ? "Taken" : "Take in");
    });
  }

  /** @param {Study} study */
  row(study) {
    const button = el("button", { type: "button", class: "btn btn-sm", "data-testid": "take", onclick: () => this.take(study, /** @type {HTMLButtonElement} */ (button)) });
    const date = study.date.length === 8 ? `${study.date.slice(0, 4)}-${study.date.slice(4, 6)}-${study.date.slice(6)}` : study.date || "no date";
    const images = study.n_images === null ? "" : `, ${study.n_images} ${study.n_images === 1 ? "image" : "images"}`;
    const who = study.patient ? `${study.patient.name.replaceAll("^", " ")} · ${study.patient.id}` : "";
    return el("li", { class: "study" }, el("span", {}, `${date} · ${study.modalities.join(", ")}${images}`, el("small", {}, [who, study.description ?? ""].filter(Boolean).join(" · "))), button);
  }

  /** @param {Study} study @param {HTMLButtonElement} button */
  async take(study, button) {
    button.disabled = true;
    setText(button, "Taking …");
    try {
      const { images, refused } = await api.fetchStudy(study.study);
      this.taken.add(study.study);
      this.say(refused.length ? `${refused.length} of its objects cannot be read: ${refused[0].reason}` : "");
      this.owner.received(images);
    } catch (error) {
      this.say(/** @type {Error} */ (error).message);
    }
    button.disabled = false;
    setText(button, this.taken.has(study.study) ? "Taken" : "Take in");
  }

  /** Send the reader's findings where there are some, else the model's. */
  async send() {
    const session = this.owner.session();
    if (!session) return;
    /** @type {HTMLDetailsElement} */ (byId("export-menu")).open = false;
    const of = session.saved ? "review" : "model";
    this.owner.told(`Sending ${of === "review" ? "your" : "the model's"} findings to the archive …`);
    try {
      const { sent } = await api.sendObjects(session.image.id, this.owner.kinds, of);
      const refused = sent.filter((/** @type {{reason: string|null}} */ one) => one.reason);
      this.owner.told(refused.length ? `The archive did not take all: ${refused[0].reason}` : `The archive took ${sent.length} objects.`);
    } catch (error) {
      this.owner.told(/** @type {Error} */ (error).message);
    }
  }

  /** @param {string} text */
  say(text) {
    setText(byId("archive-text"), text);
  }
}
