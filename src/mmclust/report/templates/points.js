// What the maps of a benchmark have in common: colours, the image pointed at, keys.
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function startMap(box, data, toGallery) {
  const panels = [...box.querySelectorAll("[data-panel]")].map((f) => makePanel(f, data));
  const points = data.maps.points;
  const hover = box.querySelector(".hover"), legend = box.querySelector(".legend");
  const checked = (name) => box.querySelector(`[data-${name}]:checked`)?.value;
  const state = { only: null, at: null };
  const most = Math.max(0, ...panels.map((p) => (p.view.cluster ?? [])
    .reduce((a, b) => Math.max(a, b), 0)));

  const kinds = {
    cluster: {
      names: (g) => (g < 0 ? "in none" : `c${g}`), colours: palette(most + 1),
      of: (panel) => panel.view.cluster,
    },
    class: {
      names: (g) => data.classes[g] ?? "no label", colours: palette(data.classes.length),
      all: points.map((j) => data.label[j]),
    },
    confidence: {
      names: (g) => `${(g / 10).toFixed(1)} to ${((g + 1) / 10).toFixed(1)}`, colours: RAMP,
      all: data.sure && points.map((j) => Math.min(9, Math.floor(data.sure[j] * 10))),
    },
    correct: {
      names: (g) => ["wrong", "right"][g] ?? "no label", colours: ["#e8862e", "#4c78c8"],
      all: points.map((j) => data.right[j]),
    },
  };
  const kind = () => kinds[checked("by")];
  const groups = (panel) => kind().all ?? kind().of?.(panel) ?? null;
  const colouring = (panel) => ({ group: groups(panel), colours: kind().colours });

  function redraw(panel) {
    paint(panel, colouring, state.only);
    show(panel, state.at);
  }
  const redrawAll = () => panels.forEach(redraw);

  function point(p) {
    if (p === state.at) return;
    state.at = p;
    panels.forEach((panel) => show(panel, p));
    if (p === null) return;
    const j = points[p], c = data.clusters[data.place[j]];
    const facts = [
      data.classes[data.label[j]], clusterName(c),
      data.sure && `${data.sureOf} ${data.sure[j].toFixed(2)}`,
      ["wrong", "right"][data.right[j]],
    ].filter(Boolean).join(" · ");
    const title = make("b", { dir: "auto" }, facts), list = make("ul");
    hover.replaceChildren(tile(data, j), make("div", {}, title, list));
    words(data, j).then(({ id, captions }) => {
      if (state.at !== p) return;
      title.append(` · ${id}`);
      const said = captions.length ? captions : ["(no caption)"];
      list.append(...said.map((text) => make("li", { dir: "auto" }, text)));
    }, () => missing(data));
  }

  function fillLegend() {
    const used = [...new Set(panels.flatMap((p) => [...new Set(groups(p) ?? [])]))];
    const { names, colours } = kind();
    const buttons = used.sort((a, b) => a - b).map((g) => {
      const swatch = make("i");
      swatch.style.background = colours[g] ?? GREY;
      const button = make("button", { type: "button", dir: "auto" }, swatch, names(g));
      button.setAttribute("aria-pressed", String(state.only === g));
      button.addEventListener("click", () => {
        state.only = state.only === g ? null : g;
        buttons.forEach((b) => b.setAttribute("aria-pressed",
          String(b === button && state.only !== null)));
        redrawAll();
      });
      return button;
    });
    legend.replaceChildren(...buttons);
    legend.onkeydown = inLine(buttons);
  }

  function layOut() {
    panels.forEach((panel) => {
      const { x, y } = panel.view[checked("method") ?? "t-SNE"];
      Object.assign(panel, { x, y, zoom: 1, cx: 0.5, cy: 0.5 });
    });
  }

  function key(panel, event) {
    const arrow = ARROWS[event.key];
    const act = {
      "+": () => zoom(panel, 1.5), "=": () => zoom(panel, 1.5), "-": () => zoom(panel, 1 / 1.5),
      0: () => zoom(panel, 0), Escape: () => point(null),
      Enter: () => { if (state.at !== null) toGallery(points[state.at]); },
    }[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey || !(arrow || act)) return;
    event.preventDefault();
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
      fingers.set(event.pointerId, [event.offsetX, event.offsetY]);
      moved = false;
      if (event.pointerType !== "mouse") point(nearest(panel, event.offsetX, event.offsetY, 24));
    });
    canvas.addEventListener("pointermove", (event) => {
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
        fingers.delete(event.pointerId);
        if (end === "pointerleave" && event.pointerType === "mouse") point(null);
      });
    }
    canvas.addEventListener("click", () => {
      if (!moved && state.at !== null) toGallery(points[state.at], true);
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
      const view = event.target.value;
      panels.forEach((p) => { p.figure.hidden = view && p.name !== view; });
    } else if ("method" in event.target.dataset) layOut();
    else state.only = null;
    fillLegend();
    redrawAll();
  });
  layOut();
  panels.forEach(handle);
  fillLegend();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redrawAll);
}
