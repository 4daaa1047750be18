// A panel of landscapes: which one, which values, on which scale, and how high the water stands.

class Landscapes {
  constructor(panel, content) {
    this.views = panel.views;
    this.view = this.views[0];
    this.fieldIndex = 0;
    this.kind = this.view.log ? "log" : "linear";
    /** From 0, dry, to 1. */
    this.water = 0;
    this.surface = new Surface();
    this.plan = new Plan();
    this.bar = new ColorBar();
    this.build(content);
    this.listen();
    this.update();
  }

  // ---- Elements -----------------------------------------------------------------------------------------------------

  build(content) {
    this.readout = element("p", { class: "readout" });
    this.state = element("p", { class: "state" });
    this.notes = element("ul", { class: "notes" });
    this.legend = element("div", { class: "marks" });
    this.slider = slider("Water level", 0, (value) => this.pour(value));
    const reset = element("button", { type: "button", class: "reset", onclick: () => this.surface.reset() }, "Reset view");
    content.append(
      this.buildTools(),
      element("div", { class: "landscape" },
        element("figure", { class: "left" },
          element("div", { class: "above" }, this.state, reset),
          element("div", { class: "fit" }, this.surface.canvas),
          this.slider.row,
          element("p", { class: "hint" }, "Drag the surface to turn it, or use the arrow keys. After a click on it, the wheel or + and − zoom."),
          this.legend),
        element("figure", { class: "right" },
          element("div", { class: "above" }, element("p", { class: "state" }, "The same from above")),
          element("div", { class: "fit" }, this.plan.canvas),
          element("div", { class: "fit" }, this.bar.canvas),
          this.readout, this.notes)));
  }

  buildTools() {
    const tools = element("div", { class: "tools" });
    if (this.views.length > 1) {
      const names = this.views.map((view, index) => [index, cut(view.name || `Landscape ${index + 1}`, 60), view.name]);
      this.viewChoice = choice("Landscape", names, 0, (index) => this.choose({ view: this.views[index] }));
      this.viewChoice.group.classList.add("views");
      tools.append(this.viewChoice.group);
    }
    const most = Math.max(...this.views.map((view) => view.fields.length));
    if (most > 1) {
      const longest = this.views.find((view) => view.fields.length === most);
      const names = longest.fields.map((field, index) => [index, cut(field.name, 40), field.name]);
      this.fieldChoice = choice("Values", names, 0, (fieldIndex) => this.choose({ fieldIndex }));
      tools.append(this.fieldChoice.group);
    }
    this.kindChoice = choice("Scale", [
      ["linear", "linear", "Equal differences are equally high"],
      ["log", "log", "Equal ratios are equally high"],
      ["clip", "clipped", "Linear, and the highest 5 % of the cells cut off"],
    ], this.kind, (kind) => this.choose({ kind }));
    tools.append(this.kindChoice.group);
    return tools;
  }

  // ---- State --------------------------------------------------------------------------------------------------------

  choose(change) {
    Object.assign(this, change);
    if (this.fieldIndex >= this.view.fields.length) this.fieldIndex = 0;
    this.update();
  }

  get isLoss() {
    return this.fieldIndex === 0;
  }

  update() {
    const fields = this.views.map((view) => view.fields[this.fieldIndex]).filter(Boolean);
    const hasPositive = fields.some((field) => field.values.some((value) => isNumber(value) && value > 0));
    this.kindChoice.buttons[1].disabled = !hasPositive;
    const kind = this.kind === "log" && !hasPositive ? "linear" : this.kind;
    // One scale for all landscapes.
    this.scale = new Scale(kind, fields);
    this.relief = new Relief(this.view, this.view.fields[this.fieldIndex], this.scale);
    this.relief.isLoss = this.isLoss;
    this.kindChoice.select(kind);
    if (this.viewChoice) this.viewChoice.select(this.views.indexOf(this.view));
    if (this.fieldChoice) this.fieldChoice.select(this.fieldIndex);
    this.say();
    this.show();
  }

  /** The place of the water, or null if all is dry. */
  get level() {
    return this.water > 0 ? this.lowest + this.water * (1 - this.lowest) : null;
  }

