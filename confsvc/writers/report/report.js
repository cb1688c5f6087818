"use strict";
(() => {
  const form = document.querySelector(".controls");
  const search = document.getElementById("search");
  const state = document.getElementById("state");
  const environment = document.getElementById("environment");
  const count = document.getElementById("count");
  const nothing = document.getElementById("nothing");
  const rows = [...document.querySelectorAll("tbody tr")].map((row) => ({
    row,
    kinds: row.className.split(" "),
    states: [...row.cells].slice(1).map((cell) => cell.className.slice(2)),
    text: row.textContent.toLowerCase(),
  }));

  const matches = (one, words, show) =>
    words.every((word) => one.text.includes(word)) &&
    (show === "all" || one.kinds.includes(show)) &&
    (!state.value ||
      (environment.value ? one.states[environment.value] === state.value : one.states.includes(state.value)));

  const apply = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const show = form.elements.show.value;
    let shown = 0;
    for (const one of rows) {
      const fits = matches(one, words, show);
      one.row.hidden = !fits;
      shown += fits;
    }
    const all = rows.length.toLocaleString("en");
    const noun = rows.length === 1 ? "setting" : "settings";
    count.textContent =
      shown === rows.length ? `${all} ${noun}` : `${shown.toLocaleString("en")} of ${all} ${noun}`;
    nothing.hidden = shown > 0;
  };

  form.addEventListener("input", apply);
  form.addEventListener("change", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(() => { apply(); search.focus(); }));
  form.hidden = false;
  apply();
})();
