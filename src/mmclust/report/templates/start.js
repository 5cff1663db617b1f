// A benchmark's files are loaded when its section comes near to the screen.
const sections = new IntersectionObserver((entries) => entries.forEach(({ isIntersecting, target }) => {
  if (!isIntersecting) return;
  sections.unobserve(target);
  load(target.dataset.src).then((loaded) => {
    const data = prepare(loaded, target);
    const toGallery = startGallery(target, data);
    const box = target.querySelector("[data-map]");
    if (box) startMap(box, data, toGallery);
    target.dataset.ready = "";
  }, () => { target.querySelector("[data-missing]").hidden = false; });
}), { rootMargin: "1500px" });
load("machine.js").then((machine) => {
  document.querySelector("[data-machine]").append(...Object.entries(machine).map(([key, value]) =>
    make("div", {}, make("dt", {}, key), make("dd", {}, value))));
}, () => { document.querySelector("[data-machine-missing]").hidden = false; });
document.querySelectorAll("section[data-src]").forEach((section) => sections.observe(section));
