/** Two readers saved at once: what each of them changed since both last agreed. */

import { draftOf, same } from "./draft.js";

/**
 * @typedef {import("./draft.js").Draft} Draft
 * @typedef {import("./draft.js").Review} Review
 */

/**
 * Theirs, and over it whatever I have changed since the review that I started from; my own new outlines are added.
 * @param {Review|null} base what I started from
 * @param {Draft} mine
 * @param {Review} theirs
 * @returns {Draft}
 */
export function merged(base, mine, theirs) {
  const before = draftOf(base);
  const after = draftOf(theirs);
  const old = new Map(before.findings.map((finding) => [finding.key, finding]));
  const own = new Map(mine.findings.map((finding) => [finding.key, finding]));
  const changed = (/** @type {string} */ key) => !same(old.get(key), own.get(key));
  const drawn = (/** @type {string} */ key) => key.startsWith("d");
  const fresh = mine.findings.filter(({ key }) => drawn(key) && !old.has(key));
  const kept = after.findings.flatMap((finding) => {
    const known = !drawn(finding.key) || old.has(finding.key);
    if (!known || !changed(finding.key)) return [finding];
    const changedByMe = own.get(finding.key);
    return changedByMe ? [changedByMe] : [];
  });
  const keys = new Set(kept.map(({ key }) => key));
  const added = mine.findings.filter(({ key }) => !drawn(key) && changed(key) && !keys.has(key));
  let number = Math.max(-1, ...kept.filter(({ key }) => drawn(key)).map(({ key }) => Number(key.slice(1))));
  const renamed = fresh.map((finding) => ({ ...finding, key: `d${++number}` }));
  return { findings: [...kept, ...added, ...renamed], comment: mine.comment !== before.comment ? mine.comment : after.comment };
}

/** What the other reader did, in words. @param {Review} review */
export function reviewText(review) {
  const counts = new Map();
  for (const { verdict } of review.findings) counts.set(verdict, (counts.get(verdict) ?? 0) + 1);
  const verdicts = [...counts].map(([verdict, count]) => `${count} ${verdict}`).join(", ") || "nothing marked";
  return review.comment ? `${verdicts}; comment: “${review.comment}”` : verdicts;
}
