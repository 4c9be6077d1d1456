// Draws the charts of a page, reads the point under the pointer or the arrow keys, sorts tables,
// changes the theme. Everything is in the page; nothing is asked for.
"use strict";

function rowsOf(columns) {
  const names = Object.keys(columns);
  const count = names.length ? columns[names[0]].length : 0;
  return Array.from({ length: count }, (_, place) =>
    Object.fromEntries(names.map((name) => [name, columns[name][place]])));
}

// Writes a number by the d3 formats that the charts use, such as "+.1%", "$.3s" and ",.2f".
function format(pattern) {
  const [, sign, dollar, digits, kind] = /^(\+?)(\$?),?\.(\d+)~?([f%sg])$/.exec(pattern);
  const options = { signDisplay: sign ? "exceptZero" : "auto" };
  if (dollar) Object.assign(options, { style: "currency", currency: "USD", currencyDisplay: "narrowSymbol" });
  if (kind === "%") options.style = "percent";
  if (kind === "s") options.notation = "compact";
  if (kind === "s" || kind === "g") options.maximumSignificantDigits = Number(digits);
  else Object.assign(options, { minimumFractionDigits: Number(digits), maximumFractionDigits: Number(digits) });
  const writer = new Intl.NumberFormat("en-US", options);
  return (value) => writer.format(value).replace("-", "\u2212");
}

async function draw(element, given, which) {
  const spec = structuredClone(given[which]);
  spec.datasets = Object.assign({}, spec.datasets, { rows: given.table });
  element.replaceChildren();
  const { view } = await window.vegaEmbed(element, spec, { renderer: "svg", actions: false, tooltip: false });
  element.view = view;
  const drawn = element.querySelector("svg");
  if (drawn) drawn.setAttribute("aria-hidden", "true");
}

function listen(element, given) {
  const { hover } = given;
  const reading = element.parentElement.querySelector(".reading");
  if (!hover || !given.table.length) return;
  const cursor = document.createElement("div");
  cursor.className = "cursor";
  const days = hover.point ? [] : [...new Set(given.table.map((row) => row[hover.x]))].sort();
  let at = days.length - 1;

  function origin() {
    const [left, top] = element.view.origin();
    const padding = element.view.padding();
    return { left: left + padding.left, top: top + padding.top };
  }

  function say(place) {
    at = Math.min(Math.max(place, 0), days.length - 1);
    const day = days[at];
    const found = given.table.filter((row) => row[hover.x] === day && row[hover.y] !== null);
    const words = found.map((row) => {
      const value = format(hover.format)(row[hover.y]);
      return hover.series ? `${String(row[hover.series]).replaceAll("_", " ")} ${value}` : value;
    });
    reading.textContent = `${day}: ${words.join(", ") || "no value"}`;
    const start = origin();
    const x = element.view.scale("x")(Date.parse(day));
    cursor.style.left = `${start.left + x}px`;
    cursor.style.top = `${start.top}px`;
    cursor.style.height = `${element.view.height()}px`;
    if (!cursor.isConnected || cursor.parentElement !== element) element.append(cursor);
  }

  function nearest(event) {
    const box = element.getBoundingClientRect();
    const start = origin();
    return { x: event.clientX - box.left - start.left, y: event.clientY - box.top - start.top };
  }

  element.addEventListener("pointermove", (event) => {
    if (!element.view) return;
    const { x, y } = nearest(event);
    if (hover.point) {
      const across = element.view.scale("x"), up = element.view.scale("y");
      const distance = (row) => Math.hypot(across(row[hover.x]) - x, up(row[hover.y]) - y);
      const row = given.table.reduce((best, each) => (distance(each) < distance(best) ? each : best));
      reading.textContent = `${row[hover.point]}: cap ${format("$.3s")(row[hover.x])}, ratio ${format(",.2f")(row[hover.y])}`;
      return;
    }
    const stamp = new Date(element.view.scale("x").invert(x)).toISOString().slice(0, 10);
    let low = 0, high = days.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (days[middle] < stamp) low = middle + 1; else high = middle;
    }
    say(low);
  });
  element.addEventListener("pointerleave", () => { cursor.remove(); reading.textContent = ""; });
  element.addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: -1, ArrowRight: 1, PageUp: -30, PageDown: 30, Home: -days.length, End: days.length };
    if (!(event.key in steps) || !days.length || !element.view) return;
    event.preventDefault();
    say(at + steps[event.key]);
  });
}

function switchScale(element, given) {
  const group = element.parentElement.querySelector(".switch");
  if (!group) return;
  group.hidden = false;
  for (const button of group.querySelectorAll("button")) {
    button.addEventListener("click", async () => {
      for (const each of group.querySelectorAll("button")) {
        each.setAttribute("aria-pressed", String(each === button));
      }
      await draw(element, given, button.dataset.scale);
    });
  }
}

function sortable(table) {
  const body = table.tBodies[0];
  [...table.tHead.rows[0].cells].forEach((head, place) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const order = head.getAttribute("aria-sort") === "descending" ? "ascending" : "descending";
      for (const each of table.tHead.rows[0].cells) each.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", order);
      const key = (row) => row.cells[place].dataset.sort ?? row.cells[place].textContent;
      const rows = [...body.rows].sort((one, other) => {
        const [a, b] = [key(one), key(other)];
        if (a === "" || b === "") return (a === "") - (b === "");
        const way = order === "ascending" ? 1 : -1;
        const [m, n] = [Number(a), Number(b)];
        return way * (Number.isNaN(m) || Number.isNaN(n) ? a.localeCompare(b) : m - n);
      });
      body.append(...rows);
    });
  });
}

function themes() {
  const button = document.getElementById("theme");
  const root = document.documentElement;
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches);
  const name = () => { button.textContent = isDark() ? "Light" : "Dark"; };
  button.hidden = false;
  name();
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    try { localStorage.setItem("tidemark-theme", root.dataset.theme); } catch (error) { /* see theme.js */ }
    name();
  });
}

async function start() {
  themes();
  document.querySelectorAll("table").forEach(sortable);
  for (const element of document.querySelectorAll("[data-chart]")) {
    const given = JSON.parse(document.getElementById(`${element.dataset.chart}-data`).textContent);
    given.table = rowsOf(given.rows);
    await draw(element, given, "spec");
    switchScale(element, given);
    listen(element, given);
  }
  document.documentElement.dataset.drawn = "yes";
}

window.addEventListener("load", start);
