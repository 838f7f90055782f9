/**
 * What a reader says of a picture: verdicts on the model's findings, lesions of the reader's own, comments. A draft is
 * never changed in place: every function gives a new one, so that undo is a list of drafts.
 *
 * @typedef {[number, number][][]} Outlines
 * @typedef {"accepted"|"rejected"|"edited"|"drawn"} Verdict
 * @typedef {{origin: number|null, verdict: Verdict, class: string, outlines: Outlines, comment: string}} Judged
 * @typedef {Judged & {key: string}} Keyed `key` names a finding on this page: m0 the model's first, d0 the reader's first
 * @typedef {{findings: Keyed[], comment: string}} Draft
 * @typedef {{revision: number, findings: Judged[], comment: string, user?: string, saved?: string}} Review as the API has it
 */

/** @param {Review|null} review @returns {Draft} */
export function draftOf(review) {
  let drawn = 0;
  const findings = (review?.findings ?? []).map(({ origin, verdict, class: name, outlines, comment }) => {
    return { key: origin === null ? `d${drawn++}` : keyOf(origin), origin, verdict, class: name, outlines, comment };
  });
  return { findings, comment: review?.comment ?? "" };
}

/** @param {Draft} draft @param {number} revision the one that was edited, 0 for the first @returns {Review} */
export function bodyOf(draft, revision) {
  return { revision, findings: draft.findings.map(({ key: _, ...finding }) => finding), comment: draft.comment };
}

/** @param {number} origin */
export const keyOf = (origin) => `m${origin}`;

/** @param {Draft} draft @param {string} key */
export const judgedOf = (draft, key) => draft.findings.find((finding) => finding.key === key) ?? null;

/** @param {Draft} draft @param {Keyed} finding @returns {Draft} with the finding in place of the one of the same key */
function put(draft, finding) {
  const known = draft.findings.some(({ key }) => key === finding.key);
  const findings = known ? draft.findings.map((old) => (old.key === finding.key ? finding : old)) : [...draft.findings, finding];
  return { ...draft, findings };
}

/** @param {import("../session.js").Finding} finding @param {Verdict} verdict @returns {Keyed} */
function judgement(finding, verdict) {
  return { key: keyOf(finding.index), origin: finding.index, verdict, class: finding.class, outlines: finding.outlines, comment: "" };
}

/**
 * Accept or reject one of the model's findings; the same verdict again takes it back, unless something was edited.
 * @param {Draft} draft
 * @param {import("../session.js").Finding} finding
 * @param {"accepted"|"rejected"} verdict
 * @returns {Draft}
 */
export function judge(draft, finding, verdict) {
  const old = judgedOf(draft, keyOf(finding.index));
  if (old?.verdict === verdict) return without(draft, old.key);
  if (old && verdict === "accepted" && isChanged(old, finding)) return put(draft, { ...old, verdict: "edited" });
  return put(draft, { ...(old ?? judgement(finding, verdict)), verdict });
}

/** @param {Judged} judged @param {import("../session.js").Finding} finding */
const isChanged = (judged, finding) => judged.class !== finding.class || !same(judged.outlines, finding.outlines);

/** @param {Draft} draft @param {string} key @returns {Draft} */
export function without(draft, key) {
  return { ...draft, findings: draft.findings.filter((finding) => finding.key !== key) };
}

/**
 * Another class or outline. What comes back to the model's own answer counts as accepted.
 * @param {Draft} draft
 * @param {string} key
 * @param {import("../session.js").Finding|null} finding of the model, null for one of the reader's own
 * @param {{class?: string, outlines?: Outlines}} change
 * @returns {Draft}
 */
export function edit(draft, key, finding, change) {
  const old = judgedOf(draft, key) ?? (finding && judgement(finding, "edited"));
  if (!old) return draft;
  const changed = { ...old, ...change };
  const verdict = finding ? (isChanged(changed, finding) ? "edited" : "accepted") : "drawn";
  return put(draft, { ...changed, verdict });
}

/** A lesion of the reader's own. @param {Draft} draft @param {Outlines} outlines @param {string} className @returns {{draft: Draft, key: string}} */
export function draw(draft, outlines, className) {
  const numbers = draft.findings.filter(({ key }) => key.startsWith("d")).map(({ key }) => Number(key.slice(1)));
  const key = `d${Math.max(-1, ...numbers) + 1}`;
  return { key, draft: put(draft, { key, origin: null, verdict: "drawn", class: className, outlines, comment: "" }) };
}

/** @param {Draft} draft @param {string|null} key null: on the whole picture @param {string} comment @returns {Draft} */
export function remark(draft, key, comment) {
  if (key === null) return { ...draft, comment };
  const old = judgedOf(draft, key);
  return old ? put(draft, { ...old, comment }) : draft;
}

/** @param {unknown} a @param {unknown} b */
export const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
