"""Writes golden/krylov/flow.json: differential equations, solved by SciPy's `solve_ivp`.

Four problems, by RK23 and RK45:

- `fixed`: 64 steps of one length, the last value and the dense output. They hold the coefficients of the methods to
  rounding.
- `adaptive`: for pairs of tolerances the last value and the evaluations. SciPy's norm is elementwise, so that other
  controls of the error agree within the tolerance alone.

`reference` is the last value by DOP853 with tolerances near rounding.

    python golden/scripts/flow.py
"""

import datetime
import json
import math
import pathlib
import platform

import numpy
import scipy
from scipy.integrate import solve_ivp

STEPS = 64
TOLERANCES = [(1e-5, 1e-8), (1e-9, 1e-12)]
METHODS = ["RK23", "RK45"]

TARGET = pathlib.Path(__file__).resolve().parent.parent / "krylov" / "flow.json"


def linear_net(_, w):
    """The gradient flow of the loss (u v - 1)^2 / 2."""
    rest = w[0] * w[1] - 1
    return numpy.array([-rest * w[1], -rest * w[0]])


def lotka_volterra(_, y):
    return numpy.array([y[0] * (1 - y[1]), y[1] * (y[0] - 1)])


def van_der_pol(_, y):
    return numpy.array([y[1], (1 - y[0] * y[0]) * y[1] - y[0]])


def pendulum(t, y):
    """Damped, and driven in time."""
    drive = 0.5 * math.cos(1.5 * t)
    return numpy.array([y[1], -math.sin(y[0]) - 0.2 * y[1] + drive])


# The field, the start, and the end: multiples of a power of two, so that steps add up to it.
PROBLEMS = [
    (linear_net, [2.0, 0.125], 4.0),
    (lotka_volterra, [2.0, 1.0], 8.0),
    (van_der_pol, [2.0, 0.0], 8.0),
    (pendulum, [1.0, 0.0], 8.0),
]


def solve(problem, method, rtol, atol, **options):
    field, start, end = problem
    found = solve_ivp(field, (0.0, end), start, method=method, rtol=rtol, atol=atol, **options)
    assert found.success, found.message
    return found


def fixed(problem, method):
    end = problem[2]
    step = end / STEPS
    # Everything is tolerated: the longest step is taken.
    found = solve(
        problem, method, 1e300, 1e300, first_step=step, max_step=step, dense_output=True
    )
    assert len(found.t) == STEPS + 1 and (numpy.diff(found.t) == step).all()
    times = [end * (i + 0.37) / 5 for i in range(5)]
    return {
        "method": method,
        "step": step,
        "end": found.y[:, -1].tolist(),
        "times": times,
        "dense": [found.sol(time).tolist() for time in times],
    }


def adaptive(problem, method, rtol, atol, reference):
    found = solve(problem, method, rtol, atol)
    end = found.y[:, -1]
    return {
        "method": method,
        "rtol": rtol,
        "atol": atol,
        "end": end.tolist(),
        "error": float(numpy.linalg.norm(end - reference) / numpy.linalg.norm(reference)),
        "evaluations": found.nfev,
    }


def main():
    problems = []
    for problem in PROBLEMS:
        field, start, end = problem
        reference = solve(problem, "DOP853", 1e-13, 1e-15).y[:, -1]
        runs = [
            adaptive(problem, method, rtol, atol, reference)
            for method in METHODS
            for rtol, atol in TOLERANCES
        ]
        for run in runs:
            print(field.__name__, run["method"], run["rtol"], run["error"], run["evaluations"])
        problems.append(
            {
                "name": field.__name__,
                "start": start,
                "end_time": end,
                "reference": reference.tolist(),
                "fixed": [fixed(problem, method) for method in METHODS],
                "adaptive": runs,
            }
        )
    header = {
        "script": "golden/scripts/flow.py",
        "packages": {
            "numpy": numpy.__version__,
            "python": platform.python_version(),
            "scipy": scipy.__version__,
        },
        # Nothing is drawn.
        "seed": 0,
        "dtype": "float64",
        "date": datetime.date.today().isoformat(),
    }
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(json.dumps({"header": header, "problems": problems}, indent=1) + "\n")


if __name__ == "__main__":
    main()
