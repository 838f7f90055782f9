/** Draws by WebGL2: the 16-bit gray is a texture of whole numbers, the fragment shader interpolates, then windows. */

import { levelFor } from "./pyramid.js";
import { inverse } from "./view.js";

const CORNERS = `#version 300 es
void main() {
  gl_Position = vec4(vec2(gl_VertexID & 1, gl_VertexID >> 1) * 4.0 - 1.0, 0.0, 1.0);
}`;

const GRAY = `#version 300 es
precision highp float;
precision highp usampler2D;
uniform usampler2D picture;
uniform mat3 toPicture;
uniform vec2 size;
uniform vec2 window;
uniform float height;
uniform bool inverted;
out vec4 colour;

float at(ivec2 place) {
  return float(texelFetch(picture, clamp(place, ivec2(0), ivec2(size) - 1), 0).r);
}

void main() {
  vec2 place = (toPicture * vec3(gl_FragCoord.x, height - gl_FragCoord.y, 1.0)).xy;
  if (any(lessThan(place, vec2(0.0))) || any(greaterThanEqual(place, size))) {
    colour = vec4(0.0, 0.0, 0.0, 1.0);
    return;
  }
  ivec2 first = ivec2(floor(place - 0.5));
  vec2 weight = fract(place - 0.5);
  float top = mix(at(first), at(first + ivec2(1, 0)), weight.x);
  float bottom = mix(at(first + ivec2(0, 1)), at(first + ivec2(1, 1)), weight.x);
  float gray = clamp((mix(top, bottom, weight.y) - window.x) / (window.y - window.x), 0.0, 1.0);
  colour = vec4(vec3(inverted ? 1.0 - gray : gray), 1.0);
}`;

export class WebglDrawing {
  name = "webgl";

  /** @param {HTMLCanvasElement} canvas @param {WebGL2RenderingContext} gl */
  constructor(canvas, gl) {
    this.canvas = canvas;
    this.gl = gl;
    const program = linked(gl);
    gl.useProgram(program);
    gl.bindVertexArray(gl.createVertexArray());
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 2);
    /** @param {string} name */
    const place = (name) => gl.getUniformLocation(program, name);
    this.places = { toPicture: place("toPicture"), size: place("size"), window: place("window"), height: place("height"), inverted: place("inverted") };
    /** @type {import("./pyramid.js").Pyramid|null} */
    this.held = null;
    /** @type {Map<import("./pyramid.js").Level, WebGLTexture|null>} */
    this.textures = new Map();
  }

  /** @param {import("./pyramid.js").Pyramid} pyramid */
  fits(pyramid) {
    return Math.max(pyramid.width, pyramid.height) <= this.gl.getParameter(this.gl.MAX_TEXTURE_SIZE);
  }

  /**
   * @param {import("./pyramid.js").Pyramid} pyramid
   * @param {import("./view.js").Matrix} toScreen
   * @param {import("./window.js").Window} window
   * @param {boolean} inverted
   */
  draw(pyramid, toScreen, window, inverted) {
    const { gl, places, canvas } = this;
    const level = levelFor(pyramid, Math.hypot(toScreen[0], toScreen[1]));
    this.bind(pyramid, level);
    const r = level.reduction;
    const [a, b, c, d, e, f] = inverse(toScreen);
    gl.viewport(0, 0, canvas.width, canvas.height);
    gl.uniformMatrix3fv(places.toPicture, false, [a / r, b / r, 0, c / r, d / r, 0, e / r, f / r, 1]);
    gl.uniform2f(places.size, level.width, level.height);
    gl.uniform2f(places.window, window.low, window.high);
    gl.uniform1f(places.height, canvas.height);
    gl.uniform1i(places.inverted, inverted ? 1 : 0);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
  }

  /** Textures of one picture at a time, each level when it is first seen. */
  bind(/** @type {import("./pyramid.js").Pyramid} */ pyramid, /** @type {import("./pyramid.js").Level} */ level) {
    const { gl, textures } = this;
    if (this.held !== pyramid) {
      for (const texture of textures.values()) gl.deleteTexture(texture);
      textures.clear();
      this.held = pyramid;
    }
    const known = textures.has(level);
    if (!known) textures.set(level, gl.createTexture());
    gl.bindTexture(gl.TEXTURE_2D, textures.get(level) ?? null);
    if (known) return;
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.R16UI, level.width, level.height, 0, gl.RED_INTEGER, gl.UNSIGNED_SHORT, level.values);
  }
}

/** @param {WebGL2RenderingContext} gl */
function linked(gl) {
  const program = /** @type {WebGLProgram} */ (gl.createProgram());
  for (const [kind, source] of /** @type {const} */ ([[gl.VERTEX_SHADER, CORNERS], [gl.FRAGMENT_SHADER, GRAY]])) {
    const shader = /** @type {WebGLShader} */ (gl.createShader(kind));
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(program) ?? "no WebGL program");
  return program;
}
