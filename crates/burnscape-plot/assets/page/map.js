// The same from above: a cell for each value, lines of equal value, the training run.

class Plan extends Picture {
  /** A bare one shows the wells only. */
  constructor({ isBare = false } = {}) {
    super("plan", (width) => {
      const { x, y } = this.relief.view;
      const ratio = (y[y.length - 1] - y[0]) / (x[x.length - 1] - x[0]) || 1;
      this.frame = { left: 48, top: 8, right: 10, bottom: 40 };
      const across = Math.min(width, 560) - this.frame.left - this.frame.right;
      return across * Math.max(0.5, Math.min(1.4, ratio)) + this.frame.top + this.frame.bottom;
    });
    this.isBare = isBare;
    this.cell = null;
    this.mark = null;
    this.basin = null;
    this.onPoint = () => {};
    this.onMark = () => {};
    this.listen();
  }

  show(relief, water) {
    this.relief = relief;
    this.water = water;
    this.redraw();
  }

  // ---- Places -----------------------------------------------------------------------------------------------------

  prepare() {
    const { view } = this.relief;
    const { width, height } = this.size;
    const { left, top, right, bottom } = this.frame;
    this.xBorders = borders(view.x);
    this.yBorders = borders(view.y);
    const last = (list) => list[list.length - 1];
    const [x0, x1, y0, y1] = [this.xBorders[0], last(this.xBorders), this.yBorders[0], last(this.yBorders)];
    this.box = { left, top, width: Math.min(width, 560) - left - right, height: height - top - bottom };
    this.px = (value) => this.box.left + this.box.width * (value - x0) / (x1 - x0);
    this.py = (value) => this.box.top + this.box.height * (y1 - value) / (y1 - y0);
    this.toX = (px) => x0 + (px - this.box.left) / this.box.width * (x1 - x0);
    this.toY = (py) => y1 - (py - this.box.top) / this.box.height * (y1 - y0);
  }

  /** The coordinate at a broken index. */
  between(list, index) {
    const low = Math.min(Math.floor(index), list.length - 1);
    const high = Math.min(low + 1, list.length - 1);
    return list[low] + (index - low) * (list[high] - list[low]);
  }

  // ---- Drawing ----------------------------------------------------------------------------------------------------

  drawBase(context) {
    this.prepare();
    this.drawCells(context);
    context.save();
    context.beginPath();
    context.rect(this.box.left, this.box.top, this.box.width, this.box.height);
    context.clip();
    this.drawLines(context);
    context.restore();
    this.drawAxes(context);
  }

  /** Pixel by pixel, so that uneven grids and millions of cells cost the same. */
  drawCells(context) {
    const { relief, box, density } = this;
    const [width, height] = [Math.max(1, Math.round(box.width * density)), Math.max(1, Math.round(box.height * density))];
    const image = context.createImageData(width, height);
    const pixels = new Uint32Array(image.data.buffer);
    const xs = Float64Array.from({ length: width }, (_, px) => this.toX(box.left + (px + 0.5) / density));
    const ys = Float64Array.from({ length: height }, (_, py) => this.toY(box.top + (py + 0.5) / density));
    const columns = Int32Array.from(xs, (x) => this.cellAlong(this.xBorders, x));
    const rows = Int32Array.from(ys, (y) => this.cellAlong(this.yBorders, y));
    const [dry, wet] = this.cellColors();
    const isWet = this.water === null ? () => false : this.shore(xs, ys);
    const isNan = new Uint8Array(relief.places.length);
    for (const cell of relief.nan) isNan[cell] = 1;
    const [ground, ink] = [theme.ground, theme.secondary].map((color) => packed(channels(color)));
    for (let py = 0; py < height; py += 1) {
      for (let px = 0; px < width; px += 1) {
        const cell = columns[px] * relief.ny + rows[py];
        let color = isWet(px, py, cell) ? wet[cell] : dry[cell];
        if (isNan[cell] === 1) color = (px + py) % (6 * density) < 1.6 * density ? ink : ground;
        pixels[py * width + px] = color;
      }
    }
    context.putImageData(image, Math.round(box.left * density), Math.round(box.top * density));
  }

