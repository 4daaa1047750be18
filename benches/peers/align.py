"""Weight matching of the perceptrons of benches/align.rs, in NumPy and SciPy.

    pip install numpy scipy
    cargo bench -p burnscape --bench align -- --only perceptrons --json ours.json
    python benches/peers/align.py --ours ours.json

The algorithm of Git Re-Basin (Ainsworth et al. 2023), in double precision as there: for one group of units after the
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


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--ours", type=pathlib.Path, required=True)
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()
    ours = json.loads(arguments.ours.read_text())
    a, b = arrays(ours["a"]), arrays(ours["b"])
    groups, order = ours["groups"], ours["order"]
    align(a, b, groups, order)
    times = []
    for _ in range(arguments.rounds):
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


if __name__ == "__main__":
    main()
