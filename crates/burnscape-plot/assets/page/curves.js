// Charts below each other with one horizontal axis, by uPlot.

const CHART_AXIS = 58;

class Curves {
  constructor(panel, content) {
    this.key = `curves-${(lastId += 1)}`;
    const { charts } = panel;
    // Charts above one with the same axis need none of their own.
    const isSame = (a, b) => b !== undefined && a.x.label === b.x.label && a.x.log === b.x.log;
    this.charts = charts.map((chart, index) => new Chart(chart, this, {
      hasAxis: !isSame(chart, charts[index + 1]),
      isAlone: charts.length === 1,
      near: charts.filter((other) => isSame(chart, other)),
    }));
    content.append(...this.charts.map((chart) => chart.element));
    const hint = "Point at a chart to read values; drag across it to enlarge a part, double-click to go back.";
    content.append(element("p", { class: "hint" }, hint));
    this.charts.forEach((chart) => chart.draw());
    on("redraw", () => this.charts.forEach((chart) => chart.draw()));
    on("mark", ({ step }) => this.charts[0].pointAt(step));
  }
}

class Chart {
  /** `near` are the charts with the same horizontal axis, this one among them. */
  constructor(chart, panel, { hasAxis, isAlone, near }) {
    Object.assign(this, { chart, panel, hasAxis, isAlone, near });
    this.isShown = chart.series.map(() => true);
    this.collect();
    this.legend = chart.series.map((series, index) => this.legendEntry(series, index));
    this.place = element("div", { class: "chart", tabindex: 0, role: "img", "aria-label": this.describe() });
    this.place.addEventListener("keydown", (event) => this.key(event));
    this.place.addEventListener("blur", () => this.pointAt(null));
    this.notes = element("ul", { class: "notes" }, ...this.remarks().map((text) => element("li", {}, text)));
    this.element = element("div", { class: "chart-block" },
      element("div", { class: "chart-head" },
        element("span", { class: "axis-name cut", dir: "auto", title: chart.y.label }, chart.y.label),
        element("div", { class: "legend" }, ...this.legend.map(({ button }) => button))),
      this.place, this.notes);
  }

  // ---- Data ---------------------------------------------------------------------------------------------------------

  /** One list of horizontal coordinates for all curves, as uPlot needs it; null is a gap, undefined is joined. */
  collect() {
    const { series, x, y } = this.chart;
    const fits = (value, axis) => isNumber(value) && (!axis.log || value > 0);
    this.left = 0;
    const tables = series.map((one) => {
      const order = one.x.map((_, index) => index).filter((index) => fits(one.x[index], x));
      order.sort((a, b) => one.x[a] - one.x[b]);
      const column = (values) => order.map((index) => (values && fits(values[index], y) ? values[index] : null));
      this.left += one.y.filter((value) => isNumber(value) && y.log && value <= 0).length;
      return [order.map((index) => one.x[index]), column(one.y), column(one.band && one.band[0]), column(one.band && one.band[1])];
    });
    // As wide as the charts above and below.
    const ends = this.near.flatMap((chart) => chart.series.flatMap((one) => one.x.filter((value) => fits(value, x))));
    const [low, high] = [ends.reduce((a, b) => Math.min(a, b)), ends.reduce((a, b) => Math.max(a, b))];
    // A curve, and the ends of its band: three series of uPlot.
    this.data = uPlot.join([...tables, [low === high ? [low] : [low, high]]]);
    this.low = this.data[0][0];
    this.high = this.data[0][this.data[0].length - 1];
  }

  remarks() {
    const { series } = this.chart;
    const above = series.reduce((sum, one) => sum + one.above.length, 0);
    const below = series.reduce((sum, one) => sum + one.below.length, 0);
    const remarks = [];
    if (above > 0) remarks.push(`▲ ${counted(above, "infinite value")}`);
    if (below > 0) remarks.push(`▼ ${counted(below, "value")} at −∞`);
    if (this.left > 0) remarks.push(`${counted(this.left, "value")} zero or negative: no place on a logarithmic scale`);
    return remarks;
  }

  describe() {
    const ends = this.chart.series.slice(0, 6).map(({ name, y }) => {
      const finite = y.filter(isNumber);
      return finite.length > 0 ? `${quoted(name, 60)} from ${short(finite[0], 3)} to ${short(finite[finite.length - 1], 3)}` : `${quoted(name, 60)} nowhere finite`;
    });
    return `${quoted(this.chart.y.label, 80)} over ${quoted(this.chart.x.label, 80)}: ${ends.join("; ")}. The arrow keys move a line.`;
  }

  // ---- Legend -------------------------------------------------------------------------------------------------------

