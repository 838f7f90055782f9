/**
 * Where a picture lies in its viewport. Pure: every function gives a new View.
 *
 * Image coordinates are px of the radiograph, (0, 0) the top left corner of its first pixel; screen coordinates are CSS
 * px of the viewport. The display is mirrored first (left and right), then turned clockwise, then scaled.
 *
 * @typedef {{scale: number, x: number, y: number, turns: number, mirrored: boolean}} View
 *   scale in CSS px per image px; x, y the image point in the middle of the viewport; turns of 90 degrees, 0 to 3
 * @typedef {[number, number, number, number, number, number]} Matrix as CSS and SVG write it: a, b, c, d, e, f
 * @typedef {{width: number, height: number}} Size
 * @typedef {[number, number]} Point
 */

const SMALLEST = 0.02;
const LARGEST = 40;
const COSINES = [1, 0, -1, 0];
const SINES = [0, 1, 0, -1];

/**
 * From image to screen.
 * @param {View} view
 * @param {Size} viewport
 * @returns {Matrix}
 */
export function matrixOf(view, viewport) {
  const sign = view.mirrored ? -1 : 1;
  const cosine = COSINES[view.turns] * view.scale;
  const sine = SINES[view.turns] * view.scale;
  const [a, b, c, d] = [cosine * sign, sine * sign, -sine, cosine];
  return [a, b, c, d, viewport.width / 2 - a * view.x - c * view.y, viewport.height / 2 - b * view.x - d * view.y];
}

/** @param {Matrix} m @returns {Matrix} */
export function inverse([a, b, c, d, e, f]) {
  const determinant = a * d - b * c;
  const [p, q, r, s] = [d / determinant, -b / determinant, -c / determinant, a / determinant];
  return [p, q, r, s, -(p * e + r * f), -(q * e + s * f)];
}

/** @param {Matrix} m @param {Point} point @returns {Point} */
export function apply([a, b, c, d, e, f], [x, y]) {
  return [a * x + c * y + e, b * x + d * y + f];
}

/** @param {View} view @param {Size} image @returns {Size} size of the image as it is turned, in image px */
function turned(view, image) {
  return view.turns % 2 ? { width: image.height, height: image.width } : image;
}

/** Scale at which the whole picture is seen. @param {View} view @param {Size} image @param {Size} viewport */
export function fittingScale(view, image, viewport) {
  const size = turned(view, image);
  return clampedScale(Math.min(viewport.width / size.width, viewport.height / size.height));
}

/** @param {number} scale */
function clampedScale(scale) {
  return Math.min(LARGEST, Math.max(SMALLEST, scale));
}

/** The whole picture, turned as before. @param {View|null} view @param {Size} image @param {Size} viewport @returns {View} */
export function fit(view, image, viewport) {
  const { turns, mirrored } = view ?? { turns: 0, mirrored: false };
  const centred = { scale: 1, x: image.width / 2, y: image.height / 2, turns, mirrored };
  return { ...centred, scale: fittingScale(centred, image, viewport) };
}

/**
 * Scale by `factor` so that the image point under a screen point stays there.
 * @param {View} view
 * @param {number} factor
 * @param {Point} at screen point
 * @param {Size} viewport
 * @returns {View}
 */
export function zoomAt(view, factor, at, viewport) {
  const [px, py] = apply(inverse(matrixOf(view, viewport)), at);
  const scale = clampedScale(view.scale * factor);
  const zoomed = { ...view, scale, x: px, y: py };
  const [x, y] = apply(inverse(matrixOf(zoomed, viewport)), [viewport.width - at[0], viewport.height - at[1]]);
  return { ...zoomed, x, y };
}

/** Move the picture by screen px. @param {View} view @param {number} dx @param {number} dy @param {Size} viewport @returns {View} */
export function panned(view, dx, dy, viewport) {
  const middle = /** @type {Point} */ ([viewport.width / 2 - dx, viewport.height / 2 - dy]);
  const [x, y] = apply(inverse(matrixOf(view, viewport)), middle);
  return { ...view, x, y };
}

/** @param {View} view @param {number} quarters clockwise @returns {View} */
export const rotated = (view, quarters) => ({ ...view, turns: (view.turns + quarters + 4) % 4 });
/** Swap left and right as they are seen. @param {View} view @returns {View} */
export const flippedAcross = (view) => ({ ...view, turns: (4 - view.turns) % 4, mirrored: !view.mirrored });
/** Swap top and bottom as they are seen. @param {View} view @returns {View} */
export const flippedDown = (view) => ({ ...view, turns: (6 - view.turns) % 4, mirrored: !view.mirrored });

/**
 * The view of another picture that shows the same place at the same zoom, both relative to the whole picture.
 * @param {View} view
 * @param {Size} image
 * @param {View} other
 * @param {Size} otherImage
 * @param {Size} viewport
 * @param {Size} otherViewport
 * @returns {View}
 */
export function linked(view, image, other, otherImage, viewport, otherViewport) {
  const zoom = view.scale / fittingScale(view, image, viewport);
  return {
    ...other,
    scale: clampedScale(zoom * fittingScale(other, otherImage, otherViewport)),
    x: (view.x / image.width) * otherImage.width,
    y: (view.y / image.height) * otherImage.height,
  };
}
