"""Persistence of random fields by GUDHI and cripser, and distances of random diagrams by GUDHI and SciPy.

Writes golden/topology/fields.json and golden/topology/distances.json.

    pip install gudhi cripser scipy numpy
    python golden/topology/topology.py

Every number has two sources, and the script refuses to write what they disagree in:

- fields: GUDHI's CubicalComplex and cripser (V-construction, `vertices`: axis connectivity; T-construction,
  `top_dimensional_cells`: full connectivity); 4-D tables that cripser does not take are GUDHI's alone;
- bottleneck distances: a binary search over all costs with SciPy's maximum_bipartite_matching, which is exact; GUDHI's
  interface to Hera to a relative 1e-5. GUDHI's own function is printed where it differs;
- Wasserstein distances: SciPy's linear_sum_assignment on points and their places on the diagonal; GUDHI's
  interface to Hera to a relative 1e-4.

Values are integers, so that nothing is rounded. Fields are not in the file: FORMULA makes them.
"""

import argparse
import datetime
import json
import pathlib
import platform
from importlib.metadata import version

import cripser
import gudhi
import gudhi.hera
import numpy as np
import tcripser
from scipy.optimize import linear_sum_assignment
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import maximum_bipartite_matching

DIRECTORY = pathlib.Path(__file__).resolve().parent
SEED = 20
FORMULA = (
    "s_0 = seed; s_{k+1} = (6364136223846793005 s_k + 1442695040888963407) mod 2^64; the value of cell k is "
    "floor(s_{k+1} / 2^33) mod range"
)
SHAPES = [
    (1,), (2,), (7,), (30,), (100,),
    (1, 5), (2, 2), (3, 3), (4, 7), (9, 9), (12, 5), (16, 16),
    (2, 3, 4), (3, 3, 3), (5, 4, 6), (7, 7, 7), (1, 4, 5),
    (2, 2, 2, 2), (3, 3, 3, 3), (4, 3, 5, 3),
]
# 2^30 makes ties improbable, and the script refuses them.
RANGES = [1 << 30, 2, 6, 1 << 30, 20, 1 << 30, 3, 1 << 30, 10, 1 << 30]


def field(seed, shape, values_below):
    state, values = seed, []
    for _ in range(int(np.prod(shape))):
        state = (6364136223846793005 * state + 1442695040888963407) % (1 << 64)
        values.append((state >> 33) % values_below)
    return np.array(values, dtype=np.float64).reshape(shape)


def by_gudhi(table, construction, dimension):
    complex_ = gudhi.CubicalComplex(**{construction: table})
    complex_.compute_persistence(homology_coeff_field=2, min_persistence=0)
    found = complex_.persistence_intervals_in_dimension(dimension)
    return [(int(b), None if np.isinf(d) else int(d)) for b, d in found if d > b]


def by_cripser(table, construction, dimension):
    module = cripser if construction == "vertices" else tcripser
    found = module.computePH(np.ascontiguousarray(table), maxdim=dimension)
    top = np.finfo(np.float64).max / 2
    rows = [row for row in found if int(row[0]) == dimension and row[2] > row[1]]
    return [(int(row[1]), None if row[2] > top else int(row[2])) for row in rows]


def in_order(pairs):
    return sorted(pairs, key=lambda pair: (pair[0], pair[1] is None, pair[1] or 0))


def persistence(table, name):
    construction = {"axis": "vertices", "full": "top_dimensional_cells"}[name]
    dimensions = [0] if table.ndim == 1 else [0, table.ndim - 1]
    found, referees = {}, 0
    for dimension in dimensions:
        pairs = by_gudhi(table, construction, dimension)
        if table.ndim < 4 and min(table.shape) > 1:
            other = by_cripser(table, construction, dimension)
            assert in_order(pairs) == in_order(other), (table.tolist(), name, dimension, pairs, other)
            referees += 1
        found["h0" if dimension == 0 else "top"] = in_order(pairs)
    return found, referees


