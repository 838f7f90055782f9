/** The server's API, one function for each call; what goes wrong is an ApiError that says so in words. */

const BASE = "/api/v1";
const USER = "segtumor.user";

/** A request that failed: the server's own sentence and remedy; status 0 where no answer came. */
export class ApiError extends Error {
  /**
   * @param {number} status
   * @param {string} message
   * @param {{remedy?: string|null, retryAfter?: number|null, body?: any}} [more] retryAfter in seconds
   */
  constructor(status, message, { remedy = null, retryAfter = null, body = null } = {}) {
    super(remedy ? `${message} ${remedy}` : message);
    this.status = status;
    this.retryAfter = retryAfter;
    this.body = body;
  }

  /** Whether the same request may succeed later. */
  get passing() {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

/** The reader's name, "" until it was given. */
export function userName() {
  return localStorage.getItem(USER) ?? "";
}

/** @param {string} name */
export function rememberUser(name) {
  localStorage.setItem(USER, name);
}

/** Headers of every change: no form of another site can send them. */
export function changeHeaders() {
  return { "X-Segtumor": "1", "X-User": encodeURIComponent(userName()) };
}

/**
 * @param {number} status
 * @param {string} text body of the answer
 * @param {string|null} retryAfter
 */
export function errorOf(status, text, retryAfter) {
  let body = null;
  try {
    body = JSON.parse(text);
  } catch {
    body = null; // a proxy or a crash answers without JSON; the status says enough
  }
  const message = typeof body?.error === "string" ? body.error : `The server answered with status ${status}.`;
  const seconds = Number.parseFloat(retryAfter ?? "");
  return new ApiError(status, message, {
    remedy: typeof body?.remedy === "string" ? body.remedy : null,
    retryAfter: Number.isFinite(seconds) ? seconds : null,
    body,
  });
}

/**
 * @param {string} method
 * @param {string} path
 * @param {{json?: unknown, signal?: AbortSignal, keepalive?: boolean}} [options]
 */
async function request(method, path, { json, signal, keepalive } = {}) {
  /** @type {Record<string, string>} */
  const headers = method === "GET" ? {} : changeHeaders();
  if (json !== undefined) headers["Content-Type"] = "application/json";
  let response;
  try {
    const body = json === undefined ? undefined : JSON.stringify(json);
    response = await fetch(path, { method, headers, body, signal, keepalive });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError(0, "The server does not answer.");
  }
  if (!response.ok) throw errorOf(response.status, await response.text(), response.headers.get("Retry-After"));
  return response;
}

/** @param {string} path @param {AbortSignal} [signal] */
const json = async (path, signal) => (await request("GET", path, { signal })).json();

/** @param {string} id */
export const imagePath = (id) => `${BASE}/images/${encodeURIComponent(id)}`;
/** @param {string} id @param {string} method */
export const mapPath = (id, method) => `${imagePath(id)}/maps/${encodeURIComponent(method)}.png`;
/** @param {string} id */
export const reportPath = (id) => `/cases/${encodeURIComponent(id)}/report`;
/** @param {"coco"|"labelme"} format */
export const exportPath = (format) => `${BASE}/export?format=${format}`;
export const uploadPath = `${BASE}/images`;

/** @param {string|null} since a day @returns {Promise<any>} */
export const studies = (since) => json(`${BASE}/archive/studies${since ? `?since=${since}` : ""}`);
/** @param {string} study */
export const fetchStudy = async (study) => (await request("POST", `${BASE}/archive/fetch`, { json: { study } })).json();
/** @param {string} id @param {string[]} kinds @param {"model"|"review"} of */
export const sendObjects = async (id, kinds, of) =>
  (await request("POST", `${imagePath(id)}/dicom/send`, { json: { kinds, of } })).json();

export const about = () => json(`${BASE}/about`);
/** @param {Record<string, string|number>} query @param {AbortSignal} [signal] */
export const cases = (query, signal) => json(`${BASE}/cases?${new URLSearchParams(/** @type {any} */ (query))}`, signal);
/** @param {string} id @param {AbortSignal} [signal] */
export const image = (id, signal) => json(imagePath(id), signal);
/** @param {string} path of `IMAGE.pixels` @param {AbortSignal} [signal] */
export const pixels = async (path, signal) => (await request("GET", path, { signal })).arrayBuffer();
/** @param {string} id @param {string} method */
export const map = async (id, method) => (await request("GET", mapPath(id, method))).blob();
/** @param {string} id @param {string} method */
export const computeMap = (id, method) => request("POST", mapPath(id, method));
/** @param {string} id */
export const remove = (id) => request("DELETE", imagePath(id));
/** @param {string} id @param {unknown} review @param {boolean} keepalive */
export const saveReview = async (id, review, keepalive) =>
  (await request("PUT", `${imagePath(id)}/review`, { json: review, keepalive })).json();