  show() {
    const finite = this.relief.places.filter((place) => !Number.isNaN(place));
    // A little below the lowest point, so that the first step of the slider is a puddle.
    this.lowest = finite.length > 0 ? finite.reduce((a, b) => Math.min(a, b)) - 0.002 : 0;
    const level = this.level;
    this.surface.cell = null;
    this.plan.cell = null;
    this.surface.show(this.relief, level);
    this.plan.show(this.relief, level);
    this.bar.show(this.relief);
    this.sayWater(level);
    this.point(null);
  }

  pour(water) {
    this.water = water;
    const level = this.level;
    this.surface.water = level;
    this.plan.water = level;
    this.surface.redrawSoon();
    this.plan.redrawSoon();
    this.sayWater(level);
  }

  // ---- Words --------------------------------------------------------------------------------------------------------

  sayWater(level) {
    const { view } = this;
    const lakes = level === null ? [] : this.relief.lakes(level);
    this.slider.row.dataset.lakes = lakes.length;
    if (level === null) {
      this.slider.say("dry: raise it to count the wells");
    } else {
      const share = lakes.reduce((sum, lake) => sum + lake.cells, 0) / this.relief.places.length;
      this.slider.say(`at ${short(this.scale.value(level), 3)}: ${counted(lakes.length, "lake")} over ${percent(share)} of the cells`);
    }
    if (!this.isLoss) return;
    const unit = branchUnit(view);
    const value = level === null || unit === null ? null : unit(this.scale.value(level));
    tell("water", { branches: view.branches, level: value });
  }

  say() {
    const { relief, scale, view } = this;
    const kind = { linear: "linear scale", log: "logarithmic scale", clip: "linear scale, cut at the 95th percentile" }[scale.kind];
    const name = this.views.length > 1 || view.name ? view.name || `Landscape ${this.views.indexOf(view) + 1}` : "";
    this.state.replaceChildren(
      ...(name ? [element("strong", { dir: "auto", title: name }, cut(name, 60)), ": "] : []),
      element("bdi", {}, cut(relief.field.name, 60)), `, ${kind}`);
    const extremes = relief.extremes();
    const at = (index) => `(${relief.coordinates(index).map((value) => short(value, 3)).join(", ")})`;
    const range = extremes
      ? `Lowest ${short(relief.field.values[extremes.low])} at ${at(extremes.low)}, highest ${short(relief.field.values[extremes.high])} at ${at(extremes.high)}.`
      : "No finite value.";
    const [across, up] = view.labels.map((label) => quoted(label, 80));
    const what = `${name ? `${quoted(name, 60)}: ` : ""}${quoted(relief.field.name, 60)} over ${across} and ${up}, ${kind}. ${range}`;
    this.surface.describe(`Surface. ${what} The arrow keys turn it.`);
    this.plan.describe(`Map. ${what} The arrow keys move a cross-hair.`);
    this.sayNotes();
    this.sayMarks();
  }

  sayNotes() {
    const { relief } = this;
    const note = (swatch, text) => element("li", {}, swatch ? element("span", { class: `swatch ${swatch}`, "aria-hidden": "true" }) : "", text);
    const notes = [];
    if (relief.nan.size > 0) notes.push(note("hatched", `${counted(relief.nan.size, "cell")} not a number`));
    if (relief.inf.size > 0) notes.push(note("gray", `${counted(relief.inf.size, "cell")} infinite`));
    if (relief.hidden > 0) notes.push(note("gray", `${counted(relief.hidden, "cell")} zero or negative: no place on a logarithmic scale`));
    if (this.views.length > 1) notes.push(note(null, `${this.views.length === 2 ? "Both" : `All ${this.views.length}`} landscapes share these colors and heights`));
    notes.push(note(null, `${relief.nx} × ${relief.ny} cells`));
    this.notes.replaceChildren(...notes);
  }

  sayMarks() {
    const { step } = this.view.trajectory;
    const marks = [];
    if (step.length > 0) {
      const key = (draw) => shape("svg", { width: 18, height: 16, "aria-hidden": "true" }, ...draw);
      const entry = (text, ...draw) => marks.push(element("span", {}, key(draw), text));
      entry(`training run, ${counted(step.length, "checkpoint")}`, shape("path", { d: "M1 12L17 4", class: "run" }));
      if (this.isLoss) {
        entry("filled dot: true loss of the network", shape("circle", { cx: 9, cy: 8, r: 4, class: "truth" }));
        entry("hollow dot: loss of the plane there", shape("circle", { cx: 9, cy: 8, r: 4, class: "hollow" }));
      }
      entry("the larger, the farther off this plane", shape("circle", { cx: 4, cy: 8, r: 2.2, class: "truth" }), shape("circle", { cx: 13, cy: 8, r: 4.8, class: "truth" }));
    }
    if (this.isLoss && this.view.branches.some((branch) => branch.resolved !== false && branch.at.length === 2)) {
      marks.push(element("span", {}, shape("svg", { width: 18, height: 16, "aria-hidden": "true" },
        shape("path", { d: "M5 4L13 12M13 4L5 12", class: "cross" })), "lowest point of a well"));
    }
    this.legend.replaceChildren(...marks);
  }

