/** Files out of what was dropped: single ones, several, and folders with all that is in them. */

/**
 * @param {DataTransfer} transfer
 * @returns {Promise<File[]>} in the order of their paths
 */
export async function filesOf(transfer) {
  // Entries are taken before the first await: afterwards the browser has emptied the transfer.
  const entries = [...transfer.items].flatMap((item) => (item.kind === "file" ? [item.webkitGetAsEntry()] : []));
  if (!entries.length || entries.some((entry) => entry === null)) return [...transfer.files];
  const found = await Promise.all(entries.map((entry) => filesIn(/** @type {FileSystemEntry} */ (entry))));
  return found.flat().sort((p, q) => p.path.localeCompare(q.path, "en", { numeric: true })).map(({ file }) => file);
}

/** @param {FileSystemEntry} entry @returns {Promise<{path: string, file: File}[]>} */
async function filesIn(entry) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => /** @type {FileSystemFileEntry} */ (entry).file(resolve, reject));
    return [{ path: entry.fullPath, file }];
  }
  const reader = /** @type {FileSystemDirectoryEntry} */ (entry).createReader();
  /** @type {FileSystemEntry[]} */
  const children = [];
  for (;;) {
    /** @type {FileSystemEntry[]} */
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) break; // Chromium gives a hundred at a time
    children.push(...some);
  }
  return (await Promise.all(children.map(filesIn))).flat();
}