  /** The colors of all cells, above water and below it. */
  cellColors() {
    const { relief } = this;
    const [gray, ground] = [theme.gray, theme.ground].map(channels);
    const basin = relief.view.basins.length > 0 ? this.basin : null;
    const lit = (color, cell) => {
      const isFaint = basin && !basin.has(relief.view.basins[cell]);
      return packed(isFaint ? color.map((channel, index) => 0.3 * channel + 0.7 * ground[index]) : color);
    };
    const colors = (change) => Uint32Array.from(relief.places, (place, cell) => (
      lit(Number.isNaN(place) ? gray : change(paletteColor(place)), cell)));
    return [colors((color) => color), colors(flooded)];
  }

  /** Whether a pixel is below water: up to the shore between the cells, and beyond the outermost ones as there. */
  shore(xs, ys) {
    const { relief, water } = this;
    const { view, ny, places } = relief;
    const between = (list) => (value) => {
      const low = Math.max(0, Math.min(list.length - 2, lastAtMost(list, value)));
      const share = list.length > 1 ? (value - list[low]) / (list[low + 1] - list[low]) : 0;
      return [low, Math.max(0, Math.min(1, share))];
    };
    const across = Array.from(xs, between(view.x));
    const up = Array.from(ys, between(view.y));
    return (px, py, cell) => {
      const [[i, a], [j, b]] = [across[px], up[py]];
      const corner = i * ny + j;
      const [right, above] = [view.x.length > 1 ? ny : 0, view.y.length > 1 ? 1 : 0];
      const place = (1 - a) * ((1 - b) * places[corner] + b * places[corner + above])
        + a * ((1 - b) * places[corner + right] + b * places[corner + right + above]);
      return (Number.isNaN(place) ? places[cell] : place) <= water;
    };
  }

  cellAlong(borders, value) {
    return Math.max(0, Math.min(borders.length - 2, lastAtMost(borders, value)));
  }

  drawLines(context) {
    const { relief } = this;
    const { x, y } = relief.view;
    const draw = (place, color, width) => {
      context.beginPath();
      for (const [i, j, k, l] of isolines(relief, place)) {
        context.moveTo(this.px(this.between(x, i)), this.py(this.between(y, j)));
        context.lineTo(this.px(this.between(x, k)), this.py(this.between(y, l)));
      }
      context.strokeStyle = color;
      context.lineWidth = width;
      context.stroke();
    };
    for (const level of relief.scale.levels) {
      const place = relief.scale.place(level);
      if (this.water === null || place > this.water) draw(place, lineColor(place), 0.9);
    }
    if (this.water !== null) {
      draw(this.water, theme.shore, 2);
    }
    if (!this.isBare) this.drawTrajectory(context);
    this.drawMinima(context);
    if (this.water !== null) this.drawLakeNumbers(context);
  }

  drawLakeNumbers(context) {
    const lakes = this.relief.lakes(this.water);
    if (lakes.length < 2 || lakes.length > 20) return;
    setFont(context, 13, 650);
    lakes.forEach((lake, index) => {
      const [x, y] = this.relief.coordinates(lake.deepest);
      write(context, String(index + 1), this.px(x), this.py(y), { align: "center", color: ON_VALUES.dark, halo: ON_VALUES.light });
    });
  }

  /** Crosses and names at the minima that the grid resolves; the water has numbers instead. */
  drawMinima(context) {
    const { branches } = this.relief.view;
    if (this.water !== null || !this.relief.isLoss) return;
    const wells = branches.filter((branch) => branch.resolved !== false && isNumber(branch.at[0]) && isNumber(branch.at[1]));
    setFont(context, 12, 650);
    for (const { at, label } of wells) {
      const [x, y] = [this.px(at[0]), this.py(at[1])];
      for (const [color, width] of [[ON_VALUES.dark, 4], [ON_VALUES.light, 2]]) {
        line(context, [[x - 4, y - 4], [x + 4, y + 4]], color, width);
        line(context, [[x - 4, y + 4], [x + 4, y - 4]], color, width);
      }
      if (wells.length <= 12) write(context, cut(label, 12), x, y + 14, { align: "center", color: ON_VALUES.light, halo: ON_VALUES.dark });
    }
  }

