/**
 * Which gray values are shown from black to white. The picture is 16-bit gray, bright is dense; what a window means in
 * the units of the device is lost where the file was read, so presets go by the share of pixels.
 *
 * @typedef {{low: number, high: number}} Window both in 0..65535, low < high
 * @typedef {"first"|"auto"|"bone"|"soft"} Preset
 * @typedef {import("./pyramid.js").Pyramid} Pyramid
 */

const WHITE = 65535;
const NARROWEST = 64;
/** Name -> shares of the pixels that are not background, below black and below white. */
const SHARES = { auto: [0.005, 0.995], bone: [0.45, 0.999], soft: [0.02, 0.75] };

/** Names of the presets, in the order in which the key goes through them. */
export const PRESETS = /** @type {Preset[]} */ (["first", "auto", "bone", "soft"]);

/**
 * @param {Preset} name
 * @param {Pyramid} pyramid
 * @param {[number, number]|null} first the one that the server gives; null until it knows one: then "auto"
 * @returns {Window}
 */
export function presetWindow(name, pyramid, first) {
  if (name === "first" && first) return { low: first[0], high: first[1] };
  const [low, high] = SHARES[name === "first" ? "auto" : name];
  return sensible(quantile(pyramid.histogram, low), quantile(pyramid.histogram, high));
}

/** Gray value below which a share of the pixels lies; pure black around the field of exposure does not count. */
function quantile(/** @type {Uint32Array} */ counts, /** @type {number} */ share) {
  const total = counts.reduce((sum, count, bin) => (bin ? sum + count : 0), 0);
  let below = 0;
  for (let bin = 1; bin < counts.length; bin++) {
    if (below + counts[bin] >= share * total && total) {
      return (bin + (share * total - below) / Math.max(1, counts[bin])) * (65536 / counts.length);
    }
    below += counts[bin];
  }
  return WHITE * share;
}

/** @param {number} low @param {number} high @returns {Window} */
export function sensible(low, high) {
  const width = Math.min(2 * WHITE, Math.max(NARROWEST, high - low));
  const level = Math.min(WHITE, Math.max(0, (low + high) / 2));
  return { low: level - width / 2, high: level + width / 2 };
}

/**
 * Wider by dragging to the right, brighter by dragging down: the level falls.
 * @param {Window} window
 * @param {number} dx share of the viewport
 * @param {number} dy share of the viewport
 */
export function dragged({ low, high }, dx, dy) {
  const width = Math.max(NARROWEST, (high - low) * Math.exp(2 * dx));
  const level = (low + high) / 2 - dy * (high - low);
  return sensible(level - width / 2, level + width / 2);
}

/**
 * Colour of every gray value, as the four bytes of a canvas.
 * @param {Window} window
 * @param {boolean} inverted
 * @param {Uint32Array} table 65,536 places, filled anew
 */
export function fillTable({ low, high }, inverted, table) {
  const factor = 255 / (high - low);
  for (let value = 0; value < table.length; value++) {
    let gray = (value - low) * factor;
    gray = gray < 0 ? 0 : gray > 255 ? 255 : (gray + 0.5) | 0;
    if (inverted) gray = 255 - gray;
    table[value] = 0xff000000 | (gray << 16) | (gray << 8) | gray;
  }
}

/** As radiographers write it. @param {Window} window */
export const windowText = ({ low, high }) => `W ${Math.round(high - low)}  L ${Math.round((low + high) / 2)}`;
