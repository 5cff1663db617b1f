// Tables: a click on a header sorts by its column, a second click the other way.
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    head.querySelector("button").addEventListener("click", () => {
      // Scores are most wanted from the best down, names from A.
      const first = head.classList.contains("number") ? "descending" : "ascending";
      const other = first === "ascending" ? "descending" : "ascending";
      const order = head.getAttribute("aria-sort") === first ? other : first;
      heads.forEach((h) => h.setAttribute("aria-sort", h === head ? order : "none"));
      const sign = order === "ascending" ? 1 : -1;
      const body = table.tBodies[0];
      const key = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent.trim();
      const rows = [...body.rows].sort((a, b) => sign * key(a).localeCompare(key(b), "en"));
      if (rows.length && rows[0].cells[column].dataset.value !== undefined) {
        rows.sort((a, b) => sign * (Number(key(a)) - Number(key(b))));
      }
      body.append(...rows);
    });
  });
}

// The confusion matrix: arrow keys go to the next count in a row or column.
function startMatrix(table) {
  const buttons = [...table.querySelectorAll("button")];
  const spot = (button) => [button.closest("tr").rowIndex, button.closest("td").cellIndex];
  const next = (button, along, sign) => {
    const here = spot(button), across = 1 - along;
    const line = buttons.filter((b) => spot(b)[across] === here[across]
      && sign * (spot(b)[along] - here[along]) > 0);
    return sign > 0 ? line[0] : line.at(-1);
  };
  table.addEventListener("keydown", rove(buttons, (button, key) => ({
    ArrowRight: () => next(button, 1, 1), ArrowLeft: () => next(button, 1, -1),
    ArrowDown: () => next(button, 0, 1), ArrowUp: () => next(button, 0, -1),
  })[key]?.()));
}
document.querySelectorAll("table.confusion").forEach(startMatrix);