  drawTrajectory(context) {
    const { trajectory } = this.relief.view;
    const all = chosenMarks(trajectory, 2000);
    if (all.length === 0) return;
    const points = all.map((index) => [this.px(trajectory.x[index]), this.py(trajectory.y[index])]);
    line(context, points, ON_VALUES.dark, 3);
    line(context, points, ON_VALUES.light, 1.4);
    for (const index of chosenMarks(trajectory, 60)) this.drawMark(context, index, 1);
    setFont(context, 11, 600);
    for (const [index, text] of [[all[0], "start"], [all[all.length - 1], "end"]]) {
      const [x, y] = [this.px(trajectory.x[index]), this.py(trajectory.y[index])];
      const isRight = x > this.box.left + 0.75 * this.box.width;
      write(context, text, x + (isRight ? -9 : 9), y - 9, { align: isRight ? "right" : "left", color: ON_VALUES.light, halo: ON_VALUES.dark });
    }
  }

  /** The color of a dot is that of the true loss, so that a dot that differs from its ground tells of a loss off the plane. */
  drawMark(context, index, size) {
    const { relief } = this;
    const { x, y, loss, off } = relief.view.trajectory;
    const place = relief.isLoss ? relief.scale.place(loss[index]) : NaN;
    const at = [this.px(x[index]), this.py(y[index])];
    const radius = size * dotRadius(off[index]);
    const inside = Number.isNaN(place) ? ON_VALUES.dark : css(paletteColor(place));
    dot(context, at, radius + 0.8, { outside: ON_VALUES.dark, width: 2.6 });
    dot(context, at, radius, { inside, outside: ON_VALUES.light, width: 1.3 });
  }

  drawAxes(context) {
    const { box } = this;
    const { view } = this.relief;
    setFont(context, 11);
    context.strokeStyle = theme.axis;
    context.lineWidth = 1;
    context.strokeRect(box.left - 0.5, box.top - 0.5, box.width + 1, box.height + 1);
    for (const tick of linearTicks(this.xBorders[0], this.xBorders[this.xBorders.length - 1], 5)) {
      const x = this.px(tick);
      line(context, [[x, box.top + box.height], [x, box.top + box.height + 4]], theme.axis);
      write(context, short(tick, 3), x, box.top + box.height + 13, { align: "center" });
    }
    for (const tick of linearTicks(this.yBorders[0], this.yBorders[this.yBorders.length - 1], 5)) {
      const y = this.py(tick);
      line(context, [[box.left - 4, y], [box.left, y]], theme.axis);
      write(context, short(tick, 3), box.left - 7, y, { align: "right" });
    }
    setFont(context, 12);
    const room = box.width + 20;
    write(context, fitted(context, view.labels[0], room), box.left + box.width / 2, box.top + box.height + 30, { align: "center", color: theme.ink, width: room });
    context.save();
    context.translate(8, box.top + box.height / 2);
    context.rotate(-Math.PI / 2);
    write(context, fitted(context, view.labels[1], box.height + 10), 0, 0, { align: "center", color: theme.ink, width: box.height + 10 });
    context.restore();
  }

  // ---- Marks --------------------------------------------------------------------------------------------------------

  drawMarks(context) {
    const { relief, box, cell } = this;
    if (this.mark !== null && isNumber(relief.view.trajectory.x[this.mark])) this.drawMark(context, this.mark, 1.8);
    if (cell === null) return;
    const [x, y] = relief.coordinates(cell).map((value, axis) => (axis === 0 ? this.px(value) : this.py(value)));
    for (const [color, width] of [[ON_VALUES.light, 2.5], [ON_VALUES.dark, 1]]) {
      line(context, [[x, box.top], [x, y - 7]], color, width);
      line(context, [[x, y + 7], [x, box.top + box.height]], color, width);
      line(context, [[box.left, y], [x - 7, y]], color, width);
      line(context, [[x + 7, y], [box.left + box.width, y]], color, width);
    }
    dot(context, [x, y], 7, { outside: ON_VALUES.light, width: 2.5 });
    dot(context, [x, y], 7, { outside: ON_VALUES.dark });
  }

  // ---- Pointer and keys -----------------------------------------------------------------------------------------------

