// What every part of a benchmark's section shares: whose clusters are shown, what they
// are compared with, and which images are asked for.
const NONE = -1, ABSENT = -2;

function unpack(text, Kind) {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  return new Kind(bytes.buffer); // little-endian, as all browsers' machines are
}

// A method: the cluster of each image, clusters by size, and what follows from them.
async function readMethod(data, i) {
  const { name, id: full, src } = data.methods[i];
  const told = await load(src);
  const of = Int32Array.from(unpack(told.of, told.wide ? Uint32Array : Uint16Array), (c) => c + ABSENT);
  const sure = told.sure && unpack(told.sure, Uint8Array);
  const groups = new Map();
  of.forEach((c, j) => { if (!groups.has(c)) groups.set(c, []); groups.get(c).push(j); });
  const ids = [...groups.keys()].filter((c) => c !== ABSENT)
    .sort((a, b) => (a === NONE) - (b === NONE) || groups.get(b).length - groups.get(a).length || a - b);
  const rows = ids.map((c) => (sure ? groups.get(c).sort((a, b) => sure[b] - sure[a] || a - b) : groups.get(c)));
  const place = new Int32Array(of.length).fill(NONE);
  rows.forEach((own, p) => own.forEach((j) => { place[j] = p; }));
  const matched = ids.map((c) => told.matched[c] ?? NONE);
  // 1: right, 0: wrong, -1: its class is not known, or the method did not see it
  const right = Int8Array.from(data.label, (label, j) =>
    (label < 0 || of[j] === ABSENT ? -1 : Number(matched[place[j]] === label)));
  return { ...told, name, full, of, sure, ids, rows, place, matched, right };
}

// Partners of clusters, one to one, so that most images agree: the Hungarian method.
function partners(one, other) {
  const mine = one.ids.filter((c) => c >= 0), theirs = other.ids.filter((c) => c >= 0);
  const n = Math.max(mine.length, theirs.length);
  const cost = Array.from({ length: n + 1 }, () => new Float64Array(n + 1));
  const row = new Map(mine.map((c, i) => [c, i + 1])), column = new Map(theirs.map((c, i) => [c, i + 1]));
  one.of.forEach((c, j) => { if (row.has(c) && column.has(other.of[j])) cost[row.get(c)][column.get(other.of[j])] -= 1; });
  const u = new Float64Array(n + 1), v = new Float64Array(n + 1), match = new Int32Array(n + 1), way = new Int32Array(n + 1);
  for (let i = 1; i <= n; i += 1) {
    const least = new Float64Array(n + 1).fill(Infinity), used = new Uint8Array(n + 1);
    let at = 0;
    match[0] = i;
    do {
      used[at] = 1;
      const r = match[at];
      let delta = Infinity, next = 0;
      for (let c = 1; c <= n; c += 1) {
        if (used[c]) continue;
        const slack = cost[r][c] - u[r] - v[c];
        if (slack < least[c]) { least[c] = slack; way[c] = at; }
        if (least[c] < delta) { delta = least[c]; next = c; }
      }
      for (let c = 0; c <= n; c += 1) {
        if (used[c]) { u[match[c]] += delta; v[c] -= delta; } else least[c] -= delta;
      }
      at = next;
    } while (match[at]);
    do { const before = way[at]; match[at] = match[before]; at = before; } while (at);
  }
  const found = new Map([[NONE, NONE]]);
  for (let c = 1; c <= theirs.length; c += 1) {
    if (match[c] <= mine.length) found.set(mine[match[c] - 1], theirs[c - 1]);
  }
  return found;
}

const EMPTY = { cluster: null, label: null, right: null, changed: null, selected: null, found: null };
const clusterName = (id) => (id < 0 ? "in no cluster" : `c${id}`);

async function startSection(section) {
  const data = await load(section.dataset.src);
  data.section = section;
  const view = {
    data, section, method: await readMethod(data, data.primary), other: null, partner: null, changed: null,
    filter: { ...EMPTY }, heard: [],
    active: () => Object.values(view.filter).some((v) => v !== null),
    fits: (j) => {
      const f = view.filter;
      return (f.cluster === null || view.method.place[j] === f.cluster)
        && (f.label === null || data.label[j] === f.label)
        && (f.right === null || view.method.right[j] === f.right)
        && (f.changed === null || view.changed?.[j] === f.changed)
        && (f.selected === null || f.selected.has(j))
        && (f.found === null || f.found.has(j));
    },
    apply: (change, focus) => { Object.assign(view.filter, change); view.tell("filter", focus); },
    tell: (what, focus) => view.heard.forEach((hear) => hear(what, focus)),
  };
  const pick = section.querySelector("form.pick"), status = pick.querySelector("[data-compared]");
  async function choose() {
    const turn = (view.turn = (view.turn ?? 0) + 1);
    const second = pick.elements.other.value === "" ? null : Number(pick.elements.other.value);
    const [method, other] = await Promise.all([
      readMethod(data, Number(pick.elements.method.value)), second === null ? null : readMethod(data, second)]);
    if (turn !== view.turn) return; // another choice was made meanwhile
    Object.assign(view, { method, other, partner: null, changed: null });
    status.textContent = "";
    if (other) {
      view.partner = partners(method, other);
      view.changed = Int8Array.from(method.of, (c, j) => (c === ABSENT || other.of[j] === ABSENT
        ? -1 : Number(view.partner.get(c) !== other.of[j])));
      const both = view.changed.filter((v) => v >= 0).length, moved = view.changed.filter((v) => v === 1).length;
      status.textContent = `${moved.toLocaleString("en")} of ${both.toLocaleString("en")} images changed cluster`
        + " (clusters matched one to one, first seeds)";
    }
    Object.assign(view.filter, { cluster: null, right: null, changed: other ? view.filter.changed : null });
    view.tell("method");
  }
  pick.addEventListener("change", () => choose().catch(() => missing(data)));
  pick.addEventListener("submit", (event) => event.preventDefault());
  startGallery(view);
  if (section.querySelector("[data-matrix]")) startMatrix(view);
  if (section.querySelector("[data-map]")) startMap(view);
  // A browser may remember a choice from before a reload.
  if (pick.elements.other.value !== "" || Number(pick.elements.method.value) !== data.primary) await choose();
}

