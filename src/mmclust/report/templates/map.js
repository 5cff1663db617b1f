// A map: one canvas per view. What is drawn of 23,000 points stays as a bitmap, so
// that pointing at one draws two bitmaps and a ring.
const PAD = 12, FARTHEST = 40;

function makePanel(figure, data) {
  const view = data.maps.views[figure.dataset.panel];
  return {
    figure, canvas: figure.querySelector("canvas"), name: figure.dataset.panel,
    side: 0, zoom: 1, cx: 0.5, cy: 0.5, x: view.x, y: view.y, path: null, base: document.createElement("canvas"),
  };
}

// From the map's grid of 1000 to pixels of the canvas.
function toScreen(panel) {
  const side = panel.side - 2 * PAD;
  return {
    x: (v) => PAD + side * ((v / 1000 - panel.cx) * panel.zoom + 0.5),
    y: (v) => PAD + side * ((v / 1000 - panel.cy) * panel.zoom + 0.5),
  };
}

function radius(panel) {
  const few = Math.min(4, panel.side / (7 * Math.sqrt(panel.x.length)));
  return Math.max(1.3, few) * Math.min(2.5, Math.sqrt(panel.zoom));
}

// Draw all points: the group of each says its colour, and whether it is dim.
function paint(panel, group, colours, dim) {
  panel.side = panel.canvas.clientWidth;
  if (!panel.side) return;
  const ratio = window.devicePixelRatio || 1, pixels = Math.round(panel.side * ratio);
  panel.canvas.width = panel.canvas.height = panel.base.width = panel.base.height = pixels;
  const ctx = panel.base.getContext("2d"), at = toScreen(panel), r = radius(panel);
  const paths = [new Map(), new Map()]; // dim ones lie below the rest
  for (let p = 0; p < panel.x.length; p += 1) {
    const x = at.x(panel.x[p]), y = at.y(panel.y[p]);
    if (x < -r || y < -r || x > panel.side + r || y > panel.side + r) continue;
    const layer = paths[dim(p) ? 0 : 1];
    if (!layer.has(group[p])) layer.set(group[p], new Path2D());
    const path = layer.get(group[p]);
    if (r < 2) path.rect(x - r, y - r, 2 * r, 2 * r);
    else { path.moveTo(x + r, y); path.arc(x, y, r, 0, 2 * Math.PI); }
  }
  ctx.scale(ratio, ratio);
  paths.forEach((layer, clear) => [...layer.keys()].sort((a, b) => a - b).forEach((key) => {
    ctx.globalAlpha = clear ? 0.8 : 0.1;
    ctx.fillStyle = colours[key] ?? GREY;
    ctx.fill(layer.get(key));
  }));
}

function show(panel, p) {
  if (!panel.side) return;
  const ctx = panel.canvas.getContext("2d");
  ctx.clearRect(0, 0, panel.canvas.width, panel.canvas.height);
  ctx.drawImage(panel.base, 0, 0);
  if (p === null && !panel.path) return;
  const ratio = panel.canvas.width / panel.side, at = toScreen(panel);
  ctx.save();
  ctx.scale(ratio, ratio);
  ctx.lineWidth = 2.5;
  ctx.strokeStyle = getComputedStyle(panel.canvas).color;
  ctx.beginPath();
  if (panel.path) {
    panel.path.forEach(([x, y], i) => (i ? ctx.lineTo(x, y) : ctx.moveTo(x, y)));
    ctx.closePath();
  } else ctx.arc(at.x(panel.x[p]), at.y(panel.y[p]), radius(panel) + 5, 0, 2 * Math.PI);
  ctx.stroke();
  ctx.restore();
}

// Zoom by a factor about a place of the canvas, its middle without one.
function zoom(panel, factor, px = panel.side / 2, py = panel.side / 2) {
  const side = panel.side - 2 * PAD;
  const to = Math.min(FARTHEST, Math.max(1, panel.zoom * factor));
  const gain = 1 / panel.zoom - 1 / to;
  panel.cx += ((px - PAD) / side - 0.5) * gain;
  panel.cy += ((py - PAD) / side - 0.5) * gain;
  panel.zoom = to;
  pan(panel, 0, 0);
}

// Move the map by pixels, and never past its edge.
function pan(panel, dx, dy) {
  const scale = (panel.side - 2 * PAD) * panel.zoom, half = 0.5 / panel.zoom;
  const within = (v) => Math.min(1 - half, Math.max(half, v));
  panel.cx = within(panel.cx - dx / scale);
  panel.cy = within(panel.cy - dy / scale);
}

function nearest(panel, px, py, reach = 14) {
  const at = toScreen(panel);
  let best = null, least = reach ** 2;
  for (let p = 0; p < panel.x.length; p += 1) {
    const d = (at.x(panel.x[p]) - px) ** 2 + (at.y(panel.y[p]) - py) ** 2;
    if (d < least) [best, least] = [p, d];
  }
  return best;
}

