// The OpenAPI document of this service, for people, with a line to try each route.

import { call } from "./api.js";
import { byId, h, ticked } from "./dom.js";
import { nameOf, properties, table, typeText } from "./schema.js";

/** @typedef {Record<string, any>} Any */

const SAMPLES = { id: "ID", number: "0" };

async function begin() {
  const place = byId("routes");
  try {
    const document = await call("/openapi.json");
    place.replaceChildren(...groups(document), shapes(document));
    open();
  } catch (error) {
    place.replaceChildren(
      h("p", { class: "problem", role: "alert" }, /** @type {Error} */ (error).message),
    );
  }
}

function groups(/** @type {Any} */ document) {
  const routes = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, route]) => ({
      path,
      method,
      route,
      tag: route.tags?.[0] ?? "other",
    })),
  );
  return [...new Set(routes.map((one) => one.tag))].map((tag) =>
    h(
      "section",
      {},
      h("h2", {}, tag[0].toUpperCase() + tag.slice(1)),
      ...routes.filter((one) => one.tag === tag).map((one) => route(document, one)),
    ),
  );
}

function route(/** @type {Any} */ document, /** @type {Any} */ { path, method, route }) {
  const parameters = (route.parameters ?? []).map((/** @type {Any} */ one) => [
    one.name,
    { description: one.description, ...one.schema },
    one.required,
  ]);
  return h(
    "details",
    { id: route.operationId },
    h(
      "summary",
      {},
      h("span", { class: `method ${method}` }, method.toUpperCase()),
      h("code", {}, path),
      h("span", { class: "about" }, ...ticked(route.description ?? route.summary)),
    ),
    h(
      "div",
      { class: "route" },
      ...(parameters.length ? [h("h3", {}, "Parameters"), table(parameters)] : []),
      ...bodies(document, route),
      h("h3", {}, "Answers"),
      answers(route),
      h("h3", {}, "Try it"),
      ...curls(path, method, route),
    ),
  );
}

function bodies(/** @type {Any} */ document, /** @type {Any} */ route) {
  return Object.entries(route.requestBody?.content ?? {}).flatMap(([kind, { schema }]) => [
    h("h3", {}, "Body: ", h("code", {}, kind)),
    table(properties(document, schema)),
  ]);
}

function answers(/** @type {Any} */ route) {
  return h(
    "dl",
    {},
    ...Object.entries(route.responses).flatMap(([status, answer]) => {
      const kinds = Object.entries(answer.content ?? {}).map(
        ([kind, { schema }]) => shapeLink(schema) ?? h("code", {}, kind),
      );
      return [h("dt", {}, status), h("dd", {}, `${answer.description} `, ...kinds)];
    }),
  );
}

function shapeLink(/** @type {Any} */ schema) {
  const name = schema && nameOf(schema);
  return name ? h("a", { href: `#shape-${name}` }, name) : null;
}

function curls(/** @type {string} */ path, /** @type {string} */ method, /** @type {Any} */ route) {
  const at = location.origin + path.replace(/\{(\w+)\}/g, (_, name) => SAMPLES[name] ?? name);
  const kinds = Object.keys(route.requestBody?.content ?? { "": {} });
  return kinds.map((kind) =>
    line(
      `curl ${method === "get" ? "" : `-X ${method.toUpperCase()} `}${given(kind, path)}'${at}'`,
    ),
  );
}

function given(/** @type {string} */ kind, /** @type {string} */ path) {
  const batch = path.endsWith("/batch");
  if (kind === "multipart/form-data")
    return `-F image=@cat.jpg ${batch ? "-F image=@dog.jpg" : "-F n=12 -F probes=auto"} `;
  if (kind !== "application/json") return path === "/session" ? "-H 'X-API-Key: KEY' " : "";
  const question = { random: true, n: 12 };
  return `-H 'Content-Type: application/json' -d '${JSON.stringify(batch ? { queries: [question] } : question)}' `;
}

function line(/** @type {string} */ text) {
  const copy = h(
    "button",
    {
      type: "button",
      class: "quiet",
      onclick: async () => {
        await navigator.clipboard?.writeText(text);
        copy.textContent = navigator.clipboard ? "Copied" : "Not allowed";
      },
    },
    "Copy",
  );
  return h("div", { class: "line-of" }, h("pre", { tabindex: "0" }, h("code", {}, text)), copy);
}

function shapes(/** @type {Any} */ document) {
  return h(
    "section",
    {},
    h("h2", {}, "Shapes"),
    ...Object.entries(document.components?.schemas ?? {}).map(([name, schema]) => {
      const rows = properties(document, schema);
      return h(
        "details",
        { id: `shape-${name}` },
        h(
          "summary",
          {},
          h("code", {}, name),
          h("span", { class: "about" }, ...ticked(schema.description ?? "")),
        ),
        h("div", { class: "route" }, rows.length ? table(rows) : h("p", {}, typeText(schema))),
      );
    }),
  );
}

/** Unfold what the address points at. */
function open() {
  const target =
    location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!(target instanceof HTMLDetailsElement)) return;
  target.open = true;
  target.scrollIntoView();
}

addEventListener("hashchange", open);
begin();