  sayPoint(cell, mark) {
    const { relief, view } = this;
    const value = (number) => (isNumber(number) ? short(number) : "not finite");
    if (mark !== null) {
      const { step, loss, plane, off } = view.trajectory;
      this.readout.textContent = `Step ${step[mark]}: true loss ${value(loss[mark])}, the picture shows ${value(plane[mark])}, ${percent(off[mark] || 0)} off this plane`;
    } else if (cell !== null) {
      const [x, y] = relief.coordinates(cell);
      const what = relief.nan.has(cell) ? "not a number" : relief.inf.has(cell) ? "infinite" : short(relief.field.values[cell]);
      this.readout.textContent = `(${short(x, 3)}, ${short(y, 3)}): ${quoted(relief.field.name, 40)} ${what}`;
    } else {
      this.readout.textContent = "Point at the map or at the surface to read values.";
    }
  }

  // ---- Pointers -----------------------------------------------------------------------------------------------------

  /** The cross-hair is on both pictures and on the colors. */
  point(cell) {
    this.surface.cell = cell;
    this.plan.cell = cell;
    this.bar.value = cell === null ? null : this.relief.places[cell];
    this.sayPoint(cell, this.surface.mark);
    for (const picture of [this.surface, this.plan, this.bar]) picture.refreshSoon();
  }

  mark(index) {
    if (this.surface.mark === index) return;
    this.surface.mark = index;
    this.plan.mark = index;
    this.sayPoint(this.surface.cell, index);
    this.surface.refreshSoon();
    this.plan.refreshSoon();
  }

  listen() {
    this.surface.onPoint = (cell) => { if (cell !== this.surface.cell) this.point(cell); };
    this.plan.onPoint = this.surface.onPoint;
    this.plan.onMark = (index) => {
      if (index === this.surface.mark) return;
      this.mark(index);
      tell("mark", { step: index === null ? null : this.view.trajectory.step[index] });
    };
    on("step", ({ x, low, high }) => {
      const { step } = this.view.trajectory;
      if (step.length === 0) return;
      const [first, last] = [step[0], step[step.length - 1]];
      // An axis that counts these steps, not one along a path.
      const overlap = Math.min(high, last) - Math.max(low, first);
      if (!(overlap >= 0.5 * Math.max(high - low, last - first))) return;
      this.mark(x === null ? null : nearest(step, x));
    });
    on("branch", ({ branches, members }) => {
      const basin = sameBranches(branches, this.view.branches) ? members : null;
      if (basin === this.plan.basin) return;
      this.plan.basin = basin;
      this.plan.redrawSoon();
    });
  }
}

function sameBranches(a, b) {
  return a.length > 0 && a.length === b.length
    && a.every((branch, index) => branch.birth === b[index].birth && branch.death === b[index].death);
}

/** How a value of the landscape becomes one of its branches: as it is, or as its logarithm; null if neither fits. */
function branchUnit(view) {
  const known = view.branches.filter((branch) => isNumber(branch.birth) && branch.at.length === 2);
  const cells = known.map(({ birth, at }) => {
    const cell = nearest(view.x, at[0]) * view.y.length + nearest(view.y, at[1]);
    return [birth, view.fields[0].values[cell]];
  }).filter(([, value]) => isNumber(value));
  if (cells.length === 0) return null;
  const fits = (unit) => cells.every(([birth, value]) => Math.abs(unit(value) - birth) <= 2e-3 * Math.max(1e-3, Math.abs(birth)));
  return [(value) => value, Math.log10].find(fits) || null;
}

/** The landscape that has these branches, with those that share its scale; null if none has. */
function landscapeOf(branches) {
  for (const { views = [] } of data.panels) {
    const view = views.find((it) => sameBranches(it.branches, branches));
    if (view && view.x.length > 1 && view.y.length > 1) return { view, views };
  }
  return null;
}