  legendEntry(series, index) {
    const value = element("span", { class: "value" });
    const dash = DASHES[index % DASHES.length].join(" ");
    const sample = shape("svg", { width: 26, height: 10, "aria-hidden": "true" },
      shape("line", { x1: 1, x2: 25, y1: 5, y2: 5, class: `stroke-${index % 6}`, "stroke-dasharray": dash }));
    const button = element("button", { type: "button", "aria-pressed": "true", title: series.name },
      sample, element("span", { class: "cut", dir: "auto" }, series.name), value);
    button.addEventListener("click", () => {
      this.isShown[index] = !this.isShown[index];
      button.setAttribute("aria-pressed", String(this.isShown[index]));
      for (const offset of [1, 2, 3]) this.plot.setSeries(3 * index + offset, { show: this.isShown[index] });
    });
    return { button, value };
  }

  sayValues(x) {
    this.chart.series.forEach((series, index) => {
      const at = x === null ? null : this.valueAt(index, x);
      this.legend[index].value.textContent = at === null ? "" : short(at);
    });
  }

  valueAt(index, x) {
    const [xs, ys] = [this.data[0], this.data[3 * index + 1]];
    const found = this.nearestKnown(ys, nearest(xs, x));
    return found === null ? null : ys[found];
  }

  /** The nearest index with a value. */
  nearestKnown(values, index) {
    for (let distance = 0; distance < values.length; distance += 1) {
      for (const it of [index - distance, index + distance]) {
        if (isNumber(values[it])) return it;
      }
    }
    return null;
  }

  // ---- Drawing ------------------------------------------------------------------------------------------------------

  draw() {
    const width = Math.floor(this.place.clientWidth);
    if (width < 60) return;
    if (this.plot) this.plot.destroy();
    this.plot = new uPlot(this.options(width), this.data, this.place);
    this.isShown.forEach((isShown, index) => {
      if (!isShown) for (const offset of [1, 2, 3]) this.plot.setSeries(3 * index + offset, { show: false });
    });
  }

  options(width) {
    const { chart } = this;
    const tall = !this.isAlone ? 170 : Math.min(320, Math.max(220, 0.4 * width));
    const body = root.classList.contains("printing") ? 0.75 * tall : tall;
    const foot = this.hasAxis ? 46 : 12;
    return {
      width,
      height: Math.round(body + foot),
      padding: [8, 20, this.hasAxis ? 0 : 4, 0],
      legend: { show: false },
      cursor: {
        y: false,
        sync: { key: this.panel.key },
        dataIdx: (plot, series, index) => (series === 0 ? index : this.nearestKnown(plot.data[series], index)),
        points: { size: 7 },
      },
      scales: {
        x: { time: false, distr: chart.x.log ? 3 : 1, range: (_, low, high) => (low === high ? this.padded(low, high, chart.x.log) : [low, high]) },
        y: { distr: chart.y.log ? 3 : 1, range: (_, low, high) => this.verticalRange(low, high) },
      },
      axes: [
        this.axis(chart.x, { show: this.hasAxis, label: cut(chart.x.label, 90), size: 30, labelSize: 18, labelGap: 0, space: 70 }),
        this.axis(chart.y, { size: CHART_AXIS, space: 36 }),
      ],
      series: [{}, ...chart.series.flatMap((series, index) => this.series(series, index))],
      bands: chart.series.flatMap((series, index) => (series.band
        ? [{ series: [3 * index + 3, 3 * index + 2], fill: css(channels(theme.series[index % 6]), 0.16) }] : [])),
      hooks: {
        drawClear: [(plot) => this.drawRegions(plot)],
        draw: [(plot) => this.drawMarks(plot)],
        setCursor: [(plot) => this.follow(plot)],
      },
    };
  }

  axis(axis, options) {
    const { space } = options;
    return {
      stroke: theme.secondary,
      font: `11.5px ${theme.font}`,
      labelFont: `12px ${theme.font}`,
      grid: { stroke: theme.grid, width: 1 },
      ticks: { stroke: theme.grid, width: 1, size: 5 },
      splits: (plot, index, low, high) => {
        const length = (index === 0 ? plot.bbox.width : plot.bbox.height) / devicePixelRatio;
        const count = Math.max(2, length / space);
        return axis.log ? logTicks(Math.log10(low), Math.log10(high), count) : linearTicks(low, high, count);
      },
      filter: (_, splits) => splits,
      values: (_, splits) => tickTexts(splits, 6),
      ...options,
    };
  }

  series(series, index) {
    const color = theme.series[index % 6];
    const end = { stroke: "transparent", width: 0, points: { show: false } };
    return [
      { label: cut(series.name, 60), stroke: color, width: 1.8, dash: DASHES[index % DASHES.length] },
      end,
      end,
    ];
  }

