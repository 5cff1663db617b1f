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
