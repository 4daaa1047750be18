// A persistence diagram beside its merge tree, on one vertical scale.

const DIAGRAM = { left: 52, right: 14, top: 46, bottom: 46 };

class Topology {
  constructor(panel, content) {
    this.tree = new Tree(panel.branches);
    this.branches = panel.branches;
    this.near = landscapeOf(this.branches);
    // Logarithms are said as what they are logarithms of.
    this.isLog = this.near !== null && branchUnit(this.near.view) === Math.log10;
    this.quantity = this.near ? quoted(this.near.view.fields[0].name, 24) : "value";
    this.lit = null;
    this.water = null;
    this.threshold = 0;
    this.build(content);
    this.listen();
    this.simplify(0);
  }

  build(content) {
    const part = (title, text) => {
      const place = element("div", { class: "fit drawing-place", tabindex: 0 });
      const figure = element("figure", {}, element("p", { class: "state" }, element("strong", {}, title), text), place);
      return { figure, place };
    };
    this.diagram = part("Persistence diagram", ": deep is far from the line");
    this.picture = part("Merge tree", ": each well up to a deeper one");
    this.slider = slider("Hide wells shallower than", 0, (value) => this.simplify(value));
    this.readout = element("p", { class: "readout", "aria-live": "polite" });
    this.notes = element("ul", { class: "notes" });
    const figures = element("div", { class: "pair" }, this.diagram.figure, this.picture.figure);
    content.append(this.slider.row, figures, this.readout, this.notes);
    this.buildPlan(figures);
  }

  /** The basins on a map, if the page has the landscape. */
  buildPlan(figures) {
    if (!this.near || this.near.view.basins.length === 0) return;
    const { view, views } = this.near;
    const relief = new Relief(view, view.fields[0], new Scale(view.log ? "log" : "linear", views.map((it) => it.fields[0])));
    relief.isLoss = true;
    this.plan = new Plan({ isBare: true });
    this.plan.describe("Map of the wells. The arrow keys move a cross-hair.");
    this.plan.onPoint = (cell) => {
      if (cell === this.plan.cell) return;
      this.plan.cell = cell;
      const owner = cell === null ? undefined : this.owners[view.basins[cell]];
      this.light(owner === undefined ? null : owner);
      this.plan.refreshSoon();
    };
    figures.classList.add("with-plan");
    figures.append(element("figure", {},
      element("p", { class: "state" }, element("strong", {}, "Basins"), ": what drains into a well"),
      element("div", { class: "fit" }, this.plan.canvas)));
    this.plan.show(relief, null);
  }

  /** `place` is the place of the slider: finer near zero. */
  simplify(place) {
    this.threshold = this.tree.longest * place * place * 1.02;
    this.owners = this.tree.owners(this.threshold);
    this.kept = this.tree.drawn(this.owners);
    const { wells, unresolved } = this.tree.count(this.threshold);
    const more = unresolved > 0 ? `; ${unresolved} more that the grid does not resolve ${unresolved === 1 ? "is" : "are"} not counted` : "";
    this.slider.row.dataset.wells = wells;
    this.slider.say(`${this.threshold > 0 ? this.depthText(this.threshold) : "none hidden"}: ${counted(wells, "well")}${more}`);
    this.draw();
  }

  // ---- Drawing ------------------------------------------------------------------------------------------------------

  draw() {
    const { tree } = this;
    const span = tree.high - tree.low || Math.abs(tree.high) || 1;
    const [low, high] = [tree.low - 0.06 * span, tree.high + 0.06 * span];
    const { top, bottom } = DIAGRAM;
    const height = root.classList.contains("printing") ? 300 : 400;
    this.height = height;
    this.range = [low, high];
    this.y = (value) => top + (height - top - bottom) * (high - value) / (high - low);
    this.colors = new Map();
    // The wells that count have colors of their own, in both drawings.
    this.kept.filter((index) => this.branches[index].resolved !== false).slice(0, 6)
      .forEach((index, color) => this.colors.set(index, color));
    this.drawInto(this.diagram.place, (width) => this.drawDiagram(width));
    this.drawInto(this.picture.place, (width) => this.drawTree(width));
    this.sayNotes();
    this.light(this.lit !== null && this.kept.includes(this.lit) ? this.lit : null);
  }

