// The surface: quads from far to near, seen from a distance (no perspective), so that their order is that of the grid.

const MOST_QUADS = 10000;
const MOST_QUADS_WHILE_TURNING = 2600;

class Surface extends Picture {
  constructor() {
    super("surface", (width) => Math.max(240, Math.min(560, (width < 480 ? 0.86 : 0.68) * width)));
    this.isTurning = false;
    this.cell = null;
    this.mark = null;
    this.onPoint = () => {};
    this.listen();
  }

  /** Shows a relief, with water up to `water` (a place, or null). */
  show(relief, water) {
    this.water = water;
    const isFirst = !this.relief || this.relief.view !== relief.view;
    this.relief = relief;
    if (isFirst) this.look();
    this.redraw();
  }

  /** The first view: the one that hides least of the training run and of the low cells, and has the higher side behind. */
  look() {
    const { relief } = this;
    const { trajectory } = relief.view;
    const low = Array.from(relief.places.keys()).filter((index) => relief.places[index] < 0.2);
    const stride = Math.max(1, Math.floor(low.length / 60));
    const points = [
      ...chosenMarks(trajectory, 40).map((index) => [trajectory.x[index], trajectory.y[index]]),
      ...low.filter((_, index) => index % stride === 0).map((index) => relief.coordinates(index)),
    ];
    let [best, camera] = [-Infinity, null];
    for (const turn of [35, -35, 145, 215, 62, -62, 118, 242]) {
      this.camera = { turn, tilt: 44, zoom: 1 };
      this.prepare();
      const seen = points.filter(([x, y]) => {
        const place = relief.between(x, y);
        return !Number.isNaN(place) && !this.isBehind(this.left(x), this.fore(y), place);
      }).length / Math.max(1, points.length);
      const score = seen + 0.2 * this.riseBehind();
      if (score > best + 1e-9) [best, camera] = [score, this.camera];
    }
    this.camera = camera;
  }

  /** How much higher the far corner is than the near one. */
  riseBehind() {
    const { relief } = this;
    const corner = (sign) => {
      const [i, j] = [sign * this.sin > 0 ? relief.nx - 1 : 0, sign * this.cos > 0 ? relief.ny - 1 : 0];
      return relief.at(i, j) || 0;
    };
    return corner(1) - corner(-1);
  }

  // ---- Projection -------------------------------------------------------------------------------------------------

  prepare() {
    const { relief, size } = this;
    const { x, y, trajectory } = relief.view;
    const [sx, sy] = [x[x.length - 1] - x[0] || 1, y[y.length - 1] - y[0] || 1];
    const ratio = Math.max(0.5, Math.min(2, sx / sy));
    const [ax, ay] = [Math.min(1, ratio), Math.min(1, 1 / ratio)];
    const heights = relief.isLoss ? [...trajectory.loss, ...trajectory.plane].map((loss) => relief.scale.place(loss)) : [];
    // Losses off the plane may be far below the picture.
    const known = heights.filter((height) => !Number.isNaN(height));
    this.bottom = Math.max(-0.5, known.reduce((a, b) => Math.min(a, b), 0));
    this.top = Math.min(1.4, known.reduce((a, b) => Math.max(a, b), 1));
    const angle = this.camera.turn * Math.PI / 180;
    const tilt = this.camera.tilt * Math.PI / 180;
    this.sin = Math.sin(angle);
    this.cos = Math.cos(angle);
    this.rise = Math.cos(tilt);
    this.lean = Math.sin(tilt);
    this.left = (value) => ax * ((value - x[0]) / sx - 0.5);
    this.fore = (value) => ay * ((value - y[0]) / sy - 0.5);
    this.half = [ax / 2, ay / 2];
    this.tall = 0.55 / (this.top - this.bottom);
    const diagonal = Math.hypot(ax, ay);
    const room = { width: size.width - (size.width < 480 ? 84 : 110), height: size.height - 64 };
    this.unit = this.camera.zoom * Math.min(room.width / diagonal, room.height / (diagonal * this.lean + 0.55 * this.rise));
    this.center = [size.width / 2 + 8, size.height / 2 + 0.5 * this.unit * 0.55 * this.rise - 6];
  }

  /** A point of the box on the canvas; `place` is a height from 0 to 1. */
  project(u, v, place) {
    const across = u * this.cos - v * this.sin;
    const depth = u * this.sin + v * this.cos;
    const height = (place - this.bottom) * this.tall;
    return [
      this.center[0] + this.unit * across,
      this.center[1] - this.unit * (depth * this.lean + height * this.rise),
    ];
  }

