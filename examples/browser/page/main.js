// Controls, and what the worker has found, as pictures.
import { chart, decision } from "./draw.js";

const MAX_FRAMES = 600;
const get = (id) => document.getElementById(id);
const worker = new Worker("worker.js", { type: "module" });
const isCheck = new URLSearchParams(location.search).has("check");

let seed = 1;
let isPaused = false;
let isRunning = false;
let history = [];
let points = [];

// Sliders are logarithmic; two digits are enough.
const setting = (id) => Number((10 ** Number(get(id).value)).toPrecision(2));
const settings = () => ({ rate: setting("rate"), rho: setting("rho") });

function showSettings() {
  const { rate, rho } = settings();
  get("rate-value").value = rate;
  get("rho-value").value = rho;
}

function start() {
  history = [];
  isRunning = true;
  worker.postMessage({ kind: "start", seed, ...settings() });
}

const digits = (value) => (value === null ? "not finite" : value.toPrecision(3));

function show(frame) {
  history.push(frame);
  // Every other frame of a long run is dropped.
  if (history.length > MAX_FRAMES) history = history.filter((_, index) => index % 2 === 1);
  const x = history.map(({ step }) => step);
  const both = (value, isDashed = false) => [0, 1].map((side) => (
    { x, y: history.map((known) => value(known, side)), side, isDashed }));
  chart(get("loss"), both(({ losses }, side) => losses[0][side]), true);
  const top = both(({ measurements }, side) => measurements[side].lambda_max);
  // Only as much of the edge as fits beside the eigenvalues.
  const limit = 2 * Math.max(...top.flatMap(({ y }) => y.map((value) => value ?? 0)));
  const edge = both(({ measurements }, side) => {
    const value = measurements[side].edge;
    return value !== null && value < limit ? value : null;
  }, true);
  chart(get("lambda"), [...top, ...edge]);
  const slices = frame.measurements.map(({ slice }, side) => (
    { x: slice.map((_, index) => 2 * index / (slice.length - 1) - 1), y: slice, side, isDashed: false }));
  chart(get("slice"), slices);
  ["sgd", "sam"].forEach((name, side) => {
    decision(get(`${name}-decision`), frame.decisions[side], frame.resolution, points);
    const { lambda_max } = frame.measurements[side];
    get(`${name}-text`).textContent = `loss ${digits(frame.losses[0][side])}, λmax ${digits(lambda_max)}`;
  });
  get("status").textContent = `step ${frame.step}, ${frame.milliseconds.toFixed(0)} ms a frame of 5 steps`;
}

worker.onmessage = ({ data }) => {
  if (data.kind === "points") points = data.points;
  if (data.kind === "error") get("status").textContent = `Stopped: ${data.message}`;
  if (data.kind === "frame" && isRunning) show(data);
  if (isCheck) report(data);
};
worker.onerror = (event) => {
  get("status").textContent = `The worker failed: ${event.message}`;
  if (isCheck) report({ kind: "error", message: event.message });
};

for (const id of ["rate", "rho"]) {
  get(id).addEventListener("input", () => {
    showSettings();
    worker.postMessage({ kind: "set", ...settings() });
  });
}
get("pause").addEventListener("click", () => {
  isPaused = !isPaused;
  get("pause").textContent = isPaused ? "Continue" : "Pause";
  worker.postMessage({ kind: "pause", isPaused });
});
get("restart").addEventListener("click", () => {
  seed += 1;
  start();
});

// The test of the page (`cargo xtask browser`): numbers first, then a run to be seen.
const FRAMES_OF_CHECK = 150;
function report(data) {
  const post = (path, body) => fetch(path, { method: "POST", body: JSON.stringify(body) });
  if (data.kind === "check") post("/numbers", data).then(start);
  if (data.kind === "error") post("/failure", data);
  if (data.kind === "frame" && history.length === FRAMES_OF_CHECK) {
    worker.postMessage({ kind: "pause", isPaused: true });
    post("/drawn", { step: data.step });
  }
}

showSettings();
if (isCheck) {
  // The page has loaded when this picture has: after it is drawn.
  document.body.append(Object.assign(new Image(), { src: "/hold.svg", alt: "" }));
}
if (isCheck) worker.postMessage({ kind: "check", seed, ...settings() });
else start();