// The confusion matrix: classes, clusters named after theirs; arrow keys go to the next count.
const MOST = 60;

function startMatrix(view) {
  const { data } = view, box = view.section.querySelector("[data-matrix]");
  const scroll = box.querySelector(".scroll"), told = box.querySelector("[data-matrix-told]");
  function draw() {
    const { method } = view;
    const counts = method.ids.map(() => new Map()), sizes = data.classes.map(() => 0);
    data.label.forEach((label, j) => {
      if (label < 0 || method.of[j] === ABSENT) return;
      const own = counts[method.place[j]];
      own.set(label, (own.get(label) ?? 0) + 1);
      sizes[label] += 1;
    });
    const order = (p) => (method.matched[p] < 0 ? data.classes.length + (method.ids[p] < 0) : method.matched[p]);
    const shown = method.ids.map((_, p) => p).slice(0, MOST).sort((a, b) => order(a) - order(b) || a - b);
    told.textContent = `of ${method.name}, first seed${method.ids.length > MOST ? `; the ${MOST} largest of ${method.ids.length} clusters` : ""}`;
    const title = (p) => (method.ids[p] < 0 ? "in no cluster"
      : `${data.classes[method.matched[p]] ?? "unmatched"} (c${method.ids[p]})`);
    const head = make("tr", {}, make("td"), ...shown.map((p) =>
      make("th", { scope: "col" }, make("span", { dir: "auto" }, title(p)))));
    const rows = data.classes.map((name, label) => make("tr", {},
      make("th", { scope: "row", dir: "auto" }, name), ...shown.map((p) => {
        const count = counts[p].get(label);
        if (!count) return make("td");
        const share = count / sizes[label];
        const button = make("button", {
          type: "button", title: `${name} in ${title(p)}: ${count} (${(100 * share).toFixed(1)} %)`,
          className: share > 0.45 ? "dark" : "",
        }, String(count));
        button.style.setProperty("--share", share.toFixed(2));
        Object.assign(button.dataset, { label, place: p });
        button.setAttribute("aria-pressed", "false");
        return make("td", {}, button);
      })));
    const many = shown.length > 15 || rows.length > 15;
    const table = make("table", { className: `confusion${many ? " many" : ""}` },
      make("caption", { className: "hidden" }, "Images of each class in each cluster"),
      make("thead", {}, head), make("tbody", {}, ...rows));
    scroll.replaceChildren(table);
    keys(table);
    press();
  }
  function keys(table) {
    const buttons = [...table.querySelectorAll("button")];
    const spot = (button) => [button.closest("tr").rowIndex, button.closest("td").cellIndex];
    const next = (button, along, sign) => {
      const here = spot(button), across = 1 - along;
      const line = buttons.filter((b) => spot(b)[across] === here[across] && sign * (spot(b)[along] - here[along]) > 0);
      return sign > 0 ? line[0] : line.at(-1);
    };
    table.addEventListener("keydown", rove(buttons, (button, key) => ({
      ArrowRight: () => next(button, 1, 1), ArrowLeft: () => next(button, 1, -1),
      ArrowDown: () => next(button, 0, 1), ArrowUp: () => next(button, 0, -1),
    })[key]?.()));
  }
  function press() {
    const { label, cluster } = view.filter;
    scroll.querySelectorAll("button").forEach((button) => button.setAttribute("aria-pressed",
      String(Number(button.dataset.label) === label && Number(button.dataset.place) === cluster)));
  }
  scroll.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    view.apply({ ...EMPTY, label: Number(button.dataset.label), cluster: Number(button.dataset.place) }, true);
  });
  view.heard.push((what) => {
    if (what === "method") { if (box.open) draw(); else scroll.replaceChildren(); } else press();
  });
  box.addEventListener("toggle", () => { if (box.open && !scroll.childElementCount) draw(); });
}
