"use strict";
document.documentElement.classList.add("has-js");
// Filter of claims and results: its state is in the address, so that a filtered list can be sent.
const filter = document.querySelector(".filter");
if (filter) {
  const rows = [...document.querySelectorAll("[data-words]")];
  const texts = new Map(rows.map((row) => [row, `${row.dataset.words} ${row.textContent}`.toLowerCase()]));
  const count = filter.querySelector(".count");
  const fields = [...filter.elements].filter((field) => field.name);
  const show = () => {
    const wanted = Object.fromEntries(fields.map((field) => [field.name, field.value.trim().toLowerCase()]));
    let shown = 0;
    for (const row of rows) {
      const fits = fields.every(({ name }) => {
        const value = wanted[name];
        if (!value) return true;
        if (name === "q") return value.split(/\s+/).every((word) => texts.get(row).includes(word));
        return (row.dataset[name] || "").split("|").includes(value);
      });
      row.hidden = !fits;
      shown += fits;
    }
    for (const group of document.querySelectorAll("[data-group]"))
      group.hidden = !group.querySelector("[data-words]:not([hidden])");
    count.textContent = `${shown} of ${rows.length}`;
  };
  const read = () => {
    const state = new URLSearchParams(location.hash.slice(1));
    if (!location.hash.includes("=")) return;
    for (const field of fields) field.value = state.get(field.name) || "";
  };
  filter.addEventListener("input", () => {
    const state = new URLSearchParams();
    for (const field of fields) if (field.value) state.set(field.name, field.value);
    history.replaceState(null, "", state.size ? `#${state}` : location.pathname);
    show();
  });
  filter.addEventListener("submit", (event) => event.preventDefault());
  addEventListener("hashchange", () => { read(); show(); });
  read();
  show();
}
// A link to something inside a closed part opens that part.
const open = () => {
  const id = decodeURIComponent(location.hash.slice(1));
  const target = id && !id.includes("=") && document.getElementById(id);
  if (!target) return;
  const part = target.matches("details") ? target : target.querySelector("details");
  if (part) part.open = true;
  target.scrollIntoView();
};
addEventListener("hashchange", open);
open();
// Blend two digits: shares for each alpha were computed when the page was made.
const blend = document.querySelector(".blend[data-stops]");
if (blend) {
  const stops = JSON.parse(blend.dataset.stops);
  const slider = blend.querySelector("input");
  const over = [...blend.querySelectorAll(".live [data-over]")];
  const set = () => {
    const stop = stops[slider.value];
    stop.shares.forEach((share, k) => over[k].setAttribute("opacity", 1 - share));
    const shrunk = blend.querySelector("[data-shrunk]");
    shrunk.setAttribute("transform", `scale(${stop.theta})`);
    shrunk.parentNode.setAttribute("aria-label", `Zeros and ones, shrunk by ${stop.theta}`);
    blend.querySelector("[data-density]").setAttribute("d", stop.density);
    blend.querySelector("output").textContent = stop.told;
    slider.setAttribute("aria-valuetext", stop.told);
  };
  slider.addEventListener("input", set);
  set();
}
// theta bar for an alpha is 1/2 + G / (2 sqrt(pi)), with G = Gamma(alpha + 1/2) / Gamma(alpha + 1).
// By its recurrence G is a product of fractions and G at x >= 20, where it is a root to six digits.
const field = document.querySelector(".field");
if (field) {
  const input = field.querySelector("input");
  const show = () => {
    let told = "give a number above 0";
    let x = Number(input.value);
    if (x > 0) {
      let product = 1;
      for (; x < 20; x += 1) product *= (x + 1) / (x + 0.5);
      const root = Math.sqrt(Math.PI * (x + 1 / 4 + 1 / (32 * x)));
      told = "θ̄ = " + (0.5 + product / (2 * root)).toFixed(3);
    }
    field.querySelector("output").textContent = told;
  };
  input.addEventListener("input", show);
  show();
}
