/** The heat map over the picture: which, how strong, and its scale. */

import { byId, el, setText } from "../dom.js";
import { drawScale, heatCanvas } from "../viewer/heat.js";

/**
 * @typedef {import("../session.js").Session} Session
 * @typedef {import("../viewer/viewport.js").Viewport} Viewport
 * @typedef {{methods: string[], map: (session: Session, method: string) => Promise<Blob>, viewports: () => Viewport[]}} Owner
 */

export class HeatControl {
  /** @param {Owner} owner */
  constructor(owner) {
    this.owner = owner;
    this.on = false;
    /** Maps of this session by picture and method. @type {WeakMap<Session, Map<string, HTMLCanvasElement|undefined>>} */
    this.made = new WeakMap();
    this.method = /** @type {HTMLSelectElement} */ (byId("heat-method"));
    this.method.append(...owner.methods.map((name) => el("option", { value: name }, name)));
    this.method.addEventListener("change", () => this.show());
    this.opacity = /** @type {HTMLInputElement} */ (byId("heat-opacity"));
    this.opacity.value = "0.65";
    this.opacity.addEventListener("input", () => this.strengthen());
    const button = /** @type {HTMLButtonElement} */ (document.querySelector('[data-command="heat"]'));
    button.disabled = !owner.methods.length;
    if (!owner.methods.length) button.title = "This model explains nothing";
    this.button = button;
    drawScale(/** @type {HTMLCanvasElement} */ (byId("heat-scale")));
  }

  toggle() {
    if (!this.owner.methods.length) return;
    this.on = !this.on;
    this.button.setAttribute("aria-pressed", String(this.on));
    byId("heat-panel").hidden = !this.on;
    setText(byId("heat-text"), "");
    for (const { session } of this.owner.viewports()) {
      const maps = session && this.made.get(session);
      if (maps?.has(this.method.value) && !maps.get(this.method.value)) maps.delete(this.method.value);
    }
    this.show();
  }

  /** Another picture may be seen now. */
  follow() {
    if (this.on) this.show();
  }

  show() {
    for (const viewport of this.owner.viewports()) this.showIn(viewport);
  }

  /** @param {Viewport} viewport */
  async showIn(viewport) {
    const { session } = viewport;
    if (!this.on || !session) {
      viewport.setHeat(null);
      return;
    }
    const method = this.method.value;
    const maps = this.made.get(session) ?? new Map();
    this.made.set(session, maps);
    const made = maps.get(method);
    if (made) {
      if (viewport.heat !== made) viewport.setHeat(made);
      this.strengthen();
      return;
    }
    if (maps.has(method)) return; // on its way, or failed: switching it off and on tries again
    if (!session.image.reading) return;
    maps.set(method, undefined);
    setText(byId("heat-text"), "Computing the map …");
    try {
      maps.set(method, await heatCanvas(await this.owner.map(session, method)));
      setText(byId("heat-text"), "");
      this.show();
    } catch (error) {
      setText(byId("heat-text"), `No map: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  strengthen() {
    for (const { heat } of this.owner.viewports()) if (heat) heat.style.opacity = this.opacity.value;
  }
}
