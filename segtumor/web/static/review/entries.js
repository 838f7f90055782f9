/** The findings of a picture as the page lists and draws them: the model's answer and what the reader made of it. */

import { boxOf, diameter, ringArea } from "../viewer/geometry.js";
import { judgedOf, keyOf } from "./draft.js";

/**
 * @typedef {import("../session.js").Finding} Finding
 * @typedef {{key: string, name: string, label: string, finding: Finding|null, verdict: string|null, class: string,
 *            score: number|null, rings: [number, number][][], comment: string}} Entry
 */

/**
 * Findings from the threshold on, and whatever the reader has judged.
 * @param {import("../session.js").Reading|null} reading
 * @param {import("./draft.js").Draft} draft
 * @param {number} threshold
 * @returns {Entry[]} the model's by score, then the reader's own
 */
export function entriesOf(reading, draft, threshold) {
  const models = [...(reading?.findings ?? [])].sort((p, q) => q.score - p.score);
  const entries = models.flatMap((finding, i) => {
    const judged = judgedOf(draft, keyOf(finding.index));
    if (!judged && finding.score < threshold) return [];
    return [entry(`${i + 1}`, finding, judged)];
  });
  const own = draft.findings.filter(({ origin }) => origin === null);
  return [...entries, ...own.map((judged, i) => entry(`R${i + 1}`, null, judged))];
}

/** @param {string} name @param {Finding|null} finding @param {import("./draft.js").Keyed|null} judged @returns {Entry} */
function entry(name, finding, judged) {
  const className = judged?.class ?? finding?.class ?? "";
  const score = finding?.score ?? null;
  return {
    key: judged?.key ?? keyOf(finding?.index ?? 0),
    name,
    label: score === null ? `${name} ${className}` : `${name} ${className} ${score.toFixed(2)}`,
    finding,
    verdict: judged?.verdict ?? null,
    class: className,
    score,
    rings: judged?.outlines.length ? judged.outlines : (finding?.outlines ?? []),
    comment: judged?.comment ?? "",
  };
}

/**
 * Largest diameter and area in words; the model's own numbers where its outline was not changed.
 * @param {Entry} entry
 * @param {import("../session.js").Picture} image
 */
export function sizeText(entry, image) {
  const { rings } = entry;
  if (!rings.length) return "The model gives no place.";
  const spacing = image.spacing_mm;
  const own = entry.verdict === "edited" ? null : entry.finding;
  const areaPx = own?.area_px ?? rings.reduce((sum, ring) => sum + ringArea(ring), 0);
  if (!spacing) return `${(own?.diameter_px ?? diameter(rings)).toFixed(0)} px across, ${areaPx.toFixed(0)} px²`;
  const mm = own?.diameter_mm ?? diameter(rings, spacing);
  const source = image.spacing_source ? ` (spacing: ${image.spacing_source})` : "";
  return `${mm.toFixed(1)} mm across, ${((areaPx * spacing[0] * spacing[1]) / 100).toFixed(2)} cm²${source}`;
}

/**
 * The model's findings, from its own threshold on, that nobody has judged: while there are any the picture is not read.
 * @param {import("../session.js").Reading|null} reading
 * @param {import("./draft.js").Draft} draft
 */
export function unjudged(reading, draft) {
  const open = (/** @type {Finding} */ finding) => finding.outlines.length > 0 && !judgedOf(draft, keyOf(finding.index));
  return (reading?.findings ?? []).filter((finding) => finding.score >= (reading?.threshold ?? 1) && open(finding));
}

/** Middle of an entry, image px. @param {Entry} entry @returns {[number, number]|null} */
export function middleOf(entry) {
  const [x0, y0, x1, y1] = entry.rings.length ? boxOf(entry.rings) : (entry.finding?.box ?? []);
  return x0 === undefined ? null : [(x0 + x1) / 2, (y0 + y1) / 2];
}

/**
 * The sentence above the list.
 * @param {Entry[]} entries
 * @param {import("../session.js").Reading} reading
 * @param {number} threshold
 */
export function summaryText(entries, reading, threshold) {
  const found = entries.filter((entry) => entry.score !== null && entry.score >= threshold).length;
  const value = threshold.toFixed(2);
  if (found) return `${found} ${found === 1 ? "finding" : "findings"} at or above ${value}`;
  const highest = Math.max(...reading.findings.map((finding) => finding.score));
  const rest = Number.isFinite(highest) ? ` The highest score is ${highest.toFixed(2)}.` : " The model marked nothing at all.";
  return `No finding above ${value}.${rest}`;
}
