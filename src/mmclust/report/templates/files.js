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

// Facts that follow from the data, one for each image.
function prepare(data, section) {
  const n = data.label.length;
  data.section = section;
  data.place = new Int32Array(n); // which of data.clusters
  data.clusters.forEach((_, c) => data.place.fill(c, data.starts[c], data.starts[c + 1]));
  // 1: right, 0: wrong, -1: its class is not known
  data.right = Int8Array.from(data.label, (label, j) =>
    (label < 0 ? -1 : Number(data.matched[data.place[j]] === label)));
  return data;
}

const clusterName = (id) => (id < 0 ? "in no cluster" : `cluster c${id}`);