  cellAt([px, py]) {
    const { box } = this;
    if (px < box.left || py < box.top || px >= box.left + box.width || py >= box.top + box.height) return null;
    return this.cellAlong(this.xBorders, this.toX(px)) * this.relief.ny + this.cellAlong(this.yBorders, this.toY(py));
  }

  /** The checkpoint under the pointer. */
  markNear([px, py]) {
    const { trajectory } = this.relief.view;
    let [best, found] = [9 * 9, null];
    trajectory.step.forEach((_, index) => {
      if (!isNumber(trajectory.x[index]) || !isNumber(trajectory.y[index])) return;
      const distance = (this.px(trajectory.x[index]) - px) ** 2 + (this.py(trajectory.y[index]) - py) ** 2;
      if (distance < best) [best, found] = [distance, index];
    });
    return found;
  }

  /** The cross-hair by keys. */
  move(across, up) {
    const { relief } = this;
    const cell = this.cell === null ? Math.floor(relief.nx / 2) * relief.ny + Math.floor(relief.ny / 2) : this.cell;
    const i = Math.max(0, Math.min(relief.nx - 1, Math.floor(cell / relief.ny) + across));
    const j = Math.max(0, Math.min(relief.ny - 1, cell % relief.ny + up));
    this.onPoint(i * relief.ny + j);
  }

  listen() {
    const { canvas } = this;
    const follow = (event) => {
      const point = this.point(event);
      this.onPoint(this.cellAt(point));
      this.onMark(this.markNear(point));
    };
    canvas.addEventListener("pointermove", follow);
    canvas.addEventListener("pointerdown", follow);
    canvas.addEventListener("pointerleave", () => { this.onPoint(null); this.onMark(null); });
    canvas.addEventListener("blur", () => this.onPoint(null));
    const keys = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    canvas.addEventListener("keydown", (event) => {
      if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
      this.move(...keys[event.key]);
      event.preventDefault();
    });
  }
}

/** A color as a pixel of a canvas, on machines whose lowest byte comes first: all that browsers run on. */
function packed([red, green, blue]) {
  return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}

/** What the colors mean, as a strip with numbers. */
class ColorBar extends Picture {
  constructor() {
    super("color-bar", () => 46);
    this.canvas.removeAttribute("tabindex");
    this.value = null;
  }

  show(relief) {
    this.relief = relief;
    const { scale } = relief;
    const kind = { linear: "linear", log: "logarithmic", clip: "cut at the 95th percentile" }[scale.kind];
    this.describe(`Colors from dark at ${short(scale.value(0))} to bright at ${short(scale.value(1))}, ${kind}.`);
    this.redraw();
  }

  drawBase(context) {
    const { scale } = this.relief;
    const [left, width] = [10, Math.min(this.size.width, 560) - 20];
    this.px = (place) => left + width * Math.max(0, Math.min(1, place));
    for (let px = 0; px < width; px += 0.5) {
      context.fillStyle = css(paletteColor(px / width));
      context.fillRect(left + px, 8, 1, 14);
    }
    setFont(context, 11);
    const levels = scale.levels.map((level) => [scale.place(level), level]);
    for (const [place] of levels) line(context, [[this.px(place), 8], [this.px(place), 22]], lineColor(place));
    // The ends first, then what fits between them.
    const ends = scale.span > 0 ? [[0, scale.value(0)], [1, scale.value(1)]] : [[0.5, scale.value(0)]];
    const taken = [];
    for (const [place, value] of [...ends, ...levels]) {
      const text = (place === 1 && scale.isCut ? "≥ " : "") + short(value, 3);
      const half = context.measureText(text).width / 2;
      const x = Math.max(half, Math.min(this.size.width - half, this.px(place)));
      if (taken.some(([from, to]) => x + half + 7 > from && x - half - 7 < to)) continue;
      taken.push([x - half, x + half]);
      line(context, [[this.px(place), 22], [this.px(place), 26]], theme.axis);
      write(context, text, x, 36, { align: "center" });
    }
  }

  drawMarks(context) {
    if (!isNumber(this.value) || !this.px) return;
    const x = this.px(this.value);
    polygon(context, [[x - 5, 0], [x + 5, 0], [x, 7]]);
    context.fillStyle = theme.ink;
    context.fill();
  }
}
