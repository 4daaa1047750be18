"""Optimal transport between random points, and between random masses.

Writes golden/align/transport.json. Exact plans are by linear programming, SciPy's linprog with HiGHS, entropic ones by
Sinkhorn's iteration in NumPy, in the log domain, until sums of rows and columns are right to 1e-14.

    python golden/scripts/transport.py
"""

import datetime
import json
import pathlib
import platform

import numpy
import scipy
import scipy.sparse
from scipy.optimize import linprog
from scipy.special import logsumexp

SEED = 26

TARGET = pathlib.Path(__file__).resolve().parent.parent / "align" / "transport.json"


def least_cost(costs, supplies, demands):
    """The least cost, of masses that need not sum to one."""
    n, m = costs.shape
    rows = scipy.sparse.kron(scipy.sparse.eye(n), numpy.ones((1, m)))
    columns = scipy.sparse.kron(numpy.ones((1, n)), scipy.sparse.eye(m))
    # One of the equations follows from the others.
    equations = scipy.sparse.vstack([rows, columns]).tocsr()[:-1]
    found = linprog(
        costs.ravel(),
        A_eq=equations,
        b_eq=numpy.concatenate([supplies, demands])[:-1],
        method="highs",
        options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
    )
    assert found.status == 0, found.message
    return found.fun


def entropic(costs, regularization):
    """The plan with uniform masses, and the entropy weighed by regularization times the mean cost."""
    n, m = costs.shape
    exponents = -costs / (regularization * costs.mean())
    g = numpy.zeros(m)
    for _ in range(100_000):
        f = -numpy.log(n) - logsumexp(exponents + g, axis=1)
        g = -numpy.log(m) - logsumexp(exponents + f[:, None], axis=0)
        plan = numpy.exp(exponents + f[:, None] + g)
        if abs(n * plan.sum(axis=1) - 1).max() <= 1e-14:
            return plan
    raise RuntimeError("not converged")


def masses(rng, count, total):
    """Whole positive numbers with a sum."""
    cuts = numpy.sort(rng.choice(numpy.arange(1, total), count - 1, replace=False))
    return numpy.diff(numpy.concatenate([[0], cuts, [total]]))


def masses_cases(rng):
    cases = []
    for n, m in [(2, 2), (3, 5), (5, 3), (7, 7), (8, 12), (20, 13), (1, 6), (6, 1), (30, 25)]:
        for has_ties in (False, True):
            costs = rng.random((n, m))
            if has_ties:
                costs = numpy.floor(4 * costs)
            supplies = masses(rng, n, 120)
            demands = masses(rng, m, 120)
            cases.append(
                {
                    "supplies": supplies.tolist(),
                    "demands": demands.tolist(),
                    "costs": costs.ravel().tolist(),
                    "least": least_cost(costs, supplies, demands),
                }
            )
    return cases


def points_cases(rng):
    cases = []
    for n, m, dimension in [(4, 4, 3), (6, 4, 2), (4, 6, 2), (9, 6, 5), (7, 11, 4), (24, 15, 6)]:
        source = rng.standard_normal((n, dimension)).round(6)
        target = rng.standard_normal((m, dimension)).round(6)
        costs = ((source[:, None] - target) ** 2).sum(axis=-1)
        plans = []
        for regularization in (0.2, 1.0):
            plan = entropic(costs, regularization)
            plans.append(
                {
                    "regularization": regularization,
                    "plan": plan.ravel().tolist(),
                    "cost": float((plan * costs).sum()),
                }
            )
        cases.append(
            {
                "sizes": [n, m],
                "dimension": dimension,
                # A row for each point.
                "source": source.ravel().tolist(),
                "target": target.ravel().tolist(),
                "least": least_cost(costs, numpy.full(n, 1 / n), numpy.full(m, 1 / m)),
                "entropic": plans,
            }
        )
    return cases


def main():
    rng = numpy.random.default_rng(SEED)
    header = {
        "script": "golden/scripts/transport.py",
        "packages": {
            "python": platform.python_version(),
            "numpy": numpy.__version__,
            "scipy": scipy.__version__,
        },
        "seed": SEED,
        "dtype": "float64",
        "date": datetime.date.today().isoformat(),
    }
    parts = {"masses": masses_cases(rng), "points": points_cases(rng)}
    text = ['{\n "header": ' + json.dumps(header)]
    for name, cases in parts.items():
        lines = ",\n".join("  " + json.dumps(case) for case in cases)
        text.append(f' "{name}": [\n{lines}\n ]')
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(",\n".join(text) + "\n}\n")


if __name__ == "__main__":
    main()
