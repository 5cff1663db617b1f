// The clusters of a benchmark, each with its images, the surest first. Pictures are
// put on the page when their cluster comes near to the screen.
const MORE = 60;

function startGallery(section, data) {
  const box = section.querySelector("[data-gallery]");
  const form = box.querySelector("form"), status = box.querySelector("[role=status]");
  const boxes = [...box.querySelectorAll("details.cluster")];
  const filter = { cluster: null, label: null, right: null };
  const active = () => Object.values(filter).some((v) => v !== null);

  const fits = (j) => (filter.label === null || data.label[j] === filter.label)
    && (filter.right === null || data.right[j] === filter.right);

  function matching(c) {
    if (filter.cluster !== null && c !== filter.cluster) return [];
    const all = Array.from({ length: data.starts[c + 1] - data.starts[c] }, (_, i) => data.starts[c] + i);
    return all.filter(fits);
  }

  function card(j) {
    const picture = tile(data, j), caption = make("figcaption", { dir: "auto" }, "…");
    const figure = make("figure", { className: "card" }, picture, caption);
    if (data.right[j] === 0) figure.classList.add("wrong");
    words(data, j).then(({ id, captions }) => {
      if ("alt" in picture) picture.alt = `image ${id}`;
      caption.textContent = captions[0] ?? "(no caption)";
      caption.title = [id, ...captions].join("\n");
      if (data.right[j] === 0) {
        caption.append(make("span", { className: "class", dir: "auto" }, data.classes[data.label[j]]));
      }
    }, () => { caption.textContent = ""; missing(data); });
    return figure;
  }

  function add(c, count) {
    const cards = boxes[c].querySelector(".cards"), rows = matching(c);
    boxes[c].querySelector(".more")?.remove();
    cards.append(...rows.slice(cards.childElementCount, cards.childElementCount + count).map(card));
    const left = rows.length - cards.childElementCount;
    if (!left) return;
    const button = make("button", { type: "button", className: "more" }, `show ${Math.min(left, MORE)} of ${left.toLocaleString("en")} more`);
    button.addEventListener("click", () => {
      add(c, MORE);
      boxes[c].querySelector(".more")?.focus();
    });
    cards.after(button);
  }

  const near = new IntersectionObserver((entries) => entries.forEach(({ isIntersecting, target }) => {
    if (!isIntersecting) return;
    near.unobserve(target);
    if (!target.childElementCount) add(boxes.indexOf(target.parentElement), data.first);
  }), { rootMargin: "600px" });

  function tell(shown) {
    if (!active()) { status.textContent = ""; return; }
    const parts = [
      filter.label !== null && `class ${data.classes[filter.label]}`,
      filter.cluster !== null && clusterName(data.clusters[filter.cluster]),
      filter.right !== null && ["wrong", "right"][filter.right],
    ].filter(Boolean);
    status.textContent = `${shown.toLocaleString("en")} ${shown === 1 ? "image" : "images"}: ${parts.join(", ")}`;
  }

  function refresh() {
    let shown = 0;
    boxes.forEach((details, c) => {
      const count = active() ? matching(c).length : 1;
      shown += active() ? count : 0;
      details.hidden = !count;
      details.querySelector(".more")?.remove();
      const cards = details.querySelector(".cards");
      cards.replaceChildren();
      near.unobserve(cards);
      if (count) near.observe(cards);
    });
    if (filter.cluster !== null) boxes[filter.cluster].open = true;
    section.querySelectorAll(".confusion button[aria-pressed]").forEach((button) => {
      button.setAttribute("aria-pressed", String(filter.label !== null && filter.cluster !== null
        && button.dataset.class === data.classes[filter.label]
        && Number(button.dataset.cluster) === data.clusters[filter.cluster]));
    });
    tell(shown);
  }

  function apply(change, focus) {
    Object.assign(filter, change);
    for (const [name, select] of [["label", form.label], ["cluster", form.cluster], ["right", form.right]]) {
      if (select) select.value = filter[name] === null ? "" : String(filter[name]);
    }
    form.querySelector("[type=reset]").disabled = !active();
    refresh();
    if (!focus) return;
    box.scrollIntoView({ block: "start" });
    box.querySelector("h3").focus({ preventScroll: true });
  }

  const option = (value, text) => make("option", { value: String(value), dir: "auto" }, text);
  form.label?.append(...data.classes.map((name, i) => option(i, name)));
  form.cluster.append(...data.clusters.map((id, c) => option(c, clusterName(id))));
  form.addEventListener("change", (event) => {
    const { name, value } = event.target;
    apply({ [name]: value === "" ? null : Number(value) });
  });
  form.addEventListener("reset", (event) => {
    event.preventDefault();
    apply({ cluster: null, label: null, right: null });
  });
  section.querySelector(".confusion")?.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    const label = data.classes.indexOf(button.dataset.class);
    const cluster = data.clusters.indexOf(Number(button.dataset.cluster));
    apply({ label, cluster, right: null }, true);
  });
  box.addEventListener("click", (event) => {
    const id = event.target.dataset?.to;
    if (id !== undefined) apply({ cluster: data.clusters.indexOf(Number(id)), label: null, right: null }, true);
  });
  window.addEventListener("beforeprint", () => boxes.forEach((details, c) => {
    const cards = details.querySelector(".cards");
    if (details.open && !details.hidden && !cards.childElementCount) add(c, data.first);
  }));
  refresh();
  // From a map: the cluster of an image.
  return (j) => apply({ cluster: data.place[j], label: null, right: null }, true);
}
