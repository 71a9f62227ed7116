// JSON schemas as people read them: a type in a few words, an object as a table.

import { h, ticked } from "./dom.js";

/** @typedef {Record<string, any>} Schema */

/** Follows references into the document. @param {any} document @param {Schema} schema @returns {Schema} */
export function resolved(document, schema) {
  if (!schema.$ref) return schema;
  const path = schema.$ref.slice(2).split("/");
  return path.reduce((/** @type {any} */ at, /** @type {string} */ key) => at[key], document);
}

/** "whole number 1 to 200", "auto | all", "list of uuid". @param {Schema} schema @returns {string} */
export function typeText(schema) {
  if (schema.$ref) return nameOf(schema);
  if (schema.enum) return schema.enum.join(" | ");
  if (schema.const !== undefined) return String(schema.const);
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices) return choices.map(typeText).join(" or ");
  if (schema.type === "array")
    return `list of ${typeText(schema.items ?? {})}${schema.maxItems ? `, at most ${schema.maxItems}` : ""}`;
  const words = {
    integer: "whole number",
    boolean: "true or false",
    string: "text",
    null: "null",
    object: "object",
  };
  const kind =
    { uuid: "id", binary: "file" }[schema.format] ??
    words[schema.type] ??
    schema.type ??
    "anything";
  return [kind, range(schema)].filter(Boolean).join(" ");
}

function range(/** @type {Schema} */ schema) {
  const low = schema.minimum ?? schema.exclusiveMinimum;
  const high = schema.maximum ?? schema.exclusiveMaximum;
  if (low !== undefined && high !== undefined) return `${low} to ${high}`;
  if (low !== undefined) return `from ${low}`;
  return high === undefined ? "" : `up to ${high}`;
}

/** Every property of an object, also of one that is put together. @param {any} document @param {Schema} schema */
export function properties(document, schema) {
  const whole = resolved(document, schema);
  /** @type {[string, Schema, boolean][]} */
  const own = Object.entries(whole.properties ?? {}).map(([name, one]) => [
    name,
    one,
    (whole.required ?? []).includes(name),
  ]);
  return [
    ...(whole.allOf ?? []).flatMap((/** @type {Schema} */ one) => properties(document, one)),
    ...own,
  ];
}

/** @param {[string, Schema, boolean][]} rows name, schema, whether it must be given @returns {HTMLElement} */
export function table(rows) {
  return h(
    "table",
    {},
    h(
      "thead",
      {},
      h("tr", {}, ...["Name", "Type", "Meaning"].map((one) => h("th", { scope: "col" }, one))),
    ),
    h(
      "tbody",
      {},
      ...rows.map(([name, schema, required]) =>
        h(
          "tr",
          {},
          h("th", { scope: "row" }, h("code", {}, name)),
          h("td", {}, typeText(schema), usual(schema, required)),
          h("td", {}, ...ticked(schema.description ?? "")),
        ),
      ),
    ),
  );
}

function usual(/** @type {Schema} */ schema, /** @type {boolean} */ required) {
  if (required) return h("span", { class: "must" }, " required");
  const value = schema.default;
  const plain = value !== undefined && value !== null && !(Array.isArray(value) && !value.length);
  return plain && h("span", { class: "usual" }, ` (${value})`);
}

/** @param {Schema} schema the name of a shape, or the empty text */
export const nameOf = (schema) => schema.$ref?.split("/").pop() ?? "";
