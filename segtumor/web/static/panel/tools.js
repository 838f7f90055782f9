/** The tool bar: what is pressed, which window is shown. */

import { usePreset } from "../commands.js";
import { byId } from "../dom.js";

/**
 * @param {{store: any, cases: import("../caseview.js").CaseView, setTool: (tool: string) => void,
 *          run: (command: string, event: any) => boolean}} page
 */
export function addTools({ store, cases, setTool, run }) {
  const buttons = /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("button[data-tool]"));
  for (const button of buttons) button.addEventListener("click", () => setTool(button.dataset.tool ?? "pan"));
  for (const button of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-command]"))) {
    button.addEventListener("click", (event) => run(button.dataset.command ?? "", event));
  }
  const opacity = /** @type {HTMLInputElement} */ (byId("opacity"));
  opacity.value = String(store.state.opacity);
  opacity.addEventListener("input", () => store.set({ opacity: Number(opacity.value) }));
  const preset = /** @type {HTMLSelectElement} */ (byId("preset"));
  preset.addEventListener("change", () => usePreset({ cases, store }, /** @type {import("../viewer/window.js").Preset} */ (preset.value)));
  const showPreset = () => (preset.value = (cases.viewport.session?.ownWindow ? "own" : (cases.viewport.session?.preset ?? "first")));
  byId("viewports").addEventListener("pointerup", showPreset);

  const press = (/** @type {string} */ command, /** @type {boolean} */ on) =>
    document.querySelector(`.tools [data-command="${command}"]`)?.setAttribute("aria-pressed", String(on));
  store.on(["tool", "outlines", "drafts", "active"], () => {
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.tool === store.state.tool));
    const { session } = cases.viewport;
    press("outlines", store.state.outlines);
    press("two", cases.two);
    press("link", cases.linked);
    press("invert", session?.inverted ?? false);
    const can = { undo: (session?.history.past.length ?? 0) > 0, redo: (session?.history.future.length ?? 0) > 0, link: cases.two };
    for (const [name, able] of Object.entries(can)) {
      /** @type {HTMLButtonElement} */ (document.querySelector(`.tools [data-command="${name}"]`)).disabled = !able;
    }
    showPreset();
  });
}