  drawInto(place, parts) {
    const width = Math.floor(place.clientWidth);
    if (width < 60) return;
    const { height } = this;
    place.replaceChildren(shape("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": this.describe() }, ...parts(width)));
  }

  describe() {
    const { wells, unresolved } = this.tree.count(this.threshold);
    const lines = this.kept.slice(0, 6).map((index) => this.sentence(index));
    return `${counted(wells, "well")}, ${unresolved} unresolved. ${lines.join(" ")}`;
  }

  text(x, y, content, attributes = {}) {
    return shape("text", { x, y, ...attributes }, content);
  }

  ticks(low, high, count, isWanted = () => true) {
    if (!this.isLog) {
      const ticks = linearTicks(low, high, count).filter(isWanted);
      return [ticks, tickTexts(ticks)];
    }
    const ticks = logTicks(low, high, count).filter((tick) => isWanted(Math.log10(tick)));
    return [ticks.map(Math.log10), ticks.map((tick) => short(tick, 3))];
  }

  valueText(value) {
    return this.isLog ? short(10 ** value, 3) : short(value);
  }

  depthText(depth) {
    return this.isLog ? `${short(depth, 2)} decades` : short(depth, 3);
  }

  /** The vertical axis that both drawings have. */
  axis(width, label) {
    const { left, right, top, bottom } = DIAGRAM;
    const { height } = this;
    const [low, high] = this.range;
    const [ticks, texts] = this.ticks(low, high, 6, (tick) => this.y(tick) > top + 4);
    return [
      ...ticks.map((tick) => shape("line", { class: "grid", x1: left, x2: width - right, y1: this.y(tick), y2: this.y(tick) })),
      shape("line", { class: "axis", x1: left, x2: left, y1: top, y2: height - bottom }),
      ...ticks.map((tick, index) => this.text(left - 8, this.y(tick) + 4, texts[index], { class: "tick", "text-anchor": "end" })),
      this.text(0, 14, label, { class: "name" }),
    ];
  }

  drawDiagram(width) {
    const { left, right, top, bottom } = DIAGRAM;
    const { height } = this;
    const [low, high] = this.range;
    const x = (value) => left + (width - left - right) * (value - low) / (high - low);
    const { y, threshold, tree } = this;
    const shift = tree.isSuper ? -threshold : threshold;
    const [ticks, texts] = this.ticks(low, high, width < 400 ? 3 : 5);
    const clip = (value) => Math.max(low, Math.min(high, value));
    const band = [[low, low], [high, high], [clip(high - shift), high], [low, clip(low + shift)]];
    const parts = [
      ...this.axis(width, `${this.quantity} where it meets a deeper well`),
      ...(threshold > 0 && !tree.isSuper ? [shape("polygon", { class: "hidden-band", points: band.map(([a, b]) => `${x(a)},${y(b)}`).join(" ") })] : []),
      shape("line", { class: "axis", x1: left, x2: width - right, y1: height - bottom, y2: height - bottom }),
      ...ticks.map((tick, index) => this.text(x(tick), height - bottom + 17, texts[index], { class: "tick", "text-anchor": "middle" })),
      this.text(left + (width - left - right) / 2, height - 6, `lowest ${this.quantity} of the well`, { class: "name", "text-anchor": "middle" }),
      shape("line", { class: "diagonal", x1: x(low), y1: y(low), x2: x(high), y2: y(high) }),
      shape("line", { class: "never", x1: left, x2: width - right, y1: top, y2: top }),
      this.text(width - right, top - 5, "never meets one", { class: "tick", "text-anchor": "end" }),
      ...this.waterLine(width),
    ];
    const dots = this.branches.map((branch, index) => [branch, index]).filter(([branch]) => isNumber(branch.birth));
    // The deep ones on top.
    dots.sort((a, b) => tree.life[a[1]] - tree.life[b[1]]);
    for (const [branch, index] of dots.slice(-2000)) {
      const end = isNumber(branch.death) ? y(branch.death) : top;
      parts.push(this.dotOf(index, x(branch.birth), end));
    }
    return parts;
  }

  dotOf(index, x, y) {
    const branch = this.branches[index];
    if (this.owners[index] !== index) return shape("circle", { class: "shallow", cx: x, cy: y, r: 2.2 });
    const radius = this.kept.length > 150 ? 2.8 : this.kept.length > 50 ? 4 : 5;
    const mark = isNumber(branch.death)
      ? shape("circle", { class: this.classOf(index), cx: x, cy: y, r: radius })
      : shape("path", { class: this.classOf(index), d: `M${x - 6} ${y + 5}L${x + 6} ${y + 5}L${x} ${y - 6}Z` });
    return shape("g", { "data-branch": index, class: "branch" }, shape("title", {}, this.sentence(index)),
      shape("circle", { class: "near", cx: x, cy: y, r: 12 }), mark, ...this.nameOf(index, x + 10, y + 4, "start"));
  }

  classOf(index) {
    if (this.branches[index].resolved === false) return "unresolved";
    return this.colors.has(index) ? `fill-${this.colors.get(index)} stroke-${this.colors.get(index)}` : "other";
  }

  nameOf(index, x, y, anchor) {
    const { label } = this.branches[index];
    if (!label || !this.colors.has(index)) return [];
    return [this.text(x, y, cut(label, 18), { class: "label", "text-anchor": anchor })];
  }

  drawTree(width) {
    const { left, right, top, bottom } = DIAGRAM;
    const { tree, kept, y, height } = this;
    const order = tree.order(kept, this.owners);
    const step = (width - left - right) / Math.max(1, order.length);
    const column = new Map(order.map((index, place) => [index, left + step * (place + 0.5)]));
    const largest = Math.max(1, ...kept.map((index) => this.volume(index)));
    const end = (index) => {
      const { death } = this.branches[index];
      if (isNumber(death)) return y(death);
      return tree.isSuper ? height - bottom : top;
    };
    const parts = [...this.axis(width, this.quantity), ...this.waterLine(width)];
    for (const index of order) {
      const x = column.get(index);
      const parent = tree.parent(index);
      const owner = parent === null ? null : this.owners[parent];
      const to = owner !== null && column.has(owner) && isNumber(this.branches[index].death) ? column.get(owner) : x;
      const [from, until] = [y(this.branches[index].birth), end(index)];
      const path = `M${x} ${from}V${until}H${to}`;
      const thickness = Math.min(step * 0.6, 1.6 + 4.4 * Math.sqrt(this.volume(index) / largest));
      const name = step > 12 + 6 * Math.min(18, this.branches[index].label.length) ? this.nameOf(index, x, from + 18, "middle") : [];
      parts.push(shape("g", { "data-branch": index, class: "branch" }, shape("title", {}, this.sentence(index)),
        shape("path", { class: "near", d: path }),
        shape("path", { class: `limb ${this.classOf(index)}`, d: path, "stroke-width": thickness }),
        shape("circle", { class: this.classOf(index), cx: x, cy: from, r: Math.min(5, Math.max(2, step * 0.4)) }), ...name));
    }
    const roots = order.filter((index) => !isNumber(this.branches[index].death)).length;
    if (roots > 0 && !tree.isSuper) parts.push(this.text(width - right, top - 5, "never meets one", { class: "tick", "text-anchor": "end" }));
    return parts;
  }

  /** The cells of the branch and of those that were merged into it. */
  volume(index) {
    return this.members(index).reduce((sum, member) => sum + this.branches[member].volume, 0);
  }

  members(index) {
    return this.owners.map((owner, member) => [owner, member]).filter(([owner]) => owner === index).map(([, member]) => member);
  }

  waterLine(width) {
    const [low, high] = this.range;
    if (this.water === null || this.water < low || this.water > high) return [];
    const y = this.y(this.water);
    const { left, right } = DIAGRAM;
    return [
      shape("line", { class: "water", x1: left, x2: width - right, y1: y, y2: y }),
      this.text(width - right, y - 5, `water: ${counted(this.tree.lakes(this.water), "lake")}`, { class: "tick", "text-anchor": "end" }),
    ];
  }

  // ---- Words --------------------------------------------------------------------------------------------------------

  sentence(index) {
    const { birth, death, at, label, resolved } = this.branches[index];
    const place = at.length > 0 && at.length <= 4 ? ` at (${at.map((value) => short(value, 3)).join(", ")})` : "";
    const depth = persistence(this.branches[index]);
    const factor = this.isLog ? `, ${short(10 ** depth, 3)} times as high` : `, depth ${short(depth, 3)}`;
    const end = isNumber(death) ? `meets a deeper well at ${this.valueText(death)}${factor}` : "meets no deeper well";
    const volume = this.volume(index);
    const doubt = resolved === false ? ". The grid does not resolve it" : "";
    return `${label ? `Well ${quoted(label, 40)}` : `Well ${index + 1}`}: lowest ${this.quantity} ${this.valueText(birth)}${place}, ${end}, ${counted(volume, "cell")}${doubt}.`;
  }

  sayNotes() {
    const all = this.owners.filter((owner, index) => owner === index).length;
    const notes = [];
    const note = (mark, text) => notes.push(element("li", {}, mark, text));
    const key = (...draw) => shape("svg", { width: 16, height: 14, "aria-hidden": "true" }, ...draw);
    if (this.branches.some((branch) => branch.resolved === false)) {
      note(key(shape("circle", { class: "unresolved", cx: 7, cy: 7, r: 4.5 })), "hollow: the grid does not resolve it, so it is not counted");
    }
    if (this.threshold > 0) note(key(shape("circle", { class: "shallow", cx: 7, cy: 7, r: 2.2 })), "hidden: shallower than the slider says");
    note("", "thicker: more cells");
    if (all > this.kept.length) note("", `the tree shows the ${this.kept.length} deepest of ${all}`);
    this.notes.replaceChildren(...notes);
  }

  // ---- Pointer and keys -----------------------------------------------------------------------------------------------

  light(index) {
    const wasLit = this.lit !== null;
    this.lit = index;
    for (const place of [this.diagram.place, this.picture.place]) {
      place.classList.toggle("has-lit", index !== null);
      for (const group of place.querySelectorAll("[data-branch]")) {
        group.classList.toggle("lit", Number(group.dataset.branch) === index);
      }
    }
    this.readout.textContent = index === null ? "Point at a dot or at a branch, or use the arrow keys, to read about a well." : this.sentence(index);
    if (index === null && !wasLit) return;
    const members = index === null ? null : new Set(this.members(index));
    tell("branch", { branches: this.branches, members });
    if (!this.plan) return;
    this.plan.basin = members;
    this.plan.redrawSoon();
  }

  listen() {
    for (const { place } of [this.diagram, this.picture]) {
      place.addEventListener("pointerover", (event) => {
        const group = event.target.closest("[data-branch]");
        const index = group ? Number(group.dataset.branch) : null;
        if (index !== this.lit) this.light(index);
      });
      place.addEventListener("pointerleave", () => this.light(null));
      place.addEventListener("blur", () => this.light(null));
      place.addEventListener("keydown", (event) => {
        const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
        if (!step || this.kept.length === 0) return;
        event.preventDefault();
        const now = this.kept.indexOf(this.lit);
        this.light(this.kept[(now + step + this.kept.length + (now < 0 && step < 0 ? 1 : 0)) % this.kept.length]);
      });
    }
    on("redraw", () => this.draw());
    on("water", ({ branches, level }) => {
      const water = sameBranches(branches, this.branches) ? level : null;
      if (water === this.water) return;
      this.water = water;
      this.draw();
    });
  }
}
