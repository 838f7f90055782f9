/**
 * The gray values of a radiograph at its own size, and halved again and again: what is drawn small is drawn from a small
 * picture, at a price that depends on the screen alone and without the patterns that skipping pixels gives.
 *
 * @typedef {{width: number, height: number, values: Uint16Array, reduction: number}} Level
 * @typedef {{width: number, height: number, levels: Level[], histogram: Uint32Array}} Pyramid
 */

const SMALLEST_PX = 64;
const BINS = 1024;

/**
 * @param {ArrayBuffer} buffer uint16, little endian, row by row
 * @param {number} width
 * @param {number} height
 * @returns {Pyramid}
 */
export function pyramidOf(buffer, width, height) {
  if (buffer.byteLength !== 2 * width * height) {
    throw new Error(`The server sent ${buffer.byteLength} bytes of pixels; ${width} x ${height} px take ${2 * width * height}.`);
  }
  /** @type {Level[]} */
  const levels = [{ width, height, values: littleEndian(buffer), reduction: 1 }];
  for (;;) {
    const last = levels[levels.length - 1];
    if (Math.min(last.width, last.height) < 2 * SMALLEST_PX) break;
    levels.push(halved(last));
  }
  return { width, height, levels, histogram: histogramOf(levels[Math.min(2, levels.length - 1)].values) };
}

/** @param {ArrayBuffer} buffer */
function littleEndian(buffer) {
  if (new Uint8Array(new Uint16Array([1]).buffer)[0] === 1) return new Uint16Array(buffer);
  const view = new DataView(buffer);
  return Uint16Array.from({ length: buffer.byteLength / 2 }, (_, i) => view.getUint16(2 * i, true));
}

/** Means of 2 x 2 px; an odd last row or column counts twice. @param {Level} level @returns {Level} */
function halved({ width, height, values, reduction }) {
  const [w, h] = [(width + 1) >> 1, (height + 1) >> 1];
  const means = new Uint16Array(w * h);
  for (let y = 0; y < h; y++) {
    const above = 2 * y * width;
    const below = Math.min(2 * y + 1, height - 1) * width;
    for (let x = 0; x < w; x++) {
      const left = 2 * x;
      const right = left + 1 < width ? left + 1 : left;
      means[y * w + x] = (values[above + left] + values[above + right] + values[below + left] + values[below + right] + 2) >> 2;
    }
  }
  return { width: w, height: h, values: means, reduction: 2 * reduction };
}

/** @param {Uint16Array} values */
function histogramOf(values) {
  const counts = new Uint32Array(BINS);
  for (let i = 0; i < values.length; i++) counts[values[i] >> 6]++;
  return counts;
}

/**
 * The smallest level that still has a pixel for each pixel of the screen.
 * @param {Pyramid} pyramid
 * @param {number} scale screen px (of the device) per image px
 */
export function levelFor(pyramid, scale) {
  const halvings = Math.floor(Math.log2(Math.max(1, 1 / scale)) + 1e-6);
  return pyramid.levels[Math.min(halvings, pyramid.levels.length - 1)];
}
