// How far to look and which results count.

import { byId } from "./dom.js";
import { current, go } from "./state.js";

const NAMED = ["1", "auto", "all"];

/** @typedef {import("./state.js").Options} Options */

/** Let the controls change the address. */
export function listenToControls() {
  const change = (/** @type {Partial<Options>} */ some) =>
    go({ options: { ...current().options, ...some } });
  const near = byId("near");
  for (const radio of reaches())
    radio.addEventListener("change", () =>
      change({ probes: radio.value === "near" ? near.value : radio.value }),
    );
  near.addEventListener("change", () => near.checkValidity() && change({ probes: near.value }));
  byId("number").addEventListener("change", () => change({ n: Number(byId("number").value) }));
  byId("tier").addEventListener("change", () => change({ tier: byId("tier").value }));
  const slider = byId("percentile");
  slider.addEventListener("input", () => tell(slider.valueAsNumber));
  slider.addEventListener("change", () => change({ percentile: slider.valueAsNumber }));
  const panel = byId("controls");
  byId("options").addEventListener("click", () => {
    const open = panel.classList.toggle("open");
    byId("options").setAttribute("aria-expanded", String(open));
  });
}

/**
 * Show options as they are.
 *
 * @param {Options} options
 * @param {{clusters: number, calibrated: boolean} | null} stats
 */
export function showControls(options, stats) {
  const named = NAMED.includes(options.probes);
  for (const radio of reaches()) {
    radio.checked = radio.value === (named ? options.probes : "near");
  }
  const near = byId("near");
  near.max = String(stats?.clusters ?? "");
  near.hidden = named;
  if (!named) near.value = options.probes;
  choose(byId("number"), String(options.n));
  byId("tier").value = options.tier;
  byId("percentile-control").hidden = stats !== null && !stats.calibrated;
  byId("percentile").value = String(options.percentile);
  tell(options.percentile);
}

/** @returns {HTMLInputElement[]} */
const reaches = () => [...document.querySelectorAll('input[name="reach"]')];

/** Choose a value that may have come from the address and be none of the usual ones. */
function choose(/** @type {HTMLSelectElement} */ select, /** @type {string} */ value) {
  if (![...select.options].some((one) => one.value === value)) select.add(new Option(value, value));
  select.value = value;
}

function tell(/** @type {number} */ percentile) {
  byId("percentile-value").textContent = percentile ? `over ${percentile}` : "any";
}
