/** Sends files in small groups, waits where the queue is full, and lists what was refused, with the reason. */

import * as api from "./api.js";
import { byId, el, setText } from "./dom.js";
import { filesOf } from "./dropped.js";
import { timeText } from "./worklist.js";

/**
 * @typedef {import("./session.js").Picture} Picture
 * @typedef {{received: (images: Picture[], first: boolean) => void, bodyLimit: () => number}} Owner
 *   `first`: of the files that were dropped together
 */

/** A group is sent as one request: small enough that progress moves and that one bad group loses little. */
const GROUP_FILES = 8;
const GROUP_BYTES = 32e6;
const DEFAULT_WAIT_S = 2;

export class Upload {
  /** @param {Owner} owner */
  constructor(owner) {
    this.owner = owner;
    /** @type {File[]} */
    this.queue = [];
    this.sent = 0;
    this.received = 0;
    this.refused = 0;
    this.total = 0;
    this.running = false;
    for (const id of ["files", "folder"]) {
      const input = /** @type {HTMLInputElement} */ (byId(id));
      input.addEventListener("change", () => {
        this.add([...(input.files ?? [])]);
        input.value = "";
      });
    }
    byId("close-upload").addEventListener("click", () => this.clear());
    this.listenToDrops();
  }

  listenToDrops() {
    let depth = 0;
    const over = (/** @type {number} */ by) => {
      depth = by ? depth + by : 0;
      document.body.classList.toggle("dropping", depth > 0);
    };
    const hasFiles = (/** @type {DragEvent} */ event) => event.dataTransfer?.types.includes("Files");
    window.addEventListener("dragenter", (event) => hasFiles(event) && over(1));
    window.addEventListener("dragleave", (event) => hasFiles(event) && over(-1));
    window.addEventListener("dragover", (event) => event.preventDefault());
    window.addEventListener("drop", async (event) => {
      event.preventDefault();
      over(0);
      if (event.dataTransfer) this.add(await filesOf(event.dataTransfer));
    });
  }

  /** @param {File[]} files */
  add(files) {
    this.queue.push(...files);
    this.total += files.length;
    byId("upload").hidden = !this.total;
    this.tell("");
    if (!this.running) this.run();
  }

  clear() {
    byId("upload").hidden = true;
    byId("refused").replaceChildren();
    this.refused = 0;
  }

  async run() {
    this.running = true;
    while (this.queue.length) {
      const group = this.nextGroup();
      try {
        await this.send(group);
        this.sent += group.length;
      } catch (error) {
        if (error instanceof api.ApiError && error.status === 429) {
          this.queue.unshift(...group);
          await this.wait(error.retryAfter ?? DEFAULT_WAIT_S);
        } else this.lost(group, error);
      }
    }
    this.running = false;
    const sent = this.sent - this.refused;
    this.received = 0;
    this.tell(`${sent} of ${this.total} ${this.total === 1 ? "file" : "files"} received`);
    [this.sent, this.total] = [0, 0];
    if (!this.refused) this.closing = setTimeout(() => this.running || this.refused || this.clear(), 4000);
  }

  nextGroup() {
    let bytes = 0;
    let count = 0;
    for (const file of this.queue.slice(0, GROUP_FILES)) {
      bytes += file.size;
      if (count && bytes > Math.min(GROUP_BYTES, this.owner.bodyLimit())) break;
      count += 1;
    }
    return this.queue.splice(0, count);
  }

  /** @param {File[]} group */
  async send(group) {
    const form = new FormData();
    for (const file of group) form.append("file", file, file.name);
    const answer = await post(form, (share) => this.tell("", share * group.length));
    this.list(answer.refused ?? []);
    const images = answer.images ?? [];
    if (images.length) this.owner.received(images, !this.received);
    this.received += images.length;
  }

  /** @param {File[]} group @param {unknown} error */
  lost(group, error) {
    const listed = error instanceof api.ApiError && Array.isArray(error.body?.refused) ? error.body.refused : null;
    const reason = error instanceof Error ? error.message : String(error);
    this.list(listed ?? group.map((file) => ({ name: file.name, reason })));
    this.sent += group.length;
  }

  /** @param {{name: string, reason: string}[]} refused */
  list(refused) {
    this.refused += refused.length;
    byId("refused").append(...refused.map(({ name, reason }) => el("li", { "data-testid": "refused" }, el("b", {}, name), ` ${reason}`)));
  }

  /** @param {number} seconds */
  async wait(seconds) {
    for (let left = seconds; left > 0; left -= 1) {
      this.tell(`The queue is full; going on in ${timeText(left)}`);
      await new Promise((resolve) => setTimeout(resolve, 1000 * Math.min(1, left)));
    }
  }

  /** @param {string} text @param {number} [sending] files of the group that is on its way */
  tell(text, sending = 0) {
    const done = this.sent + sending;
    const bar = /** @type {HTMLProgressElement} */ (byId("upload-bar"));
    bar.max = Math.max(1, this.total);
    bar.value = this.running ? done : bar.max;
    setText(byId("upload-text"), text || `Sending ${Math.floor(done)} of ${this.total} ${this.total === 1 ? "file" : "files"}`);
  }
}

/**
 * XMLHttpRequest, since fetch does not say how much of a body has gone.
 * @param {FormData} form
 * @param {(share: number) => void} progress
 * @returns {Promise<any>}
 */
function post(form, progress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", api.uploadPath);
    for (const [name, value] of Object.entries(api.changeHeaders())) request.setRequestHeader(name, value);
    request.upload.addEventListener("progress", (event) => event.lengthComputable && progress(event.loaded / event.total));
    request.addEventListener("error", () => reject(new api.ApiError(0, "The server does not answer, or refused a body of this size.")));
    request.addEventListener("load", () => {
      if (request.status >= 200 && request.status < 300) resolve(JSON.parse(request.responseText));
      else reject(api.errorOf(request.status, request.responseText, request.getResponseHeader("Retry-After")));
    });
    request.send(form);
  });
}
