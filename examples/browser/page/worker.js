// Trains in a worker, so that the page stays responsive. Messages in: start, set, pause. Messages out: frames.
import init, { Page } from "./burnscape_browser.js";

const STEPS_PER_FRAME = 5;
const RESOLUTION = 64;

let page = null;
let settings = null;
let step = 0;
let isPaused = false;
let hasTimer = false;

const ready = init().then(() => {
  const numbers = Page.points();
  const points = Array.from({ length: numbers.length / 3 }, (_, index) => {
    const [x, y, side] = numbers.subarray(3 * index, 3 * index + 3);
    return { x, y, side };
  });
  postMessage({ kind: "points", points });
});

function start({ seed, rate, rho }) {
  page?.free();
  page = new Page(seed, rate, rho);
  settings = { rate, rho };
  step = 0;
}

function frame(steps) {
  const begin = performance.now();
  const { losses, measurements } = JSON.parse(page.advance(steps, true));
  const decisions = [0, 1].map((side) => page.decision(side, RESOLUTION));
  const milliseconds = performance.now() - begin;
  postMessage({ kind: "frame", step, losses, measurements, decisions, resolution: RESOLUTION, milliseconds, settings });
  step += steps;
}

function tick() {
  hasTimer = false;
  if (isPaused || page === null) return;
  try {
    frame(STEPS_PER_FRAME);
    schedule();
  } catch (error) {
    postMessage({ kind: "error", message: String(error) });
  }
}

function schedule() {
  if (hasTimer || isPaused) return;
  hasTimer = true;
  setTimeout(tick, 0);
}

// What a native run of the same seed is compared with, and how long a step takes.
function check(message) {
  start(message);
  const { measurements } = JSON.parse(page.advance(0, true));
  const { losses } = JSON.parse(page.advance(20, false));
  const begin = performance.now();
  const steps = 200;
  page.advance(steps, false);
  const millisecondsPerStep = (performance.now() - begin) / steps;
  const beginOfMeasurement = performance.now();
  page.advance(0, true);
  const millisecondsPerMeasurement = performance.now() - beginOfMeasurement;
  const lambda_max = measurements.map((side) => side.lambda_max);
  postMessage({ kind: "check", lambda_max, losses, millisecondsPerStep, millisecondsPerMeasurement });
}

onmessage = async ({ data }) => {
  try {
    await ready;
    if (data.kind === "check") check(data);
    if (data.kind === "start") start(data);
    if (data.kind === "set") {
      page?.set(data.rate, data.rho);
      settings = { rate: data.rate, rho: data.rho };
    }
    if (data.kind === "pause") isPaused = data.isPaused;
    if (data.kind !== "check") schedule();
  } catch (error) {
    postMessage({ kind: "error", message: String(error) });
  }
};
