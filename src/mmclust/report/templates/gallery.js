// The clusters of a method, each with its images, the surest first. Pictures are put on
// the page when their cluster is open and comes near to the screen.
const MORE = 60, OPEN = 2, COMMONEST = 3;

function startGallery(view) {
  const { data, section } = view;
  const box = section.querySelector("[data-gallery]"), list = box.querySelector("[data-clusters]");
  const form = box.querySelector("form"), status = box.querySelector("[data-status]");
  const labelled = box.dataset.labelled === "1", csv = form.querySelector("[data-csv]");
  let boxes = [];

  const matching = (p) => {
    if (view.filter.cluster !== null && p !== view.filter.cluster) return [];
    const rows = view.method.rows[p];
    return view.active() ? rows.filter(view.fits) : rows;
  };
  const moved = (j) => view.other && view.changed[j] === 1
    && `${clusterName(view.method.of[j])} → ${clusterName(view.other.of[j])}`;

  function card(j) {
    const picture = tile(data, j), caption = make("figcaption", { dir: "auto" }, "…");
    const figure = make("figure", { className: "card" }, picture, caption);
    const wrong = view.method.right[j] === 0, change = moved(j);
    if (wrong) figure.classList.add("wrong");
    words(data, j).then(({ id, captions }) => {
      if ("alt" in picture) picture.alt = `image ${id}`;
      caption.replaceChildren(make("span", { className: "caption" }, captions[0] ?? id));
      caption.title = [id, ...captions].join("\n");
      if (wrong) caption.append(make("span", { className: "class", dir: "auto" }, data.classes[data.label[j]]));
      if (change) caption.append(make("span", { className: "moved", title: `${view.method.name} → ${view.other.name}` }, change));
    }, () => { caption.textContent = ""; missing(data); });
    return figure;
  }

  function add(p, count) {
    const cards = boxes[p].querySelector(".cards"), rows = matching(p);
    boxes[p].querySelector(".more")?.remove();
    cards.append(...rows.slice(cards.childElementCount, cards.childElementCount + count).map(card));
    const left = rows.length - cards.childElementCount;
    if (!left) return;
    const button = make("button", { type: "button", className: "more" }, `show ${Math.min(left, MORE)} of ${left.toLocaleString("en")} more`);
    button.addEventListener("click", () => {
      add(p, MORE);
      boxes[p].querySelector(".more")?.focus();
    });
    cards.after(button);
  }

  const near = new IntersectionObserver((entries) => entries.forEach(({ isIntersecting, target }) => {
    if (!isIntersecting || !target.parentElement?.open) return;
    near.unobserve(target);
    if (!target.childElementCount) add(boxes.indexOf(target.parentElement), data.first);
  }), { rootMargin: "600px" });

  // A cluster's head: its name, size, class, purity, keywords and neighbours.
  function head(p) {
    const { method } = view, id = method.ids[p], rows = method.rows[p];
    const [keywords, nouns] = method.names[id] ?? [[], []];
    const stat = (text, more = "", ...inner) => make("span", { className: `stat ${more}` }, text, ...inner);
    const bold = (text) => make("b", { dir: "auto" }, text);
    const name = [...keywords, ...nouns][0];
    const title = name ? [bold(name), " ", make("span", { className: "id" }, clusterName(id))] : [bold(clusterName(id))];
    const summary = make("summary", {}, ...title, stat(`${rows.length.toLocaleString("en")} ${rows.length === 1 ? "image" : "images"}`));
    const counts = new Map();
    rows.forEach((j) => { if (data.label[j] >= 0) counts.set(data.label[j], (counts.get(data.label[j]) ?? 0) + 1); });
    const known = [...counts.values()].reduce((a, b) => a + b, 0);
    if (labelled) {
      const stands = data.classes[method.matched[p]];
      summary.append(stands ? stat("matched with ", "", bold(stands)) : stat("matched with no class"));
    }
    if (known) {
      const common = [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0]).slice(0, COMMONEST);
      const rest = known - common.reduce((a, [, n]) => a + n, 0);
      const told = common.map(([label, n]) => `${data.classes[label]} ${n}`);
      if (rest) told.push(`others ${rest}`);
      if (known < rows.length) told.push(`not known ${rows.length - known}`);
      summary.append(stat(`purity ${(common[0][1] / known).toFixed(2)}`), stat(told.join(", "), "commonest"));
    }
    const named = make("p", { className: "named" });
    if (keywords.length) named.append(make("span", {}, "keywords ", bold(keywords.join(", "))));
    if (nouns.length) named.append(make("span", {}, "nouns ", bold(nouns.join(", "))));
    const close = method.nearest[id] ?? [];
    if (close.length) {
      named.append(make("span", {}, "nearest ", ...close.flatMap(([other, cosine], i) => {
        const button = make("button", { type: "button", dir: "auto" }, `c${other} ${method.names[other]?.flat()[0] ?? ""}`.trim());
        button.dataset.to = other;
        return [button, ` ${cosine.toFixed(2).replace("-", "−")}${i < close.length - 1 ? ", " : ""}`];
      })));
    }
    return make("details", { className: "cluster" }, summary, named, make("div", { className: "cards" }));
  }

  const option = (value, text) => make("option", { value: String(value), dir: "auto" }, text);

  function rebuild() {
    const { method } = view;
    boxes = method.ids.map((_, p) => head(p));
    list.replaceChildren(...boxes);
    form.cluster.replaceChildren(option("", "all"), ...method.ids.map((id, p) => option(p, clusterName(id))));
    box.querySelector("[data-order]").textContent = `Of ${method.name}. ${!method.sure ? "In the order of the data: nothing is known of this method's confidence."
      : method.sureOf === "confidence" ? "In each, the images that the method is surest of come first."
      : "This method gives no confidence: in each, the images closest to the cluster's mean (cosine, scaled from the farthest, 0, to the closest, 1) come first."}`;
    form.querySelector("[data-changed]").hidden = !view.other;
    refresh();
  }

  function tell(shown) {
    const f = view.filter;
    const parts = [
      f.selected !== null && `selected on the map (${f.selected.size.toLocaleString("en")})`,
      f.found !== null && `captions with “${form.search.value.trim()}”`,
      f.label !== null && `class ${data.classes[f.label]}`,
      f.cluster !== null && `cluster ${clusterName(view.method.ids[f.cluster])}`,
      f.right !== null && ["wrong", "right"][f.right],
      f.changed !== null && ["same cluster", "changed cluster"][f.changed],
    ].filter(Boolean);
    status.textContent = view.active()
      ? `${shown.toLocaleString("en")} ${shown === 1 ? "image" : "images"}: ${parts.join(", ")}` : "";
  }

  function refresh() {
    let shown = 0, opened = 0;
    boxes.forEach((details, p) => {
      const count = matching(p).length;
      shown += count;
      details.hidden = view.active() && !count;
      details.open = !details.hidden && opened < OPEN;
      opened += details.open;
      details.querySelector(".more")?.remove();
      const cards = details.querySelector(".cards");
      cards.replaceChildren();
      near.unobserve(cards);
      if (!details.hidden) near.observe(cards);
    });
    for (const [name, field] of [["label", form.label], ["cluster", form.cluster], ["right", form.right], ["changed", form.changed]]) {
      if (field) field.value = view.filter[name] === null ? "" : String(view.filter[name]);
    }
    if (form.search && view.filter.found === null && document.activeElement !== form.search) form.search.value = "";
    form.querySelector("[type=reset]").disabled = !view.active();
    csv.disabled = !view.active();
    tell(shown);
  }

  // The images that are asked for, as a table to keep.
  async function download() {
    const quoted = (value) => (/[",\n\r]/.test(value) ? `"${value.replaceAll("\"", "\"\"")}"` : value);
    const named = (id) => (id < 0 ? "" : String(id));
    const rows = view.method.rows.flatMap((_, p) => matching(p));
    const head = ["image_id", "class", "cluster", "cluster_is_of_class", "right"];
    if (view.other) head.push("other_cluster", "changed");
    const lines = [[...head, "caption"]];
    for (const j of rows) {
      const { id, captions } = await words(data, j);
      const { of, place, matched, right } = view.method;
      const line = [id, data.classes[data.label[j]] ?? "", named(of[j]), data.classes[matched[place[j]]] ?? "", ["0", "1"][right[j]] ?? ""];
      if (view.other) line.push(named(view.other.of[j]), ["0", "1"][view.changed[j]] ?? "");
      lines.push([...line, captions[0] ?? ""]);
    }
    const text = `${lines.map((line) => line.map(quoted).join(",")).join("\n")}\n`;
    const href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
    const link = make("a", { href, download: `${section.id}_${view.method.full.replaceAll(" ", "_")}.csv` });
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(href), 10000);
  }

  let asked = 0;
  async function search() {
    const wanted = form.search.value.trim().toLowerCase(), turn = (asked += 1);
    if (!wanted) { view.apply({ found: null }); return; }
    const found = new Set();
    const pages = await Promise.all(data.words.map(load));
    if (turn !== asked) return;
    pages.forEach((page, i) => page.captions.forEach((captions, k) => {
      if (captions.some((text) => text.toLowerCase().includes(wanted))) found.add(i * data.each + k);
    }));
    view.apply({ found });
  }

  form.label?.append(...data.classes.map((name, i) => option(i, name)));
  form.addEventListener("change", (event) => {
    const { name, value } = event.target;
    if (name !== "search") view.apply({ [name]: value === "" ? null : Number(value) });
  });
  form.search?.addEventListener("input", () => search().catch(() => missing(data)));
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", (event) => {
    event.preventDefault();
    if (form.search) form.search.value = "";
    view.apply({ ...EMPTY });
  });
  csv.addEventListener("click", () => download().catch(() => missing(data)));
  box.addEventListener("click", (event) => {
    const id = event.target.dataset?.to;
    if (id !== undefined) view.apply({ ...EMPTY, cluster: view.method.ids.indexOf(Number(id)) }, true);
  });
  list.addEventListener("toggle", (event) => {
    const cards = event.target.querySelector?.(".cards");
    if (cards && event.target.open && !cards.childElementCount) near.observe(cards);
  }, true);
  window.addEventListener("beforeprint", () => boxes.forEach((details, p) => {
    if (details.open && !details.querySelector(".cards").childElementCount) add(p, data.first);
  }));
  view.heard.push((what, focus) => {
    if (what === "method") rebuild(); else refresh();
    if (!focus) return;
    box.scrollIntoView({ block: "start" });
    box.querySelector("h3").focus({ preventScroll: true });
  });
  rebuild();
}
