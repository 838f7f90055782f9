/** A heat map over the picture: its colours, its canvas that follows the view, and its scale. */

/** Stops of matplotlib's inferno (CC0), dark to bright. */
const STOPS = [[0, 0, 4], [40, 11, 84], [101, 21, 110], [159, 42, 99], [212, 72, 66], [245, 125, 21], [250, 193, 39], [252, 255, 164]];
/** Heat is smooth: more pixels than this on a side only cost time. */
const LARGEST_PX = 768;

/** @param {number} heat in [0, 1] @returns {number[]} red, green, blue */
export function heatColour(heat) {
  const place = Math.min(1, Math.max(0, heat)) * (STOPS.length - 1);
  const first = Math.min(STOPS.length - 2, Math.floor(place));
  return STOPS[first].map((value, i) => Math.round(value + (STOPS[first + 1][i] - value) * (place - first)));
}

/**
 * Coloured, the hotter the less transparent: cold places do not darken the picture.
 * @param {Blob} png 8-bit gray
 * @returns {Promise<HTMLCanvasElement>}
 */
export async function heatCanvas(png) {
  const bitmap = await createImageBitmap(png, { colorSpaceConversion: "none" });
  const reduction = Math.min(1, LARGEST_PX / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * reduction));
  canvas.height = Math.max(1, Math.round(bitmap.height * reduction));
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { willReadFrequently: true }));
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  const frame = context.getImageData(0, 0, canvas.width, canvas.height);
  const colours = Array.from({ length: 256 }, (_, value) => heatColour(value / 255));
  for (let i = 0; i < frame.data.length; i += 4) {
    const heat = frame.data[i];
    const [red, green, blue] = colours[heat];
    frame.data[i] = red;
    frame.data[i + 1] = green;
    frame.data[i + 2] = blue;
    frame.data[i + 3] = Math.min(255, 1.5 * heat);
  }
  context.putImageData(frame, 0, 0);
  canvas.className = "heat";
  return canvas;
}

/**
 * Lay the map over the picture.
 * @param {HTMLCanvasElement} canvas
 * @param {{width: number, height: number}} image
 * @param {import("./view.js").Matrix} matrix
 */
export function placeHeat(canvas, image, [a, b, c, d, e, f]) {
  const [x, y] = [image.width / canvas.width, image.height / canvas.height];
  canvas.style.transform = `matrix(${a * x}, ${b * x}, ${c * y}, ${d * y}, ${e}, ${f})`;
}

/** Colours from 0 to 1, left to right. @param {HTMLCanvasElement} canvas */
export function drawScale(canvas) {
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  for (let x = 0; x < canvas.width; x++) {
    context.fillStyle = `rgb(${heatColour(x / (canvas.width - 1)).join()})`;
    context.fillRect(x, 0, 1, canvas.height);
  }
}