  verticalRange(low, high) {
    const { bracket, y } = this.chart;
    if (bracket) {
      for (const end of [bracket.low, bracket.high].filter((it) => isNumber(it) && (!y.log || it > 0))) {
        low = low === null ? end : Math.min(low, end);
        high = high === null ? end : Math.max(high, end);
      }
    }
    return this.padded(low, high, y.log);
  }

  padded(low, high, isLog) {
    if (!isNumber(low) || !isNumber(high)) return isLog ? [0.1, 1] : [0, 1];
    if (isLog) {
      const pad = Math.max(0.05, 0.06 * Math.log10(high / low));
      return [low * 10 ** -pad, high * 10 ** pad];
    }
    const pad = high > low ? 0.06 * (high - low) : 0.5 * Math.abs(high) || 0.5;
    // A quantity that is never negative does not seem to be.
    return [low >= 0 && low - pad < 0 ? 0 : low - pad, high + pad];
  }

  /** Draws in pixels of the screen inside of the plot. */
  inside(plot, draw) {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    draw(ctx, bbox, devicePixelRatio || 1, (value, axis) => plot.valToPos(value, axis, true));
    ctx.restore();
  }

  drawRegions(plot) {
    this.inside(plot, (context, box, ratio, at) => {
      for (const region of this.chart.regions) {
        if (!isNumber(region.from) || !isNumber(region.to)) continue;
        const [from, to] = [at(region.from, "x"), at(region.to, "x")];
        context.fillStyle = css(channels(theme.axis), 0.13);
        context.fillRect(from, box.top, to - from, box.height);
        context.font = `${11 * ratio}px ${theme.font}`;
        if (to - from < 30 * ratio) continue;
        write(context, region.label, Math.max(from, box.left) + 5 * ratio, box.top + 9 * ratio, { width: to - from - 8 * ratio });
      }
    });
  }

  drawMarks(plot) {
    this.inside(plot, (context, box, ratio, at) => {
      this.chart.series.forEach((series, index) => {
        if (!this.isShown[index]) return;
        context.fillStyle = theme.series[index % 6];
        for (const [points, tip, foot] of [[series.above, 1, 9], [series.below, box.height / ratio - 1, box.height / ratio - 9]]) {
          for (const point of points) {
            const x = at(series.x[point], "x");
            const y = (height) => box.top + height * ratio;
            polygon(context, [[x, y(tip)], [x - 4.5 * ratio, y(foot)], [x + 4.5 * ratio, y(foot)]]);
            context.fill();
          }
        }
      });
      this.drawBracket(context, box, ratio, at);
    });
  }

  drawBracket(context, box, ratio, at) {
    const { bracket, y } = this.chart;
    if (!bracket || ![bracket.at, bracket.low, bracket.high].every(isNumber) || (y.log && bracket.low <= 0)) return;
    const x = at(bracket.at, "x");
    const [low, high] = [at(bracket.low, "y"), at(bracket.high, "y")];
    const width = 1.6 * ratio;
    line(context, [[x, low], [x, high]], theme.ink, width);
    for (const end of [low, high]) line(context, [[x - 6 * ratio, end], [x + 6 * ratio, end]], theme.ink, width);
    context.font = `600 ${12 * ratio}px ${theme.font}`;
    const isRight = x < box.left + 0.6 * box.width;
    context.lineJoin = "round";
    write(context, bracket.label, x + (isRight ? 10 : -10) * ratio, (low + high) / 2,
      { align: isRight ? "left" : "right", color: theme.ink, width: 0.38 * box.width, halo: theme.ground });
  }

  // ---- Pointer and keys ---------------------------------------------------------------------------------------------

  follow(plot) {
    const { idx } = plot.cursor;
    const x = isNumber(idx) ? plot.data[0][idx] : null;
    if (x === this.lastX) return;
    this.lastX = x;
    this.sayValues(x);
    if (this.panel.charts[0] === this) tell("step", { x, low: this.low, high: this.high });
  }

  /** The line at a horizontal coordinate, or away. */
  pointAt(x) {
    if (!this.plot || (x !== null && !(x >= this.low && x <= this.high))) return;
    const left = x === null ? -10 : this.plot.valToPos(x, "x");
    this.plot.setCursor({ left, top: x === null ? -10 : 10 });
  }

  key(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1, PageDown: -10, PageUp: 10 }[event.key];
    if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const xs = this.data[0];
    const now = isNumber(this.plot.cursor.idx) ? this.plot.cursor.idx : step > 0 ? -1 : xs.length;
    this.pointAt(xs[Math.max(0, Math.min(xs.length - 1, now + step))]);
  }
}
