// Conditions on the pictures: chips, and a row to add one.

import { byId, foreign, h, icon } from "./dom.js";
import { current, go } from "./state.js";

/** @typedef {Record<string, {kind: string, operators: string[]}>} Fields */

const EXAMPLES = {
  folder: "holiday/2024",
  format: "JPEG",
  path: "cats/1.jpg",
  number: "1000",
  date: "2024-05",
};
const WORDS = {
  "=": "is",
  "!=": "is not",
  "<": "under",
  "<=": "at most",
  ">": "over",
  ">=": "at least",
};
const DATES = { "=": "within", "<": "before", "<=": "until", ">": "after", ">=": "from" };
const CONDITION = /^\s*(\w+)\s*(!=|<=|>=|=|<|>)(.*)$/s;

/** @type {Fields} */
let fields = {};

/** Let the conditions change the address. */
export function listenToFilters() {
  const [form, field, value] = ["filter-form", "filter-field", "filter-value"].map(byId);
  field.addEventListener("change", offer);
  byId("filter").addEventListener("click", () => open(form.hidden));
  form.addEventListener("submit", (/** @type {Event} */ event) => {
    event.preventDefault();
    if (!value.value.trim()) return value.focus();
    const condition = `${field.value}${byId("filter-operator").value}${value.value.trim()}`;
    value.value = "";
    change([...new Set([...current().options.where, condition])]);
  });
  form.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== "Escape") return;
    open(false);
    byId("filter").focus();
  });
}

/** @param {Fields} known what the service can filter by */
export function offerFields(known) {
  const field = byId("filter-field");
  const chosen = field.value;
  fields = known;
  field.replaceChildren(
    ...Object.keys(known).map((name) => new Option(name.replace("_", " "), name)),
  );
  if (chosen in known) field.value = chosen;
  offer();
}

/** @param {string[]} where @param {Iterable<string>} folders that may be worth a filter */
export function showFilters(where, folders) {
  const held = document.activeElement?.classList.contains("filter-out");
  byId("filters").replaceChildren(
    ...where.map((condition) =>
      h(
        "li",
        { class: "filter" },
        foreign(inWords(condition)),
        h(
          "button",
          {
            type: "button",
            class: "round filter-out",
            title: "Take this condition away",
            onclick: () => change(where.filter((one) => one !== condition)),
          },
          icon("close"),
          h("span", { class: "visually-hidden" }, "Take away ", foreign(inWords(condition))),
        ),
      ),
    ),
  );
  if (held) (document.querySelector(".filter-out") ?? byId("filter")).focus();
  byId("folders").replaceChildren(...[...folders].map((one) => h("option", { value: one })));
}

/** @param {string} sentence why a condition cannot be met; empty if there is none */
export function filterProblem(sentence) {
  byId("filter-error").textContent = sentence;
  byId("filter-error").hidden = !sentence;
}

/** @param {string} sentence whether the service speaks of a condition */
export const isAboutFilter = (sentence) =>
  /^(where |no (folder|root|path|format|sha256) |(folder|path) ')/.test(sentence);

function open(/** @type {boolean} */ wanted) {
  byId("filter-form").hidden = !wanted;
  byId("filter").setAttribute("aria-expanded", String(wanted));
  if (wanted) byId("filter-field").focus();
}

function offer() {
  const name = byId("filter-field").value;
  const { kind, operators } = fields[name];
  const words = kind === "date" ? DATES : WORDS;
  // A date may be partial, and is then a period that something can lie in.
  const offered = new Set(kind === "date" ? ["=", ...operators] : operators);
  byId("filter-operator").replaceChildren(
    ...[...offered].map((one) => new Option(words[one] ?? one, one)),
  );
  const value = byId("filter-value");
  value.placeholder = EXAMPLES[name] ?? EXAMPLES[kind] ?? "";
  value.inputMode = kind === "number" ? "decimal" : "text";
  value.setAttribute("list", name === "folder" ? "folders" : "");
}

function inWords(/** @type {string} */ condition) {
  const [, name, operator, value] = condition.match(CONDITION) ?? [];
  if (!name) return condition;
  const words = fields[name]?.kind === "date" ? DATES : WORDS;
  return `${name.replace("_", " ")} ${words[operator]} ${value.trim()}`;
}

const change = (/** @type {string[]} */ where) => go({ options: { ...current().options, where } });
