"use strict";

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
      const rows = [...body.rows].sort((a, b) =>
        sign * key(a).localeCompare(key(b), "en", { numeric: false }) || 0);
      if (rows.length && rows[0].cells[column].dataset.value !== undefined) {
        rows.sort((a, b) => sign * (Number(key(a)) - Number(key(b))));
      }
      body.append(...rows);
    });
  });
}

const TEN = ["#4c78c8", "#e8862e", "#3fa35b", "#d1495b", "#8d6cc2",
  "#9a6b4f", "#d977b4", "#7f8a8f", "#b5a32d", "#2fa8bb"];

// Ten well-known colours, then hues that the golden angle keeps apart.
function palette(n) {
  if (n <= TEN.length) return TEN;
  return Array.from({ length: n }, (_, i) =>
    `hsl(${Math.round(i * 137.508) % 360} ${i % 2 ? 50 : 70}% ${[45, 62, 53][i % 3]}%)`);
}

function startMap(box) {
  const data = JSON.parse(box.querySelector("script").textContent);
  const panels = [...box.querySelectorAll("[data-panel]")].map((figure) => ({
    figure, canvas: figure.querySelector("canvas"), ...data.views[figure.dataset.panel],
  }));
  const hover = box.querySelector(".hover");
  const legend = box.querySelector(".legend");
  const count = 1 + Math.max(0, ...panels.flatMap((p) => p.cluster ?? []));
  const state = { by: "cluster", only: null, at: null };

  const groups = (panel) => (state.by === "class" ? data.label : panel.cluster);

  function place(panel) {
    const side = panel.canvas.clientWidth, pad = 10;
    return { side, at: (v) => pad + (v / 1000) * (side - 2 * pad) };
  }

  function dot(ctx, x, y, r) {
    ctx.beginPath();
    ctx.arc(x, y, r, 0, 2 * Math.PI);
    ctx.fill();
  }

  function draw(panel) {
    const { side, at } = place(panel);
    if (!side) return;
    const ratio = window.devicePixelRatio || 1;
    panel.canvas.width = panel.canvas.height = Math.round(side * ratio);
    const ctx = panel.canvas.getContext("2d");
    ctx.scale(ratio, ratio);
    const group = groups(panel);
    const colours = palette(state.by === "class" ? data.classes.length : count);
    const r = Math.max(1.6, Math.min(4, side / (7 * Math.sqrt(panel.x.length))));
    panel.x.forEach((x, i) => {
      const shown = state.only === null || (group && group[i] === state.only);
      ctx.globalAlpha = shown ? 0.78 : 0.1;
      ctx.fillStyle = group ? colours[group[i] % colours.length] : "#888";
      dot(ctx, at(x), at(panel.y[i]), r);
    });
    if (state.at !== null) {
      ctx.globalAlpha = 1;
      ctx.lineWidth = 2;
      ctx.strokeStyle = getComputedStyle(box).color;
      ctx.beginPath();
      ctx.arc(at(panel.x[state.at]), at(panel.y[state.at]), r + 4, 0, 2 * Math.PI);
      ctx.stroke();
    }
  }

  const drawAll = () => panels.forEach(draw);

  function nearest(panel, event) {
    const { at } = place(panel);
    let best = null, least = 14 ** 2;
    panel.x.forEach((x, i) => {
      const d = (at(x) - event.offsetX) ** 2 + (at(panel.y[i]) - event.offsetY) ** 2;
      if (d < least) [best, least] = [i, d];
    });
    return best;
  }

  function point(panel, event) {
    const i = event ? nearest(panel, event) : null;
    if (i === state.at) return;
    state.at = i;
    // Text nodes only: captions are never read as markup.
    hover.textContent = i === null ? "\u00a0" : [
      data.classes[data.label[i]] || "no label",
      panel.cluster ? `cluster c${panel.cluster[i]}` : null,
      data.id[i],
      data.caption[i] || "(no caption)",
    ].filter(Boolean).join(" · ");
    drawAll();
  }

  function fillLegend() {
    const byClass = state.by === "class";
    const used = new Set(panels.flatMap((p) => groups(p) ?? []));
    const colours = palette(byClass ? data.classes.length : count);
    legend.replaceChildren(...[...used].sort((a, b) => a - b).map((g) => {
      const button = document.createElement("button");
      const swatch = document.createElement("i");
      swatch.style.background = colours[g % colours.length];
      button.type = "button";
      button.dir = "auto";
      button.setAttribute("aria-pressed", String(state.only === g));
      button.append(swatch, byClass ? data.classes[g] || "no label" : `c${g}`);
      button.addEventListener("click", () => {
        state.only = state.only === g ? null : g;
        fillLegend();
        drawAll();
      });
      return button;
    }));
  }

  box.addEventListener("change", (event) => {
    const input = event.target;
    if ("by" in input.dataset) {
      Object.assign(state, { by: input.value, only: null });
      fillLegend();
    } else {
      panels.forEach((p) => { p.figure.hidden = input.value && p.figure.dataset.panel !== input.value; });
    }
    drawAll();
  });
  for (const panel of panels) {
    panel.canvas.addEventListener("pointermove", (event) => point(panel, event));
    panel.canvas.addEventListener("pointerdown", (event) => point(panel, event));
    panel.canvas.addEventListener("pointerleave", () => point(panel, null));
    new ResizeObserver(() => draw(panel)).observe(panel.canvas);
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  fillLegend();
}

document.querySelectorAll("[data-map]").forEach(startMap);
