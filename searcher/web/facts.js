// What is known of a result, and why it is one, in two columns.

import { foreign, h } from "./dom.js";
import { bytes, clusterName, moment, percentile, score } from "./format.js";

/** @param {import("./question.js").Result} result what is known of it, in two columns */
export function facts({ path, root, score: cosine, percentile: part, cluster, record }) {
  const rows = [
    ["Score", score(cosine)],
    part !== null && ["More alike than", `${percentile(part)}% of all pairs`],
    cluster && ["Cluster", clusterName(cluster)],
    record && [
      "Size",
      `${record.width} × ${record.height}, ${record.format}, ${bytes(record.bytes)}`,
    ],
    record?.taken_at && ["Taken", moment(record.taken_at)],
    ["Path", foreign(path)],
    ["In", foreign(root)],
  ];
  return list(rows.filter(Boolean));
}

/** @param {any} told the values of `explain` in words */
export function reason(told) {
  const distance = (/** @type {number} */ value) => value.toFixed(3);
  return list(
    [
      ["Its cluster", `${clusterName(told.cluster)}, ${distance(told.distance)} from its centre`],
      told.next_cluster && [
        "The next one",
        `${clusterName(told.next_cluster)}, ${distance(told.next_distance)}`,
      ],
      told.border !== null && told.border !== undefined && ["To the border", distance(told.border)],
      told.hash_bits !== null && ["Fingerprint", `${told.hash_bits} of 64 bits differ`],
    ].filter(Boolean),
  );
}

const list = (/** @type {any[]} */ rows) =>
  h("dl", {}, ...rows.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
