// Branches of a merge tree: how long they live, what is left without the short ones, where they stand.

/** More branches than these are no picture. */
const MOST_BRANCHES = 120;

function persistence(branch) {
  return isNumber(branch.death) && isNumber(branch.birth) ? Math.abs(branch.death - branch.birth) : Infinity;
}

class Tree {
  constructor(branches) {
    this.branches = branches;
    this.life = branches.map(persistence);
    this.finite = this.life.filter(Number.isFinite);
    this.longest = this.finite.reduce((a, b) => Math.max(a, b), 0);
    const values = branches.flatMap(({ birth, death }) => [birth, death]).filter(isNumber);
    this.low = values.reduce((a, b) => Math.min(a, b));
    this.high = values.reduce((a, b) => Math.max(a, b));
    // Superlevel sets: branches die below their birth.
    this.isSuper = branches.some(({ birth, death }) => isNumber(birth) && isNumber(death) && death < birth);
  }

  /** The parent; branches that say themselves or nobody have none. */
  parent(index) {
    const { parent } = this.branches[index];
    return Number.isInteger(parent) && parent >= 0 && parent < this.branches.length && parent !== index ? parent : null;
  }

  /** For each branch the one that it belongs to if those that live shorter than `threshold` are merged. */
  owners(threshold) {
    const isKept = (index) => this.life[index] >= threshold || this.parent(index) === null;
    return this.branches.map((_, start) => {
      let index = start;
      for (let steps = 0; steps <= this.branches.length && !isKept(index); steps += 1) index = this.parent(index);
      return index;
    });
  }

  /** The wells: branches that live as long as `threshold` and that the grid resolves. */
  count(threshold) {
    const kept = this.branches.filter((branch, index) => isNumber(branch.birth) && this.life[index] >= threshold);
    const unresolved = kept.filter((branch) => branch.resolved === false).length;
    return { wells: kept.length - unresolved, unresolved };
  }

  /** How many lakes there are if the water stands at `level`. */
  lakes(level) {
    const isLake = ({ birth, death }) => (this.isSuper
      ? birth >= level && !(death > level || death === level)
      : birth <= level && !(isNumber(death) && death <= level));
    return this.branches.filter(isLake).length;
  }

  /** The branches to draw, the longest-lived first. */
  drawn(owners) {
    const kept = owners.map((owner, index) => index).filter((index) => owners[index] === index && isNumber(this.branches[index].birth));
    kept.sort((a, b) => this.life[b] - this.life[a] || a - b);
    return kept.slice(0, MOST_BRANCHES);
  }

  /**
   * The branches from left to right, so that no line crosses another: what merges first stands nearest, in turn to the
   * right and to the left.
   */
  order(kept, owners) {
    const isDrawn = new Set(kept);
    const children = new Map(kept.map((index) => [index, []]));
    const roots = [];
    for (const index of kept) {
      const parent = this.parent(index);
      const owner = parent === null ? null : owners[parent];
      if (owner !== null && isDrawn.has(owner) && owner !== index) children.get(owner).push(index);
      else roots.push(index);
    }
    const seen = new Set();
    const arrange = (index) => {
      if (seen.has(index)) return [];
      seen.add(index);
      const sorted = children.get(index).sort((a, b) => this.rank(a) - this.rank(b));
      const sides = [[], []];
      sorted.forEach((child, turn) => sides[turn % 2].push(arrange(child)));
      return [...sides[1].reverse().flat(), index, ...sides[0].flat()];
    };
    const order = roots.flatMap(arrange);
    // Those in a circle of parents.
    return [...order, ...kept.filter((index) => !seen.has(index))];
  }

  rank(index) {
    const { death } = this.branches[index];
    if (!isNumber(death)) return Infinity;
    return this.isSuper ? -death : death;
  }
}
