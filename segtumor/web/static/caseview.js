/** The case that is open: its pictures, in one viewport or two. */

import * as api from "./api.js";
import { byId, el, keyed, setText } from "./dom.js";
import { Opening } from "./opening.js";
import { entriesOf } from "./review/entries.js";
import { Sessions } from "./session.js";
import { linked } from "./viewer/view.js";
import { Viewport } from "./viewer/viewport.js";

/**
 * @typedef {import("./session.js").Session} Session
 * @typedef {{store: any, tapped: (at: [number, number]) => void, drawn: (ring: [number, number][]) => void,
 *            changed: () => void, told: (text: string) => void}} Owner
 */

export class CaseView {
  /** @param {Owner} owner */
  constructor(owner) {
    this.owner = owner;
    this.sessions = new Sessions();
    this.opening = new Opening(this.sessions, {
      changed: (session) => this.arrived(session),
      failed: (id, text) => this.failed(id, text),
    });
    this.space = false;
    this.two = false;
    this.linked = true;
    /** @type {string[]} */
    this.images = [];
    /** Which picture each viewport shows. */
    this.places = [0, 1];
    this.viewports = ["first", "second"].map((name) => new Viewport(name, {
      tool: () => owner.store.state.tool,
      spaceHeld: () => this.space,
      tapped: (_, at) => owner.tapped(at),
      activated: (viewport) => this.activate(this.viewports.indexOf(viewport)),
      viewed: (viewport) => this.follow(viewport),
      drawn: (_, ring) => owner.drawn(ring),
    }));
    byId("viewports").append(...this.viewports.map((viewport) => viewport.element));
    this.layOut();
    this.viewports[0].say("");
    for (const name of ["keydown", "keyup"]) {
      window.addEventListener(name, (event) => {
        const { key, target } = /** @type {KeyboardEvent} */ (event);
        if (key === " ") this.space = name === "keydown" && /** @type {Element} */ (target).closest(".viewport, body") === target;
      });
    }
  }

  /** The active one. */
  get viewport() {
    return this.viewports[this.owner.store.state.active];
  }

  shownViewports() {
    return this.two ? this.viewports : [this.viewport];
  }

  /** @param {number} index */
  activate(index) {
    if (this.owner.store.state.active !== index) {
      this.viewport.endTool();
      this.owner.store.set({ active: index, tool: "pan" });
    }
    this.layOut();
  }

  /** @param {string[]} images ids of a case, in its order */
  open(images) {
    const same = images.join() === this.images.join();
    this.images = images;
    if (!same) this.places = [0, Math.min(1, images.length - 1)];
    if (!same) this.activate(0);
    this.load();
  }

  /** The same case with pictures that have arrived since, or without some that went. @param {string[]} images */
  renew(images) {
    if (images.join() === this.images.join() || !images.length) return;
    this.places = this.places.map((place) => Math.max(0, images.indexOf(this.images[place])));
    this.images = images;
    this.load();
  }

  load() {
    this.layOut();
    this.viewports.forEach((viewport, i) => {
      const id = this.two || i === this.owner.store.state.active ? this.images[this.places[i]] : undefined;
      if (viewport.session && viewport.session.image.id !== id) {
        viewport.show(null);
        if (["edit", "draw"].includes(this.owner.store.state.tool)) this.owner.store.set({ tool: "pan" }); // its outline is gone
      }
      viewport.say(id === undefined || viewport.session?.pyramid ? "" : "Loading …");
      if (id !== undefined) this.opening.open(id);
    });
    this.owner.changed();
  }

  /** Something new is known of a picture. @param {Session} session */
  arrived(session) {
    for (const viewport of this.wanting(session.image.id)) {
      viewport.show(session);
      const failed = session.image.status === "failed" && !session.image.width;
      viewport.say(failed ? (session.image.reason ?? "This picture cannot be read.") : session.pyramid ? "" : "Loading …");
    }
    this.sessions.tidy(this.viewports.map((viewport) => viewport.session));
    if (this.viewports.some((viewport) => viewport.session === session)) this.owner.changed();
  }

