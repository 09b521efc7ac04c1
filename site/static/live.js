// The trained pair at work in the browser: each layer is a function of a few lines, as the chapters teach it.
// An array of numbers holds one image or one map, channels last: the value at (row, column, channel) stands at
// (row * width + column) * channels + channel.
"use strict";

// ---- layers -----------------------------------------------------------------------------------------------------

function dense(values, [kernel, bias], layer) {  // chapter 02: y = xW + b
  const outputs = layer.shapes[0][1];
  const sums = bias ? Float32Array.from(bias) : new Float32Array(outputs);
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (value === 0) continue;
    for (let j = 0, at = i * outputs; j < outputs; j++) sums[j] += value * kernel[at + j];
  }
  return sums;
}

function batchNormalization(values, [gamma, beta, mean, variance], layer) {  // chapter 04: inference mode
  const channels = gamma.length;
  return values.map((value, i) => {
    const c = i % channels;
    return gamma[c] * (value - mean[c]) / Math.sqrt(variance[c] + layer.epsilon) + beta[c];
  });
}

function convolution(values, [kernel, bias], layer) {  // chapter 03: padding "same"
  const [size, , inputs, filters] = layer.shapes[0];
  const side = Math.sqrt(values.length / inputs), stride = layer.stride, small = Math.ceil(side / stride);
  const before = Math.floor(Math.max((small - 1) * stride + size - side, 0) / 2);
  const sums = new Float32Array(small * small * filters);
  for (let y = 0; y < small; y++) for (let x = 0; x < small; x++) {
    const to = (y * small + x) * filters;
    if (bias) sums.set(bias, to);
    for (let ky = 0; ky < size; ky++) for (let kx = 0; kx < size; kx++) {
      const row = y * stride + ky - before, column = x * stride + kx - before;
      if (row < 0 || row >= side || column < 0 || column >= side) continue;
      for (let c = 0; c < inputs; c++) {
        const value = values[(row * side + column) * inputs + c];
        if (value === 0) continue;
        for (let f = 0, at = ((ky * size + kx) * inputs + c) * filters; f < filters; f++) sums[to + f] += value * kernel[at + f];
      }
    }
  }
  return sums;
}

function transposedConvolution(values, [kernel, bias], layer) {  // chapters 03 and 21: each input stamps the window
  const [size, , filters, inputs] = layer.shapes[0];
  const side = Math.sqrt(values.length / inputs), stride = layer.stride, large = side * stride;
  const before = Math.floor(Math.max((side - 1) * stride + size - large, 0) / 2);
  const sums = new Float32Array(large * large * filters);
  if (bias) sums.forEach((_, i) => { sums[i] = bias[i % filters]; });
  for (let y = 0; y < side; y++) for (let x = 0; x < side; x++) {
    const from = values.subarray((y * side + x) * inputs, (y * side + x + 1) * inputs);
    for (let ky = 0; ky < size; ky++) for (let kx = 0; kx < size; kx++) {
      const row = y * stride + ky - before, column = x * stride + kx - before;
      if (row < 0 || row >= large || column < 0 || column >= large) continue;
      const to = (row * large + column) * filters;
      for (let f = 0, at = (ky * size + kx) * filters * inputs; f < filters; f++, at += inputs) {
        let sum = 0;
        for (let c = 0; c < inputs; c++) sum += from[c] * kernel[at + c];
        sums[to + f] += sum;
      }
    }
  }
  return sums;
}

const LAYERS = {
  Dense: dense,
  BatchNormalization: batchNormalization,
  Conv2D: convolution,
  Conv2DTranspose: transposedConvolution,
  ReLU: (values) => values.map((value) => Math.max(value, 0)),
  LeakyReLU: (values, _, layer) => values.map((value) => (value < 0 ? layer.slope * value : value)),
  Activation: (values) => values.map(Math.tanh),  // the only one is the tanh at the end of G
  Reshape: (values) => values,  // the order of the numbers stays
  Flatten: (values) => values,
};

const run = (network, values) => network.reduce((now, layer) => LAYERS[layer.kind](now, layer.weights, layer), values);

// ---- weights ----------------------------------------------------------------------------------------------------

