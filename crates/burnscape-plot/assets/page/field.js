// Values on a grid: their scale, lines of equal value, lakes. Cell (i, j) has the index i * ny + j.

/** Where values lie between the lowest and the highest of all fields, from 0 to 1; NaN for those without a place. */
class Scale {
  /** `kind` is "linear", "log" or "clip". */
  constructor(kind, fields) {
    this.kind = kind;
    const all = fields.flatMap((field) => field.values.filter((value) => isNumber(value) && (kind !== "log" || value > 0)));
    all.sort((a, b) => a - b);
    const [first, last] = [all[0], all[all.length - 1]];
    this.isEmpty = all.length === 0;
    this.low = this.toLine(this.isEmpty ? 1 : first);
    this.high = this.toLine(this.isEmpty ? 1 : kind === "clip" ? all[Math.floor(0.95 * (all.length - 1))] : last);
    this.isCut = kind === "clip" && this.high < last;
    const span = this.high - this.low;
    // A constant field is in the middle.
    this.span = span > 0 ? span : 0;
    this.levels = this.ticks(9).filter((level) => this.placeUncut(level) > 1e-6 && this.placeUncut(level) < 1 - 1e-6);
  }

  toLine(value) {
    return this.kind === "log" ? Math.log10(value) : value;
  }

  ticks(count) {
    const ticks = this.kind === "log" ? logTicks : linearTicks;
    return ticks(this.low, this.high, count);
  }

  placeUncut(value) {
    if (!isNumber(value) || (this.kind === "log" && value <= 0)) return NaN;
    return this.span > 0 ? (this.toLine(value) - this.low) / this.span : 0.5;
  }

  place(value) {
    return this.kind === "clip" ? Math.min(1, this.placeUncut(value)) : this.placeUncut(value);
  }

  value(place) {
    const line = this.low + place * this.span;
    return this.kind === "log" ? 10 ** line : line;
  }
}

/** A field on the scale that is on: what surface and map draw. */
class Relief {
  constructor(view, field, scale) {
    Object.assign(this, { view, field, scale });
    this.nx = view.x.length;
    this.ny = view.y.length;
    this.places = Float64Array.from(field.values, (value) => scale.place(value));
    this.nan = new Set(field.nan);
    this.inf = new Set(field.inf);
    this.hidden = field.values.filter((value) => isNumber(value) && scale.kind === "log" && value <= 0).length;
  }

  at(i, j) {
    return this.places[i * this.ny + j];
  }

  /** The place at coordinates between the cells; NaN outside of the grid. */
  between(x, y) {
    const { x: xs, y: ys } = this.view;
    const [i, j] = [lastAtMost(xs, x), lastAtMost(ys, y)];
    if (i < 0 || j < 0 || x > xs[this.nx - 1] || y > ys[this.ny - 1]) return NaN;
    const [i1, j1] = [Math.min(i + 1, this.nx - 1), Math.min(j + 1, this.ny - 1)];
    const a = i1 > i ? (x - xs[i]) / (xs[i1] - xs[i]) : 0;
    const b = j1 > j ? (y - ys[j]) / (ys[j1] - ys[j]) : 0;
    const low = (1 - b) * this.at(i, j) + b * this.at(i, j1);
    return a === 0 ? low : (1 - a) * low + a * ((1 - b) * this.at(i1, j) + b * this.at(i1, j1));
  }

  /** The lowest and the highest cell, or null. */
  extremes() {
    let [low, high] = [-1, -1];
    this.field.values.forEach((value, index) => {
      if (!isNumber(value)) return;
      if (low < 0 || value < this.field.values[low]) low = index;
      if (high < 0 || value > this.field.values[high]) high = index;
    });
    return low < 0 ? null : { low, high };
  }

  /** Where cell `index` is. */
  coordinates(index) {
    return [this.view.x[Math.floor(index / this.ny)], this.view.y[index % this.ny]];
  }

  /** The lakes: connected sets of cells at or below `level`, neighbors by side or corner. */
  lakes(level) {
    const { nx, ny, places } = this;
    const label = new Int32Array(nx * ny).fill(-1);
    const lakes = [];
    const stack = [];
    for (let start = 0; start < places.length; start += 1) {
      if (label[start] >= 0 || !(places[start] <= level)) continue;
      const lake = { deepest: start, cells: 0 };
      label[start] = lakes.length;
      stack.push(start);
      while (stack.length > 0) {
        const cell = stack.pop();
        lake.cells += 1;
        if (places[cell] < places[lake.deepest]) lake.deepest = cell;
        const [i, j] = [Math.floor(cell / ny), cell % ny];
        for (let a = Math.max(0, i - 1); a <= Math.min(nx - 1, i + 1); a += 1) {
          for (let b = Math.max(0, j - 1); b <= Math.min(ny - 1, j + 1); b += 1) {
            const next = a * ny + b;
            if (label[next] < 0 && places[next] <= level) {
              label[next] = lakes.length;
              stack.push(next);
            }
          }
        }
      }
      lakes.push(lake);
    }
    return lakes;
  }
}

// The corners of a quad in turn, (0, 0), (1, 0), (1, 1), (0, 1), and the edges between them.
const CORNERS = [[0, 0], [1, 0], [1, 1], [0, 1]];

/** Where the level crosses the edge from corner `from` to the next one, in parts of the quad. */
function crossing(heights, from, level) {
  const to = (from + 1) % 4;
  const share = (level - heights[from]) / (heights[to] - heights[from]);
  const [a, b] = [CORNERS[from], CORNERS[to]];
  return [a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1])];
}

/** The line of equal height in a quad: pairs of points. Low corners at a saddle are joined, as lakes are. */
function quadLines(heights, level) {
  const isLow = heights.map((height) => height <= level);
  const edges = [0, 1, 2, 3].filter((edge) => isLow[edge] !== isLow[(edge + 1) % 4]);
  if (edges.length === 0) return [];
  const points = edges.map((edge) => crossing(heights, edge, level));
  if (edges.length === 2) return [[points[0], points[1]]];
  // Lines around the two high corners.
  return isLow[0] ? [[points[0], points[1]], [points[2], points[3]]] : [[points[3], points[0]], [points[1], points[2]]];
}

/** The part of a quad that is at or below the level, as a polygon; null if none is. */
function quadBelow(heights, level) {
  const polygon = [];
  for (let corner = 0; corner < 4; corner += 1) {
    const next = (corner + 1) % 4;
    if (heights[corner] <= level) polygon.push(CORNERS[corner]);
    if ((heights[corner] <= level) !== (heights[next] <= level)) polygon.push(crossing(heights, corner, level));
  }
  return polygon.length > 2 ? polygon : null;
}

/** All lines of equal value at `level`, in indices of cells: [i, j, i, j]. */
function isolines(relief, level) {
  const lines = [];
  for (let i = 0; i + 1 < relief.nx; i += 1) {
    for (let j = 0; j + 1 < relief.ny; j += 1) {
      const heights = CORNERS.map(([a, b]) => relief.at(i + a, j + b));
      if (heights.some(Number.isNaN)) continue;
      for (const [from, to] of quadLines(heights, level)) {
        lines.push([i + from[0], j + from[1], i + to[0], j + to[1]]);
      }
    }
  }
  return lines;
}