  depth(u, v) {
    return u * this.sin + v * this.cos;
  }

  // ---- Drawing ----------------------------------------------------------------------------------------------------

  drawBase(context) {
    const { relief } = this;
    this.prepare();
    if (relief.nx < 2 || relief.ny < 2) {
      setFont(context, 13);
      write(context, "A surface needs two points in each direction.", this.size.width / 2, this.size.height / 2, { align: "center" });
      return;
    }
    this.drawFloor(context);
    this.drawQuads(context);
    this.drawAxes(context);
    this.drawTrajectory(context);
  }

  drawFloor(context) {
    const [a, b] = this.half;
    polygon(context, CORNERS.map(([p, q]) => this.project((2 * p - 1) * a, (2 * q - 1) * b, this.bottom)));
    context.strokeStyle = theme.grid;
    context.lineWidth = 1;
    context.stroke();
    // The walls behind, at the heights of the lines.
    const back = [this.sin > 0 ? a : -a, this.cos > 0 ? b : -b];
    for (const level of [this.bottom, ...this.ticks().map(([place]) => place), this.top]) {
      line(context, [this.project(back[0], -b, level), this.project(back[0], b, level)], theme.grid);
      line(context, [this.project(-a, back[1], level), this.project(a, back[1], level)], theme.grid);
    }
    for (const [u, v] of [[back[0], -b], [back[0], b], [-a, back[1]], [a, back[1]]]) {
      line(context, [this.project(u, v, this.bottom), this.project(u, v, this.top)], theme.grid);
    }
  }

  /** Indices along an axis: every `stride`th and the last. */
  steps(count, stride, isReversed) {
    const steps = [];
    for (let index = 0; index < count - 1; index += stride) steps.push(index);
    steps.push(count - 1);
    return isReversed ? steps.reverse() : steps;
  }

  drawQuads(context) {
    const { relief } = this;
    this.lines = relief.scale.levels.map((level) => relief.scale.place(level)).map((place) => [place, lineColor(place)]);
    const most = this.isTurning ? MOST_QUADS_WHILE_TURNING : MOST_QUADS;
    const stride = Math.max(1, Math.ceil(Math.sqrt((relief.nx - 1) * (relief.ny - 1) / most)));
    // From far to near.
    const is = this.steps(relief.nx, stride, this.sin > 0);
    const js = this.steps(relief.ny, stride, this.cos > 0);
    const us = relief.view.x.map(this.left);
    const vs = relief.view.y.map(this.fore);
    // Lines come a row later than their quads, or the next quads would cover half of them.
    let waiting = [];
    for (let a = 0; a + 1 < is.length; a += 1) {
      const [i0, i1] = [Math.min(is[a], is[a + 1]), Math.max(is[a], is[a + 1])];
      const row = [];
      for (let b = 0; b + 1 < js.length; b += 1) {
        const [j0, j1] = [Math.min(js[b], js[b + 1]), Math.max(js[b], js[b + 1])];
        row.push(this.drawQuad(context, [us[i0], us[i1]], [vs[j0], vs[j1]], [[i0, j0], [i1, j0], [i1, j1], [i0, j1]]));
      }
      for (const lines of waiting) if (lines) lines();
      waiting = row;
    }
    for (const lines of waiting) if (lines) lines();
  }

  /** Draws a quad with its water. Gives back what draws its lines; null if it is seen from below. */
  drawQuad(context, us, vs, cells) {
    const { relief, water } = this;
    const heights = cells.map(([i, j]) => relief.at(i, j));
    const point = ([p, q], place) => this.project(us[0] + p * (us[1] - us[0]), vs[0] + q * (vs[1] - vs[0]), place);
    if (heights.some(Number.isNaN)) {
      // A hole; its gray floor says that something is missing.
      this.fill(context, CORNERS.map((corner) => point(corner, this.bottom)), theme.gray);
      return null;
    }
    const mean = (heights[0] + heights[1] + heights[2] + heights[3]) / 4;
    const color = this.shaded(paletteColor(mean), us, vs, heights);
    const points = CORNERS.map((corner, index) => point(corner, heights[index]));
    this.fill(context, points, css(color));
    const [low, high] = [Math.min(...heights), Math.max(...heights)];
    const below = water !== null && low <= water ? quadBelow(heights, water) : null;
    if (below) this.fill(context, below.map((corner) => point(corner, water)), css(flooded(paletteColor(mean))));
    if (!this.isSeenFromAbove(points)) return null;
    return () => {
      const draw = (level, ink, width) => {
        for (const [from, to] of quadLines(heights, level)) line(context, [point(from, level), point(to, level)], ink, width);
      };
      for (const [level, ink] of this.lines) {
        if (level > low && level <= high && !(water !== null && level < water)) draw(level, ink, 0.9);
      }
      if (below && high > water) draw(water, theme.shore, 1.8);
    };
  }

