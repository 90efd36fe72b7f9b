"use strict";

const report = JSON.parse(document.getElementById("figures-data").textContent);
const config = JSON.parse(document.getElementById("figures-config").textContent);

/* The link to the CSV file holds the only copy of a figure's data: what is drawn is what one downloads. */
function rowsOf(figure) {
  if (figure.rows) return figure.rows;
  const link = figure.querySelector("a[download]").href;
  const [columns, ...records] = recordsOf(decodeURIComponent(link.slice(link.indexOf(",") + 1)));
  const { types } = report[figure.id];
  figure.rows = records.map((cells) =>
    Object.fromEntries(columns.map((column, place) => [column, typed(cells[place], types[column])])));
  return figure.rows;
}

function recordsOf(csv) {
  const records = [[]];
  for (const [, quoted, bare, end] of csv.matchAll(/(?:"((?:[^"]|"")*)"|([^",\n]*))(,|\n|$)/g)) {
    records.at(-1).push(quoted === undefined ? bare : quoted.replaceAll('""', '"'));
    if (end === "\n") records.push([]);
    if (end === "") break;
  }
  records.pop();
  return records;
}

function typed(text, type) {
  if (type === "string") return text;
  if (text === "") return null;
  return type === "number" ? Number(text) : text === "true";
}

function specification(name, index, values) {
  const { parameters, panels } = report[name];
  const spec = structuredClone(panels[index]);
  spec.data = { name: "figure", values };
  spec.params = [...(spec.params || []), ...parameters];
  return spec;
}

async function draw(figure, panel) {
  // What is folded up or not chosen has no width yet.
  if (panel.dataset.drawn || panel.hidden || figure.open === false) return;
  panel.dataset.drawn = "started";
  const settings = { actions: false, renderer: "svg", config: { ...config } };
  if (report[figure.id].hideLegends) settings.config.legend = { ...config.legend, disable: true };
  const spec = specification(figure.id, Number(panel.dataset.index), rowsOf(figure));
  const result = await vegaEmbed(panel.querySelector(".drawing"), spec, settings);
  panel.view = result.view;
  panel.dataset.drawn = "yes";
}

async function drawAll(figure) {
  for (const panel of figure.querySelectorAll(".panel")) {
    await draw(figure, panel);
    applyIsolation(figure, panel);
  }
}

/* Isolating one entry of a legend fades the others in every panel of its figure. */
function isolate(figure, legend, button) {
  const already = button.getAttribute("aria-pressed") === "true";
  for (const other of legend.querySelectorAll("button")) other.setAttribute("aria-pressed", "false");
  button.setAttribute("aria-pressed", String(!already));
  figure.dataset[`isolated_${legend.dataset.field}`] = already ? "" : button.value;
  for (const panel of figure.querySelectorAll(".panel")) applyIsolation(figure, panel);
}

function applyIsolation(figure, panel) {
  if (!panel.view) return;
  for (const { name } of report[figure.id].parameters) {
    panel.view.signal(name, figure.dataset[name] || "");
  }
  panel.view.runAsync();
}

function fillTable(figure, box) {
  if (box.childElementCount) return;
  const { types } = report[figure.id];
  const columns = Object.keys(types);
  const table = document.createElement("table");
  const caption = table.createCaption();
  caption.className = "skip";
  caption.textContent = `Data of the figure: ${figure.querySelector("h4").textContent}`;
  const head = table.createTHead().insertRow();
  for (const column of columns) {
    const cell = document.createElement("th");
    cell.scope = "col";
    if (types[column] === "number") cell.className = "n";
    cell.textContent = column;
    head.append(cell);
  }
  const body = table.createTBody();
  for (const row of rowsOf(figure)) {
    const line = body.insertRow();
    for (const column of columns) {
      const cell = line.insertCell();
      const value = row[column];
      cell.textContent = value === null ? "" : String(value);
      if (types[column] === "number") cell.className = "n";
    }
  }
  box.append(table);
}

function watchTheme() {
  const root = document.documentElement;
  const button = document.getElementById("theme");
  const dark = () => root.dataset.theme
    ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  const label = () => { button.textContent = dark() ? "Light" : "Dark"; };
  button.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    label();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", label);
  button.hidden = false;
  label();
}

async function start() {
  watchTheme();
  const figures = [...document.querySelectorAll(".figure")];
  for (const figure of figures) {
    for (const legend of figure.querySelectorAll(".legend")) {
      for (const button of legend.querySelectorAll("button")) {
        button.addEventListener("click", () => isolate(figure, legend, button));
      }
    }
    const rows = figure.querySelector("details.rows");
    rows.addEventListener("toggle", () => fillTable(figure, rows.querySelector(".table")));
    figure.addEventListener("toggle", () => drawAll(figure));
    const chooser = figure.querySelector("select");
    if (chooser) {
      chooser.addEventListener("change", async () => {
        for (const panel of figure.querySelectorAll(".panel")) {
          panel.hidden = panel.dataset.index !== chooser.value;
        }
        await drawAll(figure);
      });
    }
  }
  for (const figure of figures) {
    await drawAll(figure);
  }
  document.documentElement.dataset.ready = "yes";
}

start();
