// Pictures that were dropped, pasted or picked: kept in this tab, checked before they are sent.

import { visible } from "./dom.js";
import { bytes } from "./format.js";

/** @type {Map<number, {file: File, preview: string}>} */
const kept = new Map();

/** @param {File} file @returns {import("./state.js").Example} */
export function keep(file) {
  const key = Date.now() * 1000 + Math.floor(Math.random() * 1000);
  kept.set(key, { file, preview: URL.createObjectURL(file) });
  return { file: key, name: file.name || "pasted picture", unlike: false };
}

/** @param {number} key undefined after a reload: pictures are not kept longer than their tab */
export const upload = (key) => kept.get(key);

/**
 * Why these cannot be asked with, or an empty text.
 *
 * @param {File[]} files
 * @param {number} others how many pictures the question has already
 * @param {{upload_bytes: number, examples: number} | undefined} limits
 */
export function unfit(files, others, limits) {
  const empty = files.find((file) => file.size === 0);
  if (empty) return `${visible(empty.name)} is empty.`;
  if (!limits) return "";
  const { upload_bytes: most, examples } = limits;
  const number = others + files.length;
  if (number > examples) return `A question takes ${examples} pictures at most, not ${number}.`;
  const big = files.find((file) => file.size > most);
  return big
    ? `${visible(big.name)} has ${bytes(big.size)}, more than the ${bytes(most)} that this service ` +
        "takes: scale it down first."
    : "";
}
