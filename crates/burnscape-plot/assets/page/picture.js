// A canvas with a picture that stays and marks that come and go.

class Picture {
  /** `height(width)` is the height for a width. */
  constructor(name, height) {
    this.height = height;
    this.canvas = element("canvas", { class: `picture ${name}`, tabindex: 0, role: "img" });
    this.base = document.createElement("canvas");
    this.size = { width: 0, height: 0 };
    this.refreshSoon = onceAFrame(() => this.refresh());
    this.redrawSoon = onceAFrame(() => this.redraw());
    on("redraw", () => this.redraw());
  }

  describe(text) {
    this.canvas.setAttribute("aria-label", text);
  }

  /** As wide as its parent. */
  fit() {
    const width = Math.floor(this.canvas.parentElement ? this.canvas.parentElement.clientWidth : 0);
    const height = Math.round(this.height(width));
    const density = root.classList.contains("printing") ? Math.max(2, devicePixelRatio) : devicePixelRatio || 1;
    this.size = { width, height };
    for (const canvas of [this.canvas, this.base]) {
      canvas.width = Math.round(width * density);
      canvas.height = Math.round(height * density);
    }
    this.canvas.style.height = `${height}px`;
    this.density = density;
    return width > 60;
  }

  contextOf(canvas) {
    const context = canvas.getContext("2d");
    context.setTransform(this.density, 0, 0, this.density, 0, 0);
    context.clearRect(0, 0, this.size.width, this.size.height);
    context.lineJoin = "round";
    return context;
  }

  redraw() {
    if (!this.fit()) return;
    this.drawBase(this.contextOf(this.base));
    this.refresh();
  }

  refresh() {
    if (this.size.width <= 60) return;
    const context = this.contextOf(this.canvas);
    context.drawImage(this.base, 0, 0, this.size.width, this.size.height);
    this.drawMarks(context);
  }

  /** Where an event is on the picture. */
  point(event) {
    const box = this.canvas.getBoundingClientRect();
    return [
      (event.clientX - box.left) * this.size.width / box.width,
      (event.clientY - box.top) * this.size.height / box.height,
    ];
  }
}

function setFont(context, size, weight = 400) {
  context.font = `${weight} ${size}px ${theme.font}`;
}

/** A text that is cut where it does not fit. */
function write(context, text, x, y, { align = "left", baseline = "middle", color = theme.secondary, width = Infinity, halo = null } = {}) {
  let shown = cut(text, 200);
  while (shown.length > 1 && context.measureText(shown).width > width) shown = cut(shown, Math.max(1, Math.floor(shown.length * 0.85)));
  context.textAlign = align;
  context.textBaseline = baseline;
  if (halo) {
    context.lineWidth = 3;
    context.strokeStyle = halo;
    context.strokeText(shown, x, y);
  }
  context.fillStyle = color;
  context.fillText(shown, x, y);
}

/** The label of an axis: without its unit where there is no room. */
function fitted(context, label, width) {
  return context.measureText(label.slice(0, 200)).width > width ? label.split(" (")[0] : label;
}

function line(context, points, color, width = 1) {
  context.beginPath();
  points.forEach(([x, y], index) => (index === 0 ? context.moveTo(x, y) : context.lineTo(x, y)));
  context.strokeStyle = color;
  context.lineWidth = width;
  context.stroke();
}

function polygon(context, points) {
  context.beginPath();
  points.forEach(([x, y], index) => (index === 0 ? context.moveTo(x, y) : context.lineTo(x, y)));
  context.closePath();
}

function dot(context, [x, y], radius, { inside = null, outside = null, width = 1 } = {}) {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  if (inside) {
    context.fillStyle = inside;
    context.fill();
  }
  if (outside) {
    context.strokeStyle = outside;
    context.lineWidth = width;
    context.stroke();
  }
}

/** The colors of what lies on top of the colors of values, in both themes. */
const ON_VALUES = { light: "#ffffff", dark: "#14161a" };

/** The color of a line of equal value: seen on the color of that value. */
function lineColor(place) {
  return place < 0.55 ? "rgba(255,255,255,0.45)" : "rgba(20,22,26,0.4)";
}

/** The color of a value below water. */
function flooded(color) {
  const water = channels(theme.water);
  return color.map((channel, index) => Math.round(0.2 * channel + 0.8 * water[index]));
}

/** How large the dot of a checkpoint is: the more it is off the plane, the larger. */
function dotRadius(share) {
  return 2.2 + 2.6 * Math.max(0, Math.min(1, share || 0));
}

/** The checkpoints that get a dot: at most so many, the first and the last among them. */
function chosenMarks(trajectory, most) {
  const { step, x, y } = trajectory;
  const known = step.map((_, index) => index).filter((index) => isNumber(x[index]) && isNumber(y[index]));
  if (known.length <= most) return known;
  return Array.from({ length: most }, (_, index) => known[Math.round(index * (known.length - 1) / (most - 1))]);
}
