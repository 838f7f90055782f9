/** The threshold from which findings are shown: a slider that filters on this page, with the model's operating points. */

import { byId, el, setText } from "../dom.js";

const LEAST = 0.05;
const MOST = 1;

/** @param {number} value */
const placeOf = (value) => `${(100 * (value - LEAST)) / (MOST - LEAST)}%`;

/** @param {number} value */
export const withinSlider = (value) => Math.min(MOST, Math.max(LEAST, Math.round(value * 1000) / 1000));

/**
 * @param {{about: any, changed: (threshold: number) => void}} options
 * @returns {(threshold: number) => void} shows a threshold that was set elsewhere
 */
export function addThreshold({ about, changed }) {
  const slider = /** @type {HTMLInputElement} */ (byId("threshold"));
  const { threshold, operating_points: points } = about.model;
  slider.min = String(LEAST);
  slider.max = String(MOST);
  slider.step = "0.005";
  slider.addEventListener("input", () => changed(Number(slider.value)));
  const marks = [{ name: "default", threshold }, ...points].filter((mark) => mark.threshold >= LEAST && mark.threshold <= MOST);
  const ticks = byId("ticks");
  const buttons = byId("operating-points");
  for (const mark of marks) {
    const tick = el("span", { class: `tick${mark.name === "default" ? " default" : ""}` });
    tick.style.left = placeOf(mark.threshold);
    ticks.append(tick);
    const text = `${mark.name} ${mark.threshold.toFixed(2)}`;
    buttons.append(el("button", { type: "button", class: "point", "data-threshold": mark.threshold, onclick: () => changed(mark.threshold), title: `show findings from ${mark.threshold} on` }, text));
  }
  return (value) => {
    if (Math.abs(Number(slider.value) - value) > 1e-9) slider.value = String(value);
    slider.setAttribute("aria-valuetext", value.toFixed(2));
    setText(byId("threshold-value"), value.toFixed(2));
    for (const button of buttons.children) {
      button.setAttribute("aria-pressed", String(Math.abs(Number(button.getAttribute("data-threshold")) - value) < 1e-6));
    }
  };
}
