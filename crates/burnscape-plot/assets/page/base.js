// What all panels use: elements, the colors of the theme, messages between panels.

const root = document.documentElement;
const data = JSON.parse(document.getElementById("data").textContent);

for (const { views = [] } of data.panels) {
  for (const view of views) view.fields.forEach((field, index) => { field.name = field.name || `values ${index + 1}`; });
}

// ---- Elements -----------------------------------------------------------------------------------------------------

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

/** An element of HTML. Strings among the children are text, never markup. */
function element(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** The namespace of SVG, as the parser knows it. */
const SVG = (() => {
  const template = document.createElement("div");
  template.innerHTML = "<svg></svg>";
  return template.firstChild.namespaceURI;
})();

/** An element of SVG. */
function shape(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

/** A row of buttons of which one is pressed. `choices` are [value, text, title]. */
function choice(label, choices, value, onchange) {
  const buttons = choices.map(([it, text, title]) => {
    const button = element("button", { type: "button", title: title || text, dir: "auto" }, text);
    button.addEventListener("click", () => { select(it); onchange(it); });
    return button;
  });
  const select = (value) => {
    choices.forEach(([it], index) => buttons[index].setAttribute("aria-pressed", String(it === value)));
  };
  const group = element("div", { class: "choice", role: "group", "aria-label": label },
    element("span", { class: "label", "aria-hidden": "true" }, label), ...buttons);
  select(value);
  return { group, buttons, select };
}

let lastId = 0;

/** A slider from 0 to 1 with its label and what it says. */
function slider(label, value, oninput) {
  const id = `slider-${(lastId += 1)}`;
  const input = element("input", { id, type: "range", min: 0, max: 1, step: 0.002, value });
  const output = element("output", { for: id });
  input.addEventListener("input", () => oninput(Number(input.value)));
  const row = element("div", { class: "slider" }, element("label", { for: id }, label), input, output);
  const say = (text) => {
    output.textContent = text;
    input.setAttribute("aria-valuetext", text);
  };
  return { row, input, say };
}

/** A text of at most so many characters. */
function cut(text, length) {
  const characters = Array.from(text.slice(0, 2 * length + 2));
  return characters.length > length ? characters.slice(0, length - 1).join("") + "…" : text;
}

/** The same inside of a sentence: marks that turn the direction of text do not reach beyond it. */
function quoted(text, length) {
  return text ? `\u2068${cut(text, length)}\u2069` : "";
}

// ---- Colors -------------------------------------------------------------------------------------------------------

/** 256 colors for values from 0 to 1, as [red, green, blue]. */
const PALETTE = Array.from({ length: 256 }, (_, index) =>
  [0, 2, 4].map((offset) => parseInt(data.palette.slice(6 * index + offset, 6 * index + offset + 2), 16)));

function paletteColor(place) {
  return PALETTE[Math.max(0, Math.min(255, Math.round(255 * place)))];
}

function css([red, green, blue], alpha = 1) {
  return alpha === 1 ? `rgb(${red},${green},${blue})` : `rgba(${red},${green},${blue},${alpha})`;
}

/** The colors of the theme that is on. */
let theme = {};

function readTheme() {
  const style = getComputedStyle(root);
  const color = (name) => style.getPropertyValue(`--${name}`).trim();
  theme = {
    ...Object.fromEntries(["ground", "ink", "secondary", "axis", "grid", "gray", "warning", "water", "shore"]
      .map((name) => [name, color(name)])),
    series: [0, 1, 2, 3, 4, 5].map((index) => color(`series-${index}`)),
    font: getComputedStyle(document.body).fontFamily,
  };
}

/** Red, green and blue of a color of the theme. */
function channels(hexadecimal) {
  return [1, 3, 5].map((start) => parseInt(hexadecimal.slice(start, start + 2), 16));
}

/** Lengths of dashes and gaps of curves, by their number. */
const DASHES = getComputedStyle(root).getPropertyValue("--dashes").trim().replace(/"/g, "").split("|")
  .map((text) => text.split(" ").filter(Boolean).map(Number));

// ---- Messages -----------------------------------------------------------------------------------------------------

// "redraw": colors or sizes changed. "step" {x, low, high}: a pointer on an axis. "mark" {step}: a pointer on a
// checkpoint. "branch" {branches, index}: one to light. "water" {branches, level}: where the water stands, in the units
// of the branches.
const listeners = new Map();

function on(message, listener) {
  if (!listeners.has(message)) listeners.set(message, []);
  listeners.get(message).push(listener);
}

function tell(message, content = {}) {
  for (const listener of listeners.get(message) || []) listener(content);
}

/** Calls `draw` at most once a frame. */
function onceAFrame(draw) {
  let isWaiting = false;
  return () => {
    if (isWaiting) return;
    isWaiting = true;
    requestAnimationFrame(() => { isWaiting = false; draw(); });
  };
}

/** Everything again: another theme, another width, or paper. */
function redrawAll() {
  readTheme();
  tell("redraw");
}
