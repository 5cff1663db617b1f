"use strict";

const TEN = ["#4c78c8", "#e8862e", "#3fa35b", "#d1495b", "#8d6cc2",
  "#9a6b4f", "#d977b4", "#7f8a8f", "#b5a32d", "#2fa8bb"];
const RAMP = ["#5b3a94", "#4a5298", "#3b6c9a", "#2f8399", "#279a90",
  "#35b07c", "#5ec062", "#8fcb47", "#c3d52f", "#f0dc26"];
const GREY = "#8a9296";

// Ten well-known colours, then hues that the golden angle keeps apart.
function palette(n) {
  if (n <= TEN.length) return TEN;
  return Array.from({ length: n }, (_, i) =>
    `hsl(${Math.round(i * 137.508) % 360} ${i % 2 ? 50 : 70}% ${[45, 62, 53][i % 3]}%)`);
}

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children); // strings become text: captions are never markup
  return element;
}

// One stop for the Tab key in a group of buttons; arrow keys move inside it.
function rove(buttons, step) {
  buttons.forEach((button, i) => { button.tabIndex = i ? -1 : 0; });
  return (event) => {
    const at = buttons.indexOf(event.target.closest("button"));
    const to = at < 0 ? null : step(buttons[at], event.key, at);
    if (!to) return;
    event.preventDefault();
    buttons[at].tabIndex = -1;
    to.tabIndex = 0;
    to.focus();
  };
}

// Buttons in a row, whatever its line breaks.
function inLine(buttons) {
  return rove(buttons, (_, key, at) => ({
    ArrowRight: buttons[at + 1], ArrowDown: buttons[at + 1],
    ArrowLeft: buttons[at - 1], ArrowUp: buttons[at - 1],
    Home: buttons[0], End: buttons.at(-1),
  })[key]);
}

// Files beside the page. A page that was opened from a disk may not fetch, but a
// script may hand over data: each file calls mmclust.put.
const mmclust = {
  put(value) { document.currentScript.value = value; },
};
const loads = new Map();

function load(src) {
  if (!loads.has(src)) {
    loads.set(src, new Promise((resolve, reject) => {
      const script = make("script", { src, onload: () => resolve(script.value) });
      script.onerror = () => { loads.delete(src); reject(new Error(src)); };
      document.head.append(script);
    }));
  }
  return loads.get(src);
}

// What is said of image j: its id and captions.
async function words(data, j) {
  const page = await load(data.words[Math.floor(j / data.each)]);
  return { id: page.ids[j % data.each], captions: page.captions[j % data.each] };
}

function missing(data) {
  data.section.querySelector("[data-missing]").hidden = false;
}

// Image j, cut out of its sheet by the browser.
function tile(data, j) {
  const side = data.side, k = j % data.each;
  const src = data.sheets[Math.floor(j / data.each)];
  if (!src) return make("span", { className: "tile none" });
  const image = make("img", {
    className: "tile", width: side, height: side, loading: "lazy", decoding: "async", alt: "",
  });
  const left = (k % data.columns) * side, top = Math.floor(k / data.columns) * side;
  image.style.objectPosition = `-${left}px -${top}px`;
  image.onerror = () => {
    image.replaceWith(make("span", { className: "tile none", title: "its file is missing" }));
    missing(data);
  };
  image.src = src;
  return image;
}