// The nearest point within 45 degrees of a direction.
function onward(panel, from, dx, dy) {
  let best = from, least = Infinity;
  for (let p = 0; p < panel.x.length; p += 1) {
    const x = panel.x[p] - panel.x[from], y = panel.y[p] - panel.y[from];
    const along = x * dx + y * dy, across = Math.abs(x * dy - y * dx);
    if (along > 0 && across <= along && along + 2 * across < least) {
      [best, least] = [p, along + 2 * across];
    }
  }
  return best;
}

// Whether a place lies inside of a closed path: an odd number of its edges lie to the right.
function inside(path, px, py) {
  let odd = false;
  path.forEach(([x, y], i) => {
    const [u, v] = path[(i || path.length) - 1];
    if ((y > py) !== (v > py) && px < ((u - x) * (py - y)) / (v - y) + x) odd = !odd;
  });
  return odd;
}

// What the maps of a benchmark have in common: colours, the image pointed at, keys.
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function startMap(view) {
  const { data, section } = view, box = section.querySelector("[data-map]");
  const panels = [...box.querySelectorAll("[data-panel]")].map((f) => makePanel(f, data));
  const { points } = data.maps;
  const hover = box.querySelector(".hover"), legend = box.querySelector(".legend");
  const lasso = box.querySelector("[data-lasso]");
  const checked = (name) => box.querySelector(`[data-${name}]:checked`)?.value;
  const state = { only: null, at: null, last: panels[0], group: null, lasso: false };

  const kinds = {
    cluster: () => ({ names: clusterName, of: view.method.of, colours: palette(Math.max(1, ...view.method.ids) + 1) }),
    class: () => ({ names: (g) => data.classes[g] ?? "no label", of: data.label, colours: palette(data.classes.length) }),
    sure: () => ({
      names: (g) => `${(g / 10).toFixed(1)} to ${((g + 1) / 10).toFixed(1)}`, colours: RAMP,
      of: view.method.sure ? Uint8Array.from(view.method.sure, (v) => Math.min(9, Math.floor(v / 10))) : data.label.map(() => -1),
    }),
    right: () => ({ names: (g) => ["wrong", "right"][g] ?? "no label", of: view.method.right, colours: ["#e8862e", "#4c78c8"] }),
    changed: () => ({
      names: (g) => ["same cluster", "changed cluster"][g] ?? "in one of the two alone",
      of: view.changed ?? data.label.map(() => -1), colours: ["#4c78c8", "#e8862e"],
    }),
  };

  function redraw(panel) {
    const { group, colours } = state;
    const dim = (p) => (state.only !== null && group[p] !== state.only) || (view.active() && !view.fits(points[p]));
    paint(panel, group, colours, dim);
    show(panel, state.at);
  }
  const redrawAll = () => panels.forEach(redraw);

  function point(p) {
    if (p === state.at) return;
    state.at = p;
    panels.forEach((panel) => show(panel, p));
    if (p === null) return;
    const j = points[p], { method, other } = view;
    const facts = [
      data.classes[data.label[j]], method.of[j] < 0 ? "in no cluster" : `cluster c${method.of[j]}`,
      other && `${clusterName(other.of[j])} of ${other.name}`,
      method.sure && `${method.sureOf} ${(method.sure[j] / 100).toFixed(2)}`,
      ["wrong", "right"][method.right[j]],
    ].filter(Boolean).join(" · ");
    const title = make("b", { dir: "auto" }, facts), list = make("ul");
    hover.replaceChildren(tile(data, j), make("div", {}, title, list));
    words(data, j).then(({ id, captions }) => {
      if (state.at !== p) return;
      title.append(` · ${id}`);
      list.append(...captions.map((text) => make("li", { dir: "auto" }, text)));
    }, () => missing(data));
  }

  // Colour anew: by what is asked for, with its names below.
  function recolour() {
    const { names, of, colours } = kinds[checked("by")]();
    Object.assign(state, { only: null, group: points.map((j) => of[j]), colours });
    const used = [...new Set(state.group)].sort((a, b) => a - b);
    const buttons = used.map((g) => {
      const swatch = make("i");
      swatch.style.background = colours[g] ?? GREY;
      const button = make("button", { type: "button", dir: "auto" }, swatch, names(g));
      button.setAttribute("aria-pressed", "false");
      button.addEventListener("click", () => {
        state.only = state.only === g ? null : g;
        buttons.forEach((b) => b.setAttribute("aria-pressed", String(b === button && state.only !== null)));
        redrawAll();
      });
      return button;
    });
    legend.replaceChildren(...buttons);
    legend.onkeydown = inLine(buttons);
    redrawAll();
  }

  const toGallery = (j) => view.apply({ ...EMPTY, cluster: view.method.place[j] }, true);

  // Ask for the images of a panel that lie where a test of their place holds.
  function select(panel, test) {
    const at = toScreen(panel), selected = new Set();
    points.forEach((j, p) => { if (test(at.x(panel.x[p]), at.y(panel.y[p]))) selected.add(j); });
    view.apply({ selected: selected.size ? selected : null });
  }
  const selectVisible = (panel) => select(panel, (x, y) => x >= 0 && y >= 0 && x <= panel.side && y <= panel.side);

  function key(panel, event) {
    const arrow = ARROWS[event.key];
    const act = {
      "+": () => zoom(panel, 1.5), "=": () => zoom(panel, 1.5), "-": () => zoom(panel, 1 / 1.5),
      0: () => zoom(panel, 0), Escape: () => point(null),
      Enter: () => { if (state.at !== null) toGallery(points[state.at]); },
      v: () => selectVisible(panel), V: () => selectVisible(panel),
    }[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey || !(arrow || act)) return;
    event.preventDefault();
    state.last = panel;
    if (act) act();
    else if (event.shiftKey) pan(panel, -40 * arrow[0], -40 * arrow[1]);
    else {
      point(state.at === null
        ? nearest(panel, panel.side / 2, panel.side / 2, Infinity)
        : onward(panel, state.at, ...arrow));
      const at = toScreen(panel), edge = (v) => Math.max(0, 20 - v) - Math.max(0, v - panel.side + 20);
      pan(panel, edge(at.x(panel.x[state.at])), edge(at.y(panel.y[state.at])));
    }
    redraw(panel);
  }

  function handle(panel) {
    const { canvas } = panel, fingers = new Map();
    let moved = false;
    canvas.addEventListener("pointerdown", (event) => {
      state.last = panel;
      if (state.lasso) {
        canvas.setPointerCapture(event.pointerId);
        point(null);
        panel.path = [[event.offsetX, event.offsetY]];
        return;
      }
      fingers.set(event.pointerId, [event.offsetX, event.offsetY]);
      moved = false;
      if (event.pointerType !== "mouse") point(nearest(panel, event.offsetX, event.offsetY, 24));
    });
    canvas.addEventListener("pointermove", (event) => {
      if (panel.path) {
        panel.path.push([event.offsetX, event.offsetY]);
        show(panel, null);
        return;
      }
      const was = fingers.get(event.pointerId), now = [event.offsetX, event.offsetY];
      if (!was) { point(nearest(panel, ...now)); return; }
      const other = [...fingers].find(([id]) => id !== event.pointerId)?.[1];
      if (other) {
        const gap = (a) => Math.hypot(a[0] - other[0], a[1] - other[1]);
        zoom(panel, gap(now) / Math.max(1, gap(was)), ...other);
      } else pan(panel, now[0] - was[0], now[1] - was[1]);
      moved ||= Math.hypot(now[0] - was[0], now[1] - was[1]) > 2;
      fingers.set(event.pointerId, now);
      if (panel.zoom > 1 || other) redraw(panel);
    });
    for (const end of ["pointerup", "pointercancel", "pointerleave"]) {
      canvas.addEventListener(end, (event) => {
        if (panel.path && end !== "pointerleave") {
          const { path } = panel;
          panel.path = null;
          if (end === "pointerup" && path.length > 2) select(panel, (x, y) => inside(path, x, y));
          else redraw(panel);
          return;
        }
        fingers.delete(event.pointerId);
        if (end === "pointerleave" && event.pointerType === "mouse") point(null);
      });
    }
    canvas.addEventListener("click", () => {
      if (!state.lasso && !moved && state.at !== null) toGallery(points[state.at]);
    });
    canvas.addEventListener("wheel", (event) => {
      // Without a key the wheel scrolls the page, unless the map was chosen first.
      if (!event.ctrlKey && document.activeElement !== canvas) return;
      event.preventDefault();
      zoom(panel, Math.exp(-event.deltaY / 300), event.offsetX, event.offsetY);
      redraw(panel);
    }, { passive: false });
    canvas.addEventListener("keydown", (event) => key(panel, event));
    panel.figure.addEventListener("click", (event) => {
      const factor = event.target.dataset?.zoom;
      if (factor === undefined) return;
      zoom(panel, Number(factor));
      redraw(panel);
    });
    new ResizeObserver(() => redraw(panel)).observe(canvas);
  }

  box.addEventListener("change", (event) => {
    if ("view" in event.target.dataset) {
      const name = event.target.value;
      panels.forEach((p) => { p.figure.hidden = name && p.name !== name; });
      redrawAll();
    } else recolour();
  });
  lasso.addEventListener("click", () => {
    state.lasso = !state.lasso;
    lasso.setAttribute("aria-pressed", String(state.lasso));
    box.classList.toggle("lassoing", state.lasso);
  });
  box.querySelector("[data-visible]").addEventListener("click", () =>
    selectVisible(state.last.figure.hidden ? panels.find((p) => !p.figure.hidden) : state.last));
  view.heard.push((what) => {
    if (what !== "method") { redrawAll(); return; }
    const changed = box.querySelector("[data-by][value=changed]");
    changed.parentElement.hidden = !view.other;
    if (!view.other && changed.checked) box.querySelector("[data-by]").checked = true;
    const sure = box.querySelector("[data-by][value=sure]");
    sure.parentElement.hidden = !view.method.sure;
    if (!view.method.sure && sure.checked) box.querySelector("[data-by]").checked = true;
    sure.nextElementSibling.textContent = view.method.sureOf;
    recolour();
  });
  panels.forEach(handle);
  view.heard.at(-1)("method");
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redrawAll);
}
