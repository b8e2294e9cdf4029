"use strict";
// Every text is set as text, never as markup: it may come from a host.
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const details = JSON.parse(document.getElementById("details").textContent);
  const field = document.getElementById("filter");
  const pressed = () => all(".filter[aria-pressed=true]").map((button) => button.dataset.outcome);

  // Filter: words name items or hosts; outcomes narrow both.
  const columns = new CSSStyleSheet();
  document.adoptedStyleSheets = [columns];
  const hosts = all("th.host").map((cell) => cell.dataset.host);
  const rows = all(".matrix tr[data-text]").map((row) => ({ row, text: row.dataset.text, cells: all("td[data-i]", row) }));
  const outcome = (cell) => cell.dataset.outcome || "pass";

  function apply() {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = new Set(pressed());
    const named = words.filter((word) => hosts.some((host) => host.includes(word)) && !rows.some(({ text }) => text.includes(word)));
    const terms = words.filter((word) => !named.includes(word));
    const kept = hosts.map((host) => !named.length || named.some((word) => host.includes(word)));
    const used = new Set();
    let count = 0;
    for (const { row, text, cells } of rows) {
      const matching = cells.filter((cell) => (cell.colSpan > 1 || kept[cell.cellIndex - 2]) && (!wanted.size || wanted.has(outcome(cell))));
      row.hidden = !(terms.every((term) => text.includes(term)) && matching.length);
      if (row.hidden) continue;
      count += 1;
      matching.forEach((cell) => used.add(cell.cellIndex - 2));
    }
    for (const body of all(".matrix tbody")) body.hidden = !all("tr[data-text]", body).some((row) => !row.hidden);
    // A row that is asked of nobody in particular spans all hosts.
    const gone = hosts.map((_, index) => index).filter((index) => !kept[index] || (wanted.size && hosts.length > 3 && !used.has(index)));
    columns.replaceSync(gone.length && gone.length < hosts.length ? gone.map((index) => `.matrix :is(th.host, td:not(.alone)):nth-child(${index + 3})`).join() + "{display:none}" : "");
    for (const finding of all(".finding")) {
      finding.hidden = (wanted.size && !wanted.has(finding.dataset.outcome)) || !words.every((word) => finding.dataset.text.includes(word));
    }
    document.getElementById("shown").textContent = words.length || wanted.size ? `${count} of ${rows.length} items, ${hosts.length - gone.length} of ${hosts.length} hosts` : "";
  }
  field.addEventListener("input", apply);
  for (const button of all(".filter")) {
    button.addEventListener("click", () => {
      button.setAttribute("aria-pressed", String(button.getAttribute("aria-pressed") !== "true"));
      apply();
    });
  }
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !/^(INPUT|TEXTAREA)$/.test(event.target.tagName)) {
      event.preventDefault();
      field.focus();
    } else if (event.key === "Escape" && event.target === field) {
      field.value = "";
      apply();
    }
  });

  // Copy a command; where the clipboard is closed to pages, select it.
  for (const button of all(".copy")) {
    button.addEventListener("click", async () => {
      const code = button.previousElementSibling;
      try {
        await navigator.clipboard.writeText(code.textContent);
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(code);
        button.textContent = "Selected";
      }
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    });
  }

  // One cell in full.
  const dialog = document.querySelector("dialog");
  function open(cell) {
    const texts = details.cells[Number(cell.dataset.i)].map((index) => details.texts[index]);
    const told = Object.fromEntries(details.names.map((name, index) => [name, texts[index]]));
    document.getElementById("detail-title").textContent = `${told.item}: ${told.title}`;
    const list = dialog.querySelector("dl");
    list.replaceChildren();
    for (const name of details.names.slice(2)) {
      if (!told[name]) continue;
      const term = document.createElement("dt");
      const value = document.createElement("dd");
      term.textContent = name;
      value.textContent = told[name].replaceAll("_", name === "outcome" ? " " : "_");
      if (["found", "expected", "mend"].includes(name)) value.className = "value";
      list.append(term, value);
    }
    dialog.showModal();
  }
  const matrix = document.querySelector(".matrix");
  matrix.addEventListener("click", (event) => {
    const cell = event.target.closest("td[data-i]");
    if (cell) open(cell);
  });
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });

  // The matrix is one stop of the Tab key; arrows move inside it.
  const visible = (row) => row && !row.hidden && !row.closest("tbody").hidden;
  let current = matrix.querySelector("td[data-outcome]") || matrix.querySelector("td[data-i]");
  if (current) current.tabIndex = 0;
  function move(cell) {
    if (!cell) return;
    current.tabIndex = -1;
    current = cell;
    cell.tabIndex = 0;
    cell.focus();
  }
  matrix.addEventListener("keydown", (event) => {
    const cell = event.target.closest("td[data-i]");
    if (!cell) return;
    const list = rows.filter(({ row }) => visible(row));
    const at = list.findIndex(({ row }) => row === cell.parentElement);
    const beside = (step) => { let next = cell; do next = step > 0 ? next.nextElementSibling : next.previousElementSibling; while (next && (!next.dataset.i || !next.offsetParent)); return next; };
    const below = (step) => { for (let index = at + step; list[index]; index += step) { const cells = list[index].cells.filter((one) => one.offsetParent); if (cells.length) return cells.find((one) => one.cellIndex >= cell.cellIndex) || cells[cells.length - 1]; } return null; };
    const moves = { ArrowRight: () => beside(1), ArrowLeft: () => beside(-1), ArrowDown: () => below(1), ArrowUp: () => below(-1) };
    if (moves[event.key]) {
      event.preventDefault();
      move(moves[event.key]());
    } else if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      open(cell);
    }
  });

  // Light or dark, where the system's choice is not wanted.
  document.getElementById("theme").addEventListener("click", () => {
    const dark = document.documentElement.dataset.theme ? document.documentElement.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    document.documentElement.dataset.theme = dark ? "light" : "dark";
  });
})();
