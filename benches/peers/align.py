"""Assignments, and weight matching of the perceptrons, of benches/align.rs, in NumPy and SciPy.

    pip install numpy scipy
    cargo bench -p burnscape --bench align -- --json ours.json
    python benches/peers/align.py --ours ours.json

With `--only assignment` or `--only matching` there, the peer does that part.

Assignments: the same matrices, made by the same generator, with `scipy.optimize.linear_sum_assignment`. The optima must
agree to 1e-9. The bar is 1.5 times SciPy's time.

Weight matching: the algorithm of Git Re-Basin (Ainsworth et al. 2023), in double precision as there: for one group of units after the
other a matrix of scalar products, `scipy.optimize.linear_sum_assignment`, and the permutation of the group's tensors if
the objective rises. The same weights, start and order of groups. From single-precision weights to the permuted model.

Prints the median time, and ours over it; the bar is 1.2. Run both on the same quiet machine.
"""

import argparse
import json
import pathlib
import statistics
import time

import numpy
from scipy.optimize import linear_sum_assignment


def arrays(entries):
    return {
        path: numpy.array(entry["values"], dtype="float32").reshape(entry["shape"])
        for path, entry in entries.items()
    }


def rows(array, axis):
    """A matrix with a row for each index of the axis."""
    return numpy.moveaxis(array, axis, 0).reshape(array.shape[axis], -1)


def align(a, b, groups, order):
    """The permutations, the objective and the permuted model."""
    wide = {path: array.astype("float64") for path, array in a.items()}
    moved = {path: array.astype("float64") for path, array in b.items()}
    permutations = [numpy.arange(group["size"]) for group in groups]
    objective = sum(numpy.vdot(wide[path], moved[path]) for path in wide)
    for index in order:
        members = [(member["path"], member["axis"]) for member in groups[index]["members"]]
        products = sum(rows(wide[path], axis) @ rows(moved[path], axis).T for path, axis in members)
        found, sources = linear_sum_assignment(products, maximize=True)
        gain = products[found, sources].sum() - numpy.trace(products)
        if gain <= 1e-12 * abs(objective):
            continue
        objective += gain
        permutations[index] = permutations[index][sources]
        for path, axis in members:
            moved[path] = numpy.take(moved[path], sources, axis)
    model = dict(b)
    for group, permutation in zip(groups, permutations):
        for member in group["members"]:
            model[member["path"]] = numpy.take(model[member["path"]], permutation, member["axis"])
    return permutations, objective, model


def uniform(seed, count):
    """Numbers of SplitMix64, from 0 to 1."""
    z = numpy.uint64(seed) + numpy.arange(1, count + 1, dtype="uint64") * numpy.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
    return ((z ^ (z >> numpy.uint64(31))) >> numpy.uint64(11)).astype("float64") / 2.0**53


def normal(seed, *shape):
    """Sums of twelve uniform numbers."""
    sums = numpy.full(int(numpy.prod(shape)), -6.0)
    for part in range(12):
        sums += uniform(12 * seed + part, sums.size)
    return sums.reshape(shape)


def products(a, b):
    """Products of features, added one after the other as there."""
    sums = numpy.zeros((len(a), len(b)))
    for feature in range(a.shape[1]):
        sums += numpy.outer(a[:, feature], b[:, feature])
    return sums


def matrix(kind, n):
    if kind == "normal":
        return normal(1, n, n)
    if kind == "planted":
        entries = 0.2 * normal(2, n, n)
        places = numpy.arange(n)
        entries[places, (5 * places + 3) % n] += 1.0
        return entries
    if kind == "low-rank":
        return products(normal(3, n, 16), normal(4, n, 16))
    return products(numpy.maximum(normal(5, n, 32), 0.0), numpy.maximum(normal(6, n, 32), 0.0))


def assign(ours, rounds):
    print("assignment              SciPy        ours    ours / SciPy (the bar is 1.5)")
    wrong = []
    for one in ours:
        entries = matrix(one["kind"], one["n"])
        times = []
        for _ in range(rounds):
            start = time.perf_counter()
            found, columns = linear_sum_assignment(entries, maximize=True)
            times.append((time.perf_counter() - start) * 1e3)
        theirs = statistics.median(times)
        optimum = entries[found, columns].sum()
        name = f"{one['n']:>5} {one['kind']}"
        print(f"{name:20}{theirs:>9.1f}{one['ms']:>9.1f} ms{one['ms'] / theirs:>10.2f}")
        if not abs(optimum - one["optimum"]) <= 1e-9 * abs(optimum):
            wrong.append(f"{name}: {one['optimum']} instead of {optimum}")
    if wrong:
        raise SystemExit("other optima: " + "; ".join(wrong))
    print("The optima agree to 1e-9.")


def match(ours, rounds):
    a, b = arrays(ours["a"]), arrays(ours["b"])
    groups, order = ours["groups"], ours["order"]
    align(a, b, groups, order)
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        permutations, objective, _ = align(a, b, groups, order)
        times.append((time.perf_counter() - start) * 1e3)
    theirs = statistics.median(times)
    gap = abs(objective - ours["objective"]) / abs(ours["objective"])
    same = sum(
        int((permutation == own).sum())
        for permutation, own in zip(permutations, map(numpy.array, ours["permutations"]))
    )
    units = sum(group["size"] for group in groups)
    print(f"assignments          {len(order):>10}")
    print(f"NumPy and SciPy      {theirs:>10.1f} ms, {min(times):.1f} to {max(times):.1f}")
    print(f"ours                 {ours['ms']:>10.1f} ms")
    print(f"ours / this          {ours['ms'] / theirs:>10.2f} (the bar is 1.2)")
    print(f"objectives differ by {gap:>10.1e}; {same} of {units} units are at the same places")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--ours", type=pathlib.Path, required=True)
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()
    ours = json.loads(arguments.ours.read_text())
    if "assignment" in ours:
        assign(ours["assignment"], arguments.rounds)
    if "matching" in ours:
        match(ours["matching"], arguments.rounds)


if __name__ == "__main__":
    main()
