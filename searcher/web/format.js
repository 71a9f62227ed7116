// Numbers, names and dates as people read them.

const WHOLE = new Intl.NumberFormat("en");

/** @param {number} value "3,068" */
export const count = (value) => WHOLE.format(value);

/** @param {number} number @param {string} one @param {string} [many] "1 picture", "12 pictures" */
export const plural = (number, one, many = `${one}s`) =>
  `${count(number)} ${number === 1 ? one : many}`;

/** "17%"; never 0% for something, never 100% for less than everything. */
export function share(/** @type {number} */ part, /** @type {number} */ whole) {
  const percent = whole ? (100 * part) / whole : 0;
  if (percent > 0 && percent < 1) return "<1%";
  if (percent > 99 && percent < 100) return ">99%";
  return `${percent.toFixed(0)}%`;
}

/** "97", "99.3", "99.98": rounded down, so that only what beats all is 100. */
export function percentile(/** @type {number} */ value) {
  if (value >= 100) return "100";
  const digits = value < 99 ? 0 : value < 99.9 ? 1 : 2;
  return (Math.floor(value * 10 ** digits) / 10 ** digits).toFixed(digits);
}

/** "Nothing is here." for "nothing is here". @param {string} text */
export const sentence = (text) =>
  `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;

/** @param {number} value a cosine */
export const score = (value) => value.toFixed(3).replace("-", "\u2212");

/** The tiers in a person's words, the alikest first. */
export const TIERS = { exact: "same picture", near: "altered copy", similar: "looks alike" };

/** @param {string | null} tier */
export const likeness = (tier) => TIERS[tier] ?? "less alike";

/** @param {number} value "45 KB" */
export function bytes(value) {
  const units = ["bytes", "KB", "MB", "GB"];
  const power = Math.min(3, Math.floor(Math.log10(Math.max(1, value)) / 3));
  const scaled = value / 1000 ** power;
  return `${scaled.toFixed(power && scaled < 10 ? 1 : 0)} ${units[power]}`;
}

/** @param {string} iso "4 May 2024, 10:12" */
export function moment(iso) {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return iso;
  return date.toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });
}

/** @param {string} link a thumbnail's @param {160 | 320 | 640} size its longer edge, in pixels */
export const sized = (link, size) => `${link}${link.includes("?") ? "&" : "?"}size=${size}`;

/** @param {string} path the last part of it */
export const fileName = (path) => path.slice(path.lastIndexOf("/") + 1);

/** The folder of a picture inside its root; the root's own name at the top. */
export function folder(/** @type {string} */ path, /** @type {string} */ root) {
  const end = path.lastIndexOf("/");
  return end < 0 ? fileName(root) : path.slice(0, end);
}

/** @param {string} label "Cluster 3" for "g1/3" */
export const clusterName = (label) => `Cluster ${clusterNumber(label)}`;

/** @param {string} label */
export const clusterNumber = (label) => Number(label.slice(label.indexOf("/") + 1));
