"""Edges of stability of optimizers, in NumPy and f64.

Writes golden/dynamics/edges.json: for random settings the curvature at which the step of an
optimizer on the loss `lambda w^2 / 2` stops to contract. It is found by bisection, without a formula:
for linear steps on the spectral radius of the step's matrix of weight and momentum, for SAM on the
size of one step. Below the edge, the radius is checked to be less than one everywhere.

    python golden/scripts/edges.py

The steps are written out below as Burn takes them: `w <- (1 - lr decay) w - ...` for decoupled
decay, `g + penalty w` for coupled decay.
"""

import datetime
import json
import math
import pathlib
import platform

import numpy

SEED = 21
CASES = 8

TARGET = pathlib.Path(__file__).resolve().parent.parent / "dynamics" / "edges.json"


def gradient_descent(w, v, g, s):
    return (1 - s["lr"] * s["decoupled"]) * w - s["lr"] * g, v


def heavy_ball(w, v, g, s):
    v = s["momentum"] * v + (1 - s["dampening"]) * g
    return (1 - s["lr"] * s["decoupled"]) * w - s["lr"] * v, v


def nesterov(w, v, g, s):
    v = s["momentum"] * v + (1 - s["dampening"]) * g
    return (1 - s["lr"] * s["decoupled"]) * w - s["lr"] * (s["momentum"] * v + g), v


def ema(w, v, g, s):
    v = s["momentum"] * v + (1 - s["momentum"]) * g
    return (1 - s["lr"] * s["decoupled"]) * w - s["lr"] * v, v


def nadam(w, v, g, s):
    v = s["momentum"] * v + (1 - s["momentum"]) * g
    ahead = s["momentum"] * v + (1 - s["momentum"]) * g
    return (1 - s["lr"] * s["decoupled"]) * w - s["lr"] * ahead, v


LINEAR = [gradient_descent, heavy_ball, nesterov, ema, nadam]


def radius(step, curvature, settings):
    """The spectral radius of the step as a matrix of (w, v)."""
    columns = [
        step(w, v, (curvature + settings["coupled"]) * w, settings)
        for w, v in ((1.0, 0.0), (0.0, 1.0))
    ]
    matrix = numpy.array(columns).T
    # Without momentum nothing reads v: its eigenvalue of one says nothing about the weights.
    if step is gradient_descent:
        return abs(matrix[0, 0])
    return float(abs(numpy.linalg.eigvals(matrix)).max())


def sam_growth(curvature, settings):
    """|w| after a step over |w| before, where the gradient has the norm of the settings."""
    w = settings["gradient_norm"] / curvature
    after = w - settings["lr"] * curvature * (w + settings["rho"])
    return abs(after) / w


def crossing(growth):
    """The least curvature at which the growth exceeds one."""
    high = 1e-3
    while growth(high) <= 1:
        high *= 1.1
    low = high / 1.1
    for _ in range(200):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        if growth(middle) <= 1:
            low = middle
        else:
            high = middle
    # Nothing leaves the unit circle earlier.
    for fraction in numpy.linspace(0.001, 0.999, 500):
        assert growth(fraction * low) < 1, (fraction, low)
    return low


def draw(rng, step):
    lr = math.exp(rng.uniform(math.log(1e-3), 0))
    has_decay = rng.integers(2) == 1
    settings = {
        "lr": lr,
        "momentum": 0.0 if step is gradient_descent else rng.uniform(0, 0.99),
        "dampening": rng.uniform(-0.5, 0.95) if step in (heavy_ball, nesterov) else 0.0,
        "decoupled": rng.uniform(0, 1.5 / lr) if has_decay else 0.0,
        "coupled": 0.0,
    }
    return settings


def main():
    rng = numpy.random.default_rng(SEED)
    cases = []
    for step in LINEAR:
        for index in range(CASES):
            settings = draw(rng, step)
            edge = crossing(lambda curvature: radius(step, curvature, settings))
            if index % 3 == 2:
                # A penalty below the edge, which is then lower by it.
                settings["coupled"] = float(rng.uniform(0, 0.5)) * edge
                edge = crossing(lambda curvature: radius(step, curvature, settings))
            cases.append({"step": step.__name__, **settings, "edge": edge})
    for _ in range(CASES):
        settings = {
            "lr": math.exp(rng.uniform(math.log(1e-3), 0)),
            "rho": math.exp(rng.uniform(math.log(1e-3), 0)),
            "gradient_norm": math.exp(rng.uniform(math.log(1e-4), 1)),
        }
        edge = crossing(lambda curvature: sam_growth(curvature, settings))
        cases.append({"step": "sam", **settings, "edge": edge})
    header = {
        "script": "golden/scripts/edges.py",
        "packages": {"python": platform.python_version(), "numpy": numpy.__version__},
        "seed": SEED,
        "dtype": "float64",
        "date": datetime.date.today().isoformat(),
    }
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(json.dumps({"header": header, "cases": cases}, indent=1) + "\n")


if __name__ == "__main__":
    main()