function fromHalf(bits) {  // a 16-bit float: sign, 5 bits of exponent, 10 of fraction
  const sign = bits & 0x8000 ? -1 : 1, exponent = (bits >> 10) & 31, fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

async function loadPair() {
  const [description, file] = await Promise.all(["live.json", "live.bin"].map((name) => fetch(name)));
  const pair = await description.json();
  const numbers = Float32Array.from(new Uint16Array(await file.arrayBuffer()), fromHalf);
  let used = 0;
  for (const layer of [...pair.generator, ...pair.discriminator]) {
    layer.weights = layer.shapes.map((shape) => numbers.subarray(used, used += shape.reduce((a, b) => a * b, 1)));
  }
  if (used !== numbers.length) throw new Error("live.json and live.bin do not belong together");
  return pair;
}

// ---- the page ---------------------------------------------------------------------------------------------------

const NOISE = 100, SIDE = 28;
const at = (id) => document.getElementById(id);
const drawNoise = () => Float32Array.from({ length: NOISE }, () => 2 * Math.random() - 1);
const mean = (vectors) => Float32Array.from({ length: NOISE }, (_, i) => vectors.reduce((sum, v) => sum + v[i], 0) / vectors.length);
const mixed = (a, b, t) => a.map((value, i) => (1 - t) * value + t * b[i]);
const probability = (logit) => 1 / (1 + Math.exp(-logit));

function paint(canvas, image) {
  canvas.width = canvas.height = SIDE;
  const context = canvas.getContext("2d"), pixels = context.createImageData(SIDE, SIDE);
  image.forEach((value, i) => {
    const grey = Math.round(255 * Math.min(Math.max((value + 1) / 2, 0), 1));
    pixels.data.set([grey, grey, grey, 255], 4 * i);
  });
  context.putImageData(pixels, 0, 0);
}

function thumbnail(image, parent, size = 56) {
  const canvas = document.createElement("canvas");
  canvas.className = "digit";
  canvas.style.width = canvas.style.height = `${size}px`;
  paint(canvas, image);
  parent.append(canvas);
  return canvas;
}

function startPage({ generator, discriminator }) {
  const generate = (z) => run(generator, z);
  const judge = (image) => run(discriminator, image)[0];
  const verdict = (logit) => `${logit.toFixed(2)} → ${(100 * probability(logit)).toFixed(1)} %`;
  window.live = { generate, judge };  // for the test, and for whoever opens the console

  // 1. z by sliders
  let z = drawNoise();
  const sliders = [];
  const showOne = () => {
    const image = generate(z);
    paint(at("one"), image);
    at("one-verdict").textContent = verdict(judge(image));
  };
  for (let i = 0; i < NOISE; i++) {
    const slider = Object.assign(document.createElement("input"), { type: "range", min: -1, max: 1, step: 0.01 });
    slider.setAttribute("aria-label", `z ${i}`);
    slider.addEventListener("input", () => { z[i] = Number(slider.value); showOne(); });
    sliders.push(slider);
    at("sliders").append(slider);
  }
  const setZ = (next) => { z = next; sliders.forEach((slider, i) => { slider.value = z[i]; }); showOne(); };
  at("one-new").addEventListener("click", () => setZ(drawNoise()));
  setZ(z);

  // 2. a walk between two points
  let ends = [drawNoise(), drawNoise()];
  const showWalk = () => {
    const t = Number(at("walk-t").value), image = generate(mixed(...ends, t));
    paint(at("walk-now"), image);
    at("walk-verdict").textContent = `t = ${t.toFixed(2)}, D: ${verdict(judge(image))}`;
  };
  const showEnds = () => {
    at("walk-strip").replaceChildren();
    for (let i = 0; i <= 8; i++) thumbnail(generate(mixed(...ends, i / 8)), at("walk-strip"), 48);
    showWalk();
  };
  at("walk-t").addEventListener("input", showWalk);
  at("walk-new").addEventListener("click", () => { ends = [drawNoise(), drawNoise()]; showEnds(); });
  showEnds();

  // 3. arithmetic with means of three
  let gallery = [];
  const groups = { a: [], b: [], c: [] };
  const showSum = () => {
    for (const name of "abc") {
      at(`group-${name}`).replaceChildren();
      groups[name].forEach((z) => thumbnail(generate(z), at(`group-${name}`), 40));
    }
    const full = Object.values(groups).every((group) => group.length === 3);
    at("sum").hidden = !full;
    if (!full) return;
    const [a, b, c] = ["a", "b", "c"].map((name) => mean(groups[name]));
    const sum = a.map((value, i) => value - b[i] + c[i]);
    [[a, "sum-a"], [b, "sum-b"], [c, "sum-c"], [sum, "sum-result"]].forEach(([z, id]) => paint(at(id), generate(z)));
  };
  const newGallery = () => {
    at("gallery").replaceChildren();
    gallery = Array.from({ length: 40 }, drawNoise);
    gallery.forEach((z, number) => {
      const button = Object.assign(document.createElement("button"), { type: "button", className: "pick" });
      button.setAttribute("aria-label", `${number + 1}`);
      thumbnail(generate(z), button, 48);
      button.addEventListener("click", () => {
        const group = groups[document.querySelector("[name=group]:checked").value];
        group.push(z);
        if (group.length > 3) group.shift();
        showSum();
      });
      at("gallery").append(button);
    });
  };
  at("gallery-new").addEventListener("click", newGallery);
  at("groups-clear").addEventListener("click", () => { Object.values(groups).forEach((group) => group.splice(0)); showSum(); });
  newGallery();
  showSum();

  startDrawing(judge, verdict);
  startNice(generate, judge);
}

// 4. D's verdict on a digit that the reader draws, brought into MNIST's form: the ink in 20 by 20, its centre of mass in the middle
function startDrawing(judge, verdict) {
  const board = at("board"), pen = board.getContext("2d", { willReadFrequently: true });
  const clear = () => {
    pen.fillStyle = "#000";
    pen.fillRect(0, 0, board.width, board.height);
    at("drawn-verdict").textContent = "–";
    paint(at("drawn"), new Float32Array(SIDE * SIDE).fill(-1));
  };
  let last = null;
  const place = (event) => {
    const box = board.getBoundingClientRect();
    return [(event.clientX - box.left) * board.width / box.width, (event.clientY - box.top) * board.height / box.height];
  };
  const look = () => {
    const image = asMnist(board);
    if (!image) return;
    paint(at("drawn"), image);
    at("drawn-verdict").textContent = verdict(judge(image));
  };
  board.addEventListener("pointerdown", (event) => { last = place(event); board.setPointerCapture(event.pointerId); });
  board.addEventListener("pointermove", (event) => {
    if (!last) return;
    const now = place(event);
    Object.assign(pen, { strokeStyle: "#fff", lineWidth: Number(at("pen").value), lineCap: "round" });
    pen.beginPath();
    pen.moveTo(...last);
    pen.lineTo(...now);
    pen.stroke();
    last = now;
    look();
  });
  for (const name of ["pointerup", "pointercancel"]) board.addEventListener(name, () => { last = null; });
  at("board-clear").addEventListener("click", clear);
  clear();
}

function asMnist(board) {
  const side = board.width, pixels = board.getContext("2d").getImageData(0, 0, side, side).data;
  let [left, top, right, bottom, ink, sumX, sumY] = [side, side, -1, -1, 0, 0, 0];
  for (let y = 0; y < side; y++) for (let x = 0; x < side; x++) {
    const value = pixels[4 * (y * side + x)];
    if (value < 32) continue;
    [left, top, right, bottom] = [Math.min(left, x), Math.min(top, y), Math.max(right, x), Math.max(bottom, y)];
    ink += value; sumX += value * x; sumY += value * y;
  }
  if (!ink) return null;
  const scale = 20 / (Math.max(right - left, bottom - top) + 1);
  const small = Object.assign(document.createElement("canvas"), { width: SIDE, height: SIDE }).getContext("2d");
  small.fillStyle = "#000";
  small.fillRect(0, 0, SIDE, SIDE);
  small.imageSmoothingQuality = "high";
  small.drawImage(board, 14 - scale * (sumX / ink + 0.5), 14 - scale * (sumY / ink + 0.5), side * scale, side * scale);
  const grey = small.getImageData(0, 0, SIDE, SIDE).data;
  return Float32Array.from({ length: SIDE * SIDE }, (_, i) => grey[4 * i] / 127.5 - 1);
}

// 5. --nice as a threshold: many images, sorted by D's verdict, of which a share is kept
function startNice(generate, judge) {
  const COUNT = 200;
  let images = [];
  const show = () => {
    const kept = Math.max(1, Math.round(COUNT * Number(at("nice-share").value) / 100));
    at("nice-kept").textContent = images.length < COUNT ? `${images.length} / ${COUNT}`
      : `${kept} / ${COUNT}, D ≥ ${images[kept - 1].logit.toFixed(2)}`;
    [...at("nice-sheet").children].forEach((canvas, i) => canvas.classList.toggle("out", i >= kept));
    drawHistogram(at("nice-histogram"), images.map((image) => image.logit), images[kept - 1]?.logit);
  };
  const more = () => {  // a few at a time, so that the page stays alive
    for (let i = 0; i < 5 && images.length < COUNT; i++) {
      const image = generate(drawNoise());
      images.push({ image, logit: judge(image) });
    }
    if (images.length < COUNT) { show(); setTimeout(more); return; }
    images.sort((a, b) => b.logit - a.logit);
    at("nice-sheet").replaceChildren();
    images.forEach(({ image }) => thumbnail(image, at("nice-sheet"), 32));
    show();
  };
  const start = () => { images = []; at("nice-sheet").replaceChildren(); more(); };
  at("nice-share").addEventListener("input", show);
  at("nice-new").addEventListener("click", start);
  start();
}

function drawHistogram(canvas, values, threshold) {
  const context = canvas.getContext("2d"), { width, height } = canvas, bins = 40;
  context.clearRect(0, 0, width, height);
  if (values.length < 2) return;
  const low = Math.min(...values), span = Math.max(...values) - low || 1, counts = new Array(bins).fill(0);
  values.forEach((value) => { counts[Math.min(bins - 1, Math.floor((value - low) / span * bins))]++; });
  counts.forEach((count, i) => {
    context.fillStyle = low + (i + 1) / bins * span > threshold ? "#0b62a8" : "#b8b8b8";
    const tall = count / Math.max(...counts) * (height - 14);
    context.fillRect(i * width / bins, height - 14 - tall, width / bins - 1, tall);
  });
  context.fillStyle = getComputedStyle(canvas).color;
  context.font = "11px sans-serif";
  context.fillText(low.toFixed(1), 0, height - 2);
  context.fillText((low + span).toFixed(1), width - 24, height - 2);
}

document.addEventListener("DOMContentLoaded", () => loadPair().then(startPage).catch((error) => {
  at("failed").hidden = false;
  at("failed").append(` (${error.message})`);
}));
