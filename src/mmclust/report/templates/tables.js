// Tables: on a phone a row is a card, so each cell carries its column's name.
for (const table of document.querySelectorAll("table.scores, table.words")) {
  const heads = [...table.tHead.rows[table.tHead.rows.length - 1].cells].map((head) => head.textContent.trim());
  table.querySelectorAll("tbody td").forEach((cell) => { cell.dataset.label ??= heads[cell.cellIndex]; });
  table.classList.add("phone");
}

// A click on a header sorts by its column, a second click the other way.
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
      const key = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent.trim();
      for (const body of table.tBodies) { // groups keep their places
        const rows = [...body.rows].filter((row) => !row.classList.contains("group"));
        const numbers = rows.length && rows[0].cells[column].dataset.value !== undefined;
        rows.sort((a, b) => sign * (numbers
          ? Number(key(a)) - Number(key(b)) : key(a).localeCompare(key(b), "en")));
        body.append(...rows);
      }
    });
  });
}

// Word clusters: a box leaves those that hold a word, and marks the word.
for (const box of document.querySelectorAll("[data-words]")) {
  box.hidden = false;
  const section = box.closest("section");
  const rows = [...section.querySelectorAll(".clusters tbody tr")];
  const words = rows.map((row) => [...row.querySelectorAll(".which span")]);
  const told = box.querySelector("[aria-live]");
  box.querySelector("input").addEventListener("input", ({ target }) => {
    const wanted = target.value.trim().toLowerCase();
    let shown = 0;
    rows.forEach((row, i) => {
      let any = !wanted;
      for (const word of words[i]) {
        const hit = wanted !== "" && word.firstChild.data.toLowerCase().includes(wanted);
        word.classList.toggle("hit", hit);
        any ||= hit;
      }
      row.hidden = !any;
      shown += any;
    });
    told.textContent = wanted ? `${shown} of ${rows.length} clusters` : "";
  });
}

// A benchmark's files are loaded when its section comes near to the screen.
const sections = new IntersectionObserver((entries) => entries.forEach(({ isIntersecting, target }) => {
  if (!isIntersecting) return;
  sections.unobserve(target);
  startSection(target).then(
    () => { target.dataset.ready = ""; },
    () => { target.querySelector("[data-missing]").hidden = false; },
  );
}), { rootMargin: "1500px" });
load("machine.js").then((machine) => {
  document.querySelector("[data-machine]").append(...Object.entries(machine).map(([key, value]) =>
    make("div", {}, make("dt", {}, key), make("dd", {}, value))));
}, () => { document.querySelector("[data-machine-missing]").hidden = false; });
document.querySelectorAll("section[data-src]").forEach((section) => sections.observe(section));