def fields():
    cases, referees = [], 0
    for number in range(200):
        shape = SHAPES[number % len(SHAPES)]
        values_below = RANGES[(number // len(SHAPES)) % len(RANGES)]
        seed = 1000 * SEED + number
        table = field(seed, shape, values_below)
        if values_below == 1 << 30:
            assert len(np.unique(table)) == table.size
        case = {"shape": shape, "seed": seed, "range": values_below}
        for name in ["axis", "full"]:
            case[name], more = persistence(table, name)
            referees += more
        cases.append(case)
    print("fields:", len(cases), "diagrams that cripser confirmed:", referees)
    return cases


def diagram(rng, count, coarse):
    births = rng.integers(0, 50 if coarse else 1 << 20, count)
    lasting = rng.integers(0 if coarse else 1, 20 if coarse else 1 << 18, count)
    return np.stack([births, births + lasting], axis=1).astype(np.float64)


def costs(a, b, ground):
    apart = a[:, None, :] - b[None, :, :]
    if ground == "infinity":
        return np.abs(apart).max(axis=2), (a[:, 1] - a[:, 0]) / 2, (b[:, 1] - b[:, 0]) / 2
    root = np.sqrt(2)
    return np.sqrt((apart**2).sum(axis=2)), (a[:, 1] - a[:, 0]) / root, (b[:, 1] - b[:, 0]) / root


def whole(a, b, ground):
    """The costs of points and their places on the diagonal, which are matched to each other for nothing."""
    n, m = len(a), len(b)
    between, first, second = costs(a, b, ground)
    square = np.zeros((n + m, n + m))
    square[:n, :m] = between
    square[:n, m:] = first[:, None]
    square[n:, :m] = second[None, :]
    return square


def wasserstein(a, b, order, ground):
    if len(a) + len(b) == 0:
        return 0.0
    square = whole(a, b, ground) ** order
    rows, columns = linear_sum_assignment(square)
    found = square[rows, columns].sum() ** (1 / order)
    lasting = [x[x[:, 1] > x[:, 0]] for x in (a, b)]
    internal = np.inf if ground == "infinity" else 2.0
    hera = gudhi.hera.wasserstein_distance(*lasting, order=order, internal_p=internal, delta=1e-6)
    assert abs(hera - found) <= 1e-4 * found + 1e-9, (a, b, order, ground, found, hera)
    return float(found)


def bottleneck(a, b):
    found = gudhi.bottleneck_distance(a, b)
    square = whole(a, b, "infinity")
    candidates = np.unique(np.append(square, 0.0))
    low, high = 0, len(candidates) - 1
    while low < high:
        middle = (low + high) // 2
        matched = maximum_bipartite_matching(csr_matrix(square <= candidates[middle]))
        if (matched >= 0).all():
            high = middle
        else:
            low = middle + 1
    exact = float(candidates[low])
    lasting = [x[x[:, 1] > x[:, 0]] for x in (a, b)]
    hera = gudhi.hera.bottleneck_distance(*lasting, delta=1e-6)
    assert abs(hera - exact) <= 1e-5 * exact, (a, b, hera, exact)
    if abs(found - exact) > 1e-12 * exact:
        print("GUDHI's own bottleneck distance differs:", a.tolist(), b.tolist(), found, "instead of", exact)
    return exact


def distances():
    rng = np.random.default_rng(SEED)
    cases = []
    for number in range(200):
        coarse = number % 2 == 0
        n, m = rng.integers(0, 12, 2) if number < 150 else rng.integers(10, 40, 2)
        a = diagram(rng, n, coarse)
        b = diagram(rng, m, coarse)
        if number % 3 == 0:
            # Nearly the same diagram.
            b = a + np.sort(rng.integers(0, 4, a.shape), axis=1)
        case = {
            "first": a.astype(int).tolist(),
            "second": b.astype(int).tolist(),
            "bottleneck": bottleneck(a, b),
        }
        for order in [1, 2]:
            for ground in ["infinity", "euclidean"]:
                case[f"w{order}_{ground}"] = wasserstein(a, b, order, ground)
        cases.append(case)
    print("pairs of diagrams:", len(cases))
    return cases


def write(name, date, content):
    header = {
        "script": "golden/topology/topology.py",
        "packages": {
            "python": platform.python_version(),
            **{package: version(package) for package in ["gudhi", "cripser", "scipy", "numpy"]},
        },
        "seed": SEED,
        "dtype": "float64",
        "date": date,
    }
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in content.pop("cases"))
    head = json.dumps({"header": header, **content}, indent=1)[:-2]
    (DIRECTORY / name).write_text(f'{head},\n "cases": [\n{lines}\n ]\n}}\n')


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--date", default=datetime.date.today().isoformat())
    date = parser.parse_args().date
    write("fields.json", date, {"formula": FORMULA, "cases": fields()})
    write("distances.json", date, {"cases": distances()})


if __name__ == "__main__":
    main()