  /** @param {string} id @param {string} text */
  failed(id, text) {
    for (const viewport of this.wanting(id)) viewport.say(text);
  }

  /** Viewports that are to show a picture. @param {string} id */
  wanting(id) {
    return this.shownViewports().filter((viewport) => this.images[this.places[this.viewports.indexOf(viewport)]] === id);
  }

  /** Another picture of the case in the active viewport. @param {number} place */
  turnTo(place) {
    if (place < 0 || place >= this.images.length) return false;
    this.places[this.owner.store.state.active] = place;
    this.load();
    return true;
  }

  setTwo(/** @type {boolean} */ two) {
    this.two = two;
    const active = this.owner.store.state.active;
    if (two && this.places[0] === this.places[1]) this.places[1 - active] = this.places[active] === 0 ? Math.min(1, this.images.length - 1) : 0;
    this.load();
  }

  layOut() {
    const active = this.owner.store.state.active;
    byId("viewports").classList.toggle("two", this.two);
    this.viewports.forEach((viewport, i) => {
      viewport.element.hidden = !this.two && i !== active;
      viewport.element.classList.toggle("active", this.two && i === active);
    });
  }

  /** The other picture goes along. @param {Viewport} viewport */
  follow(viewport) {
    const other = this.viewports[1 - this.viewports.indexOf(viewport)];
    if (!this.two || !this.linked || !viewport.session?.view || !other.session?.view) return;
    const [here, there] = [viewport.session, other.session];
    if (here === there || !here.view || !there.view) {
      other.requestDraw();
      return;
    }
    there.view = linked(here.view, here.image, there.view, there.image, viewport.size, other.size);
    there.fitted = false;
    other.requestDraw();
  }

  /** Outline of one finding on or off. @param {string} key */
  toggle(key) {
    const hidden = this.viewport.session?.hidden;
    if (!hidden?.delete(key)) hidden?.add(key);
    this.owner.changed();
  }

  /** @param {{colourOf: (name: string) => string, about: any}} options */
  render({ colourOf }) {
    const { threshold, opacity, outlines, tool, active } = this.owner.store.state;
    this.viewports.forEach((viewport, i) => {
      const { session } = viewport;
      viewport.element.dataset.tool = tool;
      const entries = session ? entriesOf(session.image.reading, session.draft, threshold) : [];
      const selected = i === active ? (session?.selected ?? null) : null;
      const editing = tool === "edit" ? selected : null;
      viewport.outlines.render(entries, { opacity, shown: outlines, hidden: session?.hidden ?? new Set(), selected, editing, colourOf });
    });
    this.showPictures();
  }

  showPictures() {
    const place = this.places[this.owner.store.state.active];
    const items = this.images.length > 1 ? this.images.map((_, i) => i) : [];
    keyed(byId("pictures"), items, String,
      (i) => el("button", { type: "button", class: "tool picture", onclick: () => this.turnTo(i), "aria-label": `Picture ${i + 1}` }, String(i + 1)),
      (button, i) => button.setAttribute("aria-pressed", String(i === place)));
  }

  /** @param {() => void} done */
  addDeleting(done) {
    const dialog = /** @type {HTMLDialogElement} */ (byId("sure"));
    byId("delete-image").addEventListener("click", () => {
      const image = this.viewport.session?.image;
      if (!image) return;
      setText(byId("sure-what"), `${image.name}, its findings and all corrections of it go.`);
      dialog.returnValue = "";
      dialog.showModal();
      dialog.addEventListener("close", async () => {
        if (dialog.returnValue !== "yes") return;
        try {
          await api.remove(image.id);
          this.viewport.show(null);
          this.sessions.open.delete(image.id);
          this.open(this.images.filter((id) => id !== image.id));
          done();
        } catch (error) {
          this.owner.told(error instanceof Error ? error.message : String(error));
        }
      }, { once: true });
    });
  }
}
