// A map: one canvas per view. What is drawn of 23,000 points stays as a bitmap, so
// that pointing at one draws two bitmaps and a ring.
const PAD = 12, FARTHEST = 40;

function makePanel(figure, data) {
  const view = data.maps.views[figure.dataset.panel];
  return {
    figure, canvas: figure.querySelector("canvas"), view, name: figure.dataset.panel,
    side: 0, zoom: 1, cx: 0.5, cy: 0.5, x: null, y: null, base: document.createElement("canvas"),
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

function paint(panel, colouring, only) {
  panel.side = panel.canvas.clientWidth;
  if (!panel.side) return;
  const ratio = window.devicePixelRatio || 1, pixels = Math.round(panel.side * ratio);
  panel.canvas.width = panel.canvas.height = panel.base.width = panel.base.height = pixels;
  const ctx = panel.base.getContext("2d"), at = toScreen(panel), r = radius(panel);
  const { group, colours } = colouring(panel);
  const paths = new Map();
  for (let p = 0; p < panel.x.length; p += 1) {
    const x = at.x(panel.x[p]), y = at.y(panel.y[p]);
    if (x < -r || y < -r || x > panel.side + r || y > panel.side + r) continue;
    const key = group ? group[p] : 0;
    if (!paths.has(key)) paths.set(key, new Path2D());
    const path = paths.get(key);
    if (r < 2) path.rect(x - r, y - r, 2 * r, 2 * r);
    else { path.moveTo(x + r, y); path.arc(x, y, r, 0, 2 * Math.PI); }
  }
  ctx.scale(ratio, ratio);
  // What is singled out lies above the rest.
  const order = [...paths.keys()].sort((a, b) => (a === only) - (b === only) || a - b);
  for (const key of order) {
    ctx.globalAlpha = only === null || key === only ? 0.8 : 0.1;
    ctx.fillStyle = group ? colours[key] ?? GREY : GREY;
    ctx.fill(paths.get(key));
  }
}

function show(panel, p) {
  if (!panel.side) return;
  const ctx = panel.canvas.getContext("2d");
  ctx.clearRect(0, 0, panel.canvas.width, panel.canvas.height);
  ctx.drawImage(panel.base, 0, 0);
  if (p === null) return;
  const ratio = panel.canvas.width / panel.side, at = toScreen(panel);
  ctx.save();
  ctx.scale(ratio, ratio);
  ctx.lineWidth = 2.5;
  ctx.strokeStyle = getComputedStyle(panel.canvas).color;
  ctx.beginPath();
  ctx.arc(at.x(panel.x[p]), at.y(panel.y[p]), radius(panel) + 5, 0, 2 * Math.PI);
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