  /** The stroke covers the hairs between neighbors. */
  fill(context, points, color) {
    polygon(context, points);
    context.fillStyle = color;
    context.fill();
    context.strokeStyle = color;
    context.lineWidth = 1.2;
    context.stroke();
  }

  isSeenFromAbove([a, b, c]) {
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]) < 0;
  }

  /** Light from above, left and behind the reader. */
  shaded([red, green, blue], us, vs, heights) {
    const dx = (heights[1] + heights[2] - heights[0] - heights[3]) / 2 * this.tall / (us[1] - us[0]);
    const dy = (heights[2] + heights[3] - heights[0] - heights[1]) / 2 * this.tall / (vs[1] - vs[0]);
    const across = dx * this.cos - dy * this.sin;
    const away = dx * this.sin + dy * this.cos;
    const light = (0.5 * across + 0.25 * away + 0.83) / Math.hypot(across, away, 1);
    const factor = 0.72 + 0.34 * Math.max(0, light);
    return [red, green, blue].map((channel) => Math.round(Math.min(255, channel * factor)));
  }

  // ---- Axes -------------------------------------------------------------------------------------------------------

  /** Heights with their texts. */
  ticks() {
    const { scale } = this.relief;
    return (scale.kind === "log" ? scale.levels : scale.ticks(5))
      .map((value) => [scale.placeUncut(value), value])
      .filter(([place]) => place > -0.001 && place < 1.001);
  }

  drawAxes(context) {
    const { view } = this.relief;
    const [a, b] = this.half;
    const isSmall = this.size.width < 480;
    setFont(context, isSmall ? 10.5 : 11.5);
    // The two edges of the floor that face the reader.
    const [front, side] = [this.cos > 0 ? -b : b, this.sin > 0 ? -a : a];
    const count = isSmall ? 3 : 5;
    this.texts = [];
    this.drawEdge(context, view.labels[0], linearTicks(view.x[0], view.x[view.x.length - 1], count),
      (value) => [this.left(value), front], [[-a, front], [a, front]]);
    this.drawEdge(context, view.labels[1], linearTicks(view.y[0], view.y[view.y.length - 1], count),
      (value) => [side, this.fore(value)], [[side, -b], [side, b]]);
    this.drawHeights(context);
  }

  drawEdge(context, label, ticks, place, ends) {
    const [from, to] = ends.map(([u, v]) => this.project(u, v, this.bottom));
    const middle = [(from[0] + to[0]) / 2, (from[1] + to[1]) / 2];
    const center = this.project(0, 0, this.bottom);
    let out = [-(to[1] - from[1]), to[0] - from[0]];
    const length = Math.hypot(...out) || 1;
    const sign = out[0] * (middle[0] - center[0]) + out[1] * (middle[1] - center[1]) < 0 ? -1 : 1;
    out = out.map((part) => sign * part / length);
    line(context, [from, to], theme.axis);
    if (length < 40) return;
    let widest = 0;
    for (const tick of ticks) {
      const [x, y] = this.project(...place(tick), this.bottom);
      line(context, [[x, y], [x + 4 * out[0], y + 4 * out[1]]], theme.axis);
      const text = short(tick, 3);
      const width = context.measureText(text).width;
      widest = Math.max(widest, width);
      const [tx, ty] = [x + (7 + width / 2) * out[0], y + (7 + 6) * out[1]];
      // The edges meet in a corner, and their last ticks would too.
      if (this.texts.some(([ox, oy, other]) => Math.abs(ox - tx) < (width + other) / 2 + 4 && Math.abs(oy - ty) < 12)) continue;
      this.texts.push([tx, ty, width]);
      write(context, text, tx, ty, { align: "center" });
    }
    // Along the edge, and not upside down.
    let angle = Math.atan2(to[1] - from[1], to[0] - from[0]);
    if (Math.abs(angle) > Math.PI / 2) angle += Math.PI;
    context.save();
    const away = 16 + Math.abs(out[0]) * widest + Math.abs(out[1]) * 14;
    context.translate(middle[0] + away * out[0], middle[1] + away * out[1]);
    context.rotate(angle);
    const room = length + 30;
    write(context, fitted(context, label, room), 0, 0, { align: "center", color: theme.ink, width: room });
    context.restore();
  }

  drawHeights(context) {
    const [a, b] = this.half;
    const corners = CORNERS.map(([p, q]) => [(2 * p - 1) * a, (2 * q - 1) * b]);
    const leftmost = corners.reduce((best, corner) => (
      this.project(...corner, 0)[0] < this.project(...best, 0)[0] ? corner : best));
    line(context, [this.project(...leftmost, this.bottom), this.project(...leftmost, this.top)], theme.axis);
    let last = Infinity;
    for (const [place, value] of this.ticks()) {
      const [x, y] = this.project(...leftmost, place);
      line(context, [[x, y], [x - 4, y]], theme.axis);
      if (last - y < 12) continue;
      last = y;
      write(context, short(value, 3), x - 7, y, { align: "right" });
    }
    const [x, y] = this.project(...leftmost, this.top);
    write(context, this.relief.field.name, Math.max(4, x - 44), y - 14, { color: theme.ink, width: 160 });
  }

  // ---- The training run ---------------------------------------------------------------------------------------------

  /** Where a checkpoint is: on the plane, and at its own loss. */
  markAt(index) {
    const { relief } = this;
    const { x, y, loss, plane } = relief.view.trajectory;
    const [u, v] = [this.left(x[index]), this.fore(y[index])];
    const ground = relief.between(x[index], y[index]);
    const onPlane = relief.isLoss && isNumber(plane[index]) ? relief.scale.place(plane[index]) : ground;
    const place = Number.isNaN(onPlane) ? ground : onPlane;
    const truth = relief.isLoss ? relief.scale.place(loss[index]) : NaN;
    const within = (height) => Math.max(this.bottom, Math.min(this.top, height));
    if (Number.isNaN(place) || Math.abs(u) > this.half[0] + 1e-6 || Math.abs(v) > this.half[1] + 1e-6) return null;
    return {
      plane: this.project(u, v, within(place)),
      truth: Number.isNaN(truth) ? null : this.project(u, v, within(truth)),
      color: Number.isNaN(truth) ? null : css(paletteColor(truth)),
      isHidden: this.isBehind(u, v, place),
    };
  }

  /** Whether the surface stands between the point and the reader. */
  isBehind(u, v, place) {
    const { relief } = this;
    const { x, y } = relief.view;
    const slope = this.lean / this.rise / this.tall;
    const [a, b] = this.half;
    for (let step = 1; step <= 40; step += 1) {
      const distance = 0.03 * step;
      const [nu, nv] = [u - distance * this.sin, v - distance * this.cos];
      if (Math.abs(nu) > a || Math.abs(nv) > b) return false;
      const height = relief.between(
        x[0] + (nu / a + 1) / 2 * (x[x.length - 1] - x[0]), y[0] + (nv / b + 1) / 2 * (y[y.length - 1] - y[0]));
      if (height > place + distance * slope + 0.02) return true;
    }
    return false;
  }

  drawTrajectory(context) {
    const { trajectory } = this.relief.view;
    if (trajectory.step.length === 0) return;
    const all = chosenMarks(trajectory, 400).map((index) => this.markAt(index));
    for (const [color, width] of [[ON_VALUES.dark, 3], [ON_VALUES.light, 1.4]]) {
      for (let index = 0; index + 1 < all.length; index += 1) {
        const [from, to] = [all[index], all[index + 1]];
        if (!from || !to) continue;
        context.globalAlpha = from.isHidden || to.isHidden ? 0.16 : 0.9;
        line(context, [from.plane, to.plane], color, width);
      }
    }
    const chosen = chosenMarks(trajectory, this.size.width < 480 ? 24 : 40);
    for (const index of chosen) this.drawMark(context, index, 1);
    context.globalAlpha = 1;
  }

  drawMark(context, index, size) {
    const mark = this.markAt(index);
    if (!mark) return;
    const radius = size * dotRadius(this.relief.view.trajectory.off[index]);
    context.globalAlpha = mark.isHidden && size === 1 ? 0.3 : 1;
    if (mark.truth) {
      line(context, [mark.plane, mark.truth], theme.ink, size);
      dot(context, mark.truth, radius, { inside: mark.color, outside: theme.ink, width: 1.2 });
    }
    dot(context, mark.plane, radius, { inside: css(channels(ON_VALUES.dark), 0.35), outside: ON_VALUES.light, width: 1.6 });
  }

  // ---- Marks --------------------------------------------------------------------------------------------------------

  drawMarks(context) {
    const { relief, cell } = this;
    if (relief.nx < 2 || relief.ny < 2) return;
    if (isNumber(this.mark)) {
      this.drawMark(context, this.mark, 1.7);
      context.globalAlpha = 1;
    }
    if (cell === null || Number.isNaN(relief.places[cell])) return;
    const [x, y] = relief.coordinates(cell);
    const [u, v] = [this.left(x), this.fore(y)];
    const tip = this.project(u, v, relief.places[cell]);
    for (const [color, width] of [[ON_VALUES.light, 3], [ON_VALUES.dark, 1.2]]) {
      line(context, [this.project(u, v, this.bottom), tip], color, width);
    }
    dot(context, tip, 4.5, { inside: css(paletteColor(relief.places[cell])), outside: ON_VALUES.light, width: 2 });
    dot(context, tip, 6, { outside: ON_VALUES.dark });
  }

  /** The cell whose point is nearest to a point of the canvas, and in front if several are. */
  pick([px, py]) {
    const { relief } = this;
    let [best, found] = [14 * 14, null];
    for (let index = 0; index < relief.places.length; index += 1) {
      const place = relief.places[index];
      if (Number.isNaN(place)) continue;
      const [x, y] = relief.coordinates(index);
      const [u, v] = [this.left(x), this.fore(y)];
      const [sx, sy] = this.project(u, v, place);
      const distance = (sx - px) ** 2 + (sy - py) ** 2 + 40 * this.depth(u, v);
      if (distance < best) [best, found] = [distance, index];
    }
    return found;
  }

  // ---- Pointer and keys -----------------------------------------------------------------------------------------------

  turn(across, up) {
    this.camera.turn = (this.camera.turn + across) % 360;
    this.camera.tilt = Math.max(6, Math.min(89, this.camera.tilt + up));
    this.redrawSoon();
  }

  zoom(factor) {
    const before = this.camera.zoom;
    this.camera.zoom = Math.max(0.6, Math.min(6, before * factor));
    this.redrawSoon();
    return this.camera.zoom !== before;
  }

  reset() {
    this.look();
    this.redraw();
  }

  listen() {
    const { canvas } = this;
    let last = null;
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      last = [event.clientX, event.clientY];
      canvas.setPointerCapture(event.pointerId);
      this.isTurning = true;
      this.onPoint(null);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!last) {
        this.onPoint(this.pick(this.point(event)));
        return;
      }
      this.turn(0.45 * (event.clientX - last[0]), event.pointerType === "touch" ? 0 : 0.35 * (event.clientY - last[1]));
      last = [event.clientX, event.clientY];
    });
    const end = () => {
      if (!last) return;
      last = null;
      this.isTurning = false;
      this.redrawSoon();
    };
    for (const name of ["pointerup", "pointercancel", "lostpointercapture"]) canvas.addEventListener(name, end);
    canvas.addEventListener("pointerleave", () => { if (!last) this.onPoint(null); });
    // The wheel scrolls the page until the surface has the focus.
    canvas.addEventListener("wheel", (event) => {
      if (document.activeElement !== canvas && !event.ctrlKey) return;
      if (this.zoom(Math.exp(-0.0015 * event.deltaY))) event.preventDefault();
    }, { passive: false });
    const keys = {
      ArrowLeft: () => this.turn(-6, 0), ArrowRight: () => this.turn(6, 0),
      ArrowUp: () => this.turn(0, -4), ArrowDown: () => this.turn(0, 4),
      "+": () => this.zoom(1.15), "=": () => this.zoom(1.15), "-": () => this.zoom(1 / 1.15), Home: () => this.reset(),
    };
    canvas.addEventListener("keydown", (event) => {
      if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
      keys[event.key]();
      event.preventDefault();
    });
  }
}
