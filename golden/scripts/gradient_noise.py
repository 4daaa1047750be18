"""Writes golden/dynamics/gradient_noise.json: the gradient noise of a linear regression, by NumPy and SciPy.

Inputs x ~ N(0, I) in five dimensions, targets y = x·w* + 0.7 e with e ~ N(0, 1), and the loss ½ (x·w − y)² at
w = w* + Δ. In closed form |G|² = |Δ|² and tr Σ = (d + 1)|Δ|² + d 0.7². The data of a seed are the normal numbers
that SplitMix64 and Box-Muller give: here, and in tests/dynamics/noise/regression.rs, which draws the same numbers in
the same order.

Everything is computed from its definition. The jackknife leaves out one gradient after the other and computes both
estimates again.

    python golden/scripts/gradient_noise.py
"""

import datetime
import json
import pathlib
import platform

import numpy as np
import scipy
from scipy.stats import t as student

SEED = 0
SEEDS = 20
SWEEP = 1000
EXAMPLES = 512
MICRO_BATCH = 8
CONFIDENCE = 0.95

STAR = np.array([1.0, -1.0, 0.5, 0.0, 2.0])
DELTA = np.array([1.0, 0.5, 0.0, -0.5, 0.25])
NOISE = 0.7
SQUARE = DELTA @ DELTA
TRACE = (len(DELTA) + 1) * SQUARE + len(DELTA) * NOISE**2

TARGET = pathlib.Path(__file__).resolve().parent.parent / "dynamics" / "gradient_noise.json"


def normals(seed, count):
    """Normal numbers, two for each pair of numbers of SplitMix64."""
    with np.errstate(over="ignore"):
        steps = np.arange(1, count + 1, dtype=np.uint64)
        z = np.uint64(seed) + steps * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    uniform = ((z >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
    radius, angle = np.sqrt(-2 * np.log(uniform[0::2])), 2 * np.pi * uniform[1::2]
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1).reshape(-1)


def regression(seed, examples):
    """Inputs and targets: for each example its inputs, then its error."""
    d = len(DELTA)
    drawn = normals(seed, examples * (d + 1)).reshape(examples, d + 1)
    x = drawn[:, :d]
    return x, x @ STAR + NOISE * drawn[:, d]


def gradients(x, y):
    return x * (x @ (STAR + DELTA) - y)[:, None]


def estimates(g, size):
    """tr Σ and |G|² from the gradients of micro-batches."""
    count, mean = len(g), g.mean(0)
    trace = size * ((g - mean) ** 2).sum() / (count - 1)
    return np.array([trace, mean @ mean - trace / (count * size)])


def left_out(g, size):
    """Both estimates without one of the gradients, for each of them."""
    count = len(g)
    means = (g.sum(0) - g) / (count - 1)
    squares = (g**2).sum() - (g**2).sum(1)
    spread = squares - (count - 1) * (means**2).sum(1)
    trace = size * spread / (count - 2)
    return np.stack([trace, (means**2).sum(1) - trace / ((count - 1) * size)], 1)


def noise(x, y, size):
    g = gradients(x, y).reshape(-1, size, x.shape[1]).mean(1)
    count = len(g)
    trace, square = estimates(g, size)
    pseudo = (count - 1) * (np.array([trace, square]) - left_out(g, size))
    pseudo -= pseudo.mean(0)
    (vss, vsa), (_, vaa) = pseudo.T @ pseudo / (count * (count - 1))
    t = student.ppf(0.5 + CONFIDENCE / 2, count - 1)

    error = np.sqrt(vss)
    third = (pseudo[:, 0] ** 3).mean() / (pseudo[:, 0] ** 2).mean() ** 1.5
    skewness = third * np.sqrt(count * (count - 1)) / (count - 2)
    a = max(skewness / np.sqrt(count), 2 * error / trace)
    upper = trace + (t + a * (2 * t**2 + 1) / 6) * error
    factor = np.exp(t * error / trace)
    trace_interval = [trace / factor, max(trace * factor, upper)]

    # Fieller: (tr Σ − R |G|²)² ≤ t² var(tr Σ − R |G|²).
    quadratic = [square**2 - t**2 * vaa, -2 * (trace * square - t**2 * vsa), trace**2 - t**2 * vss]
    assert quadratic[0] > 0 and square > 0
    scale_interval = sorted(np.roots(quadratic).real)

    hessian = x.T @ x / len(x)
    centered = g - g.mean(0)
    curvature = size * np.einsum("ki,ij,kj->", centered, hessian, centered) / (count - 1)
    along = g.mean(0) @ hessian @ g.mean(0) - curvature / len(x)
    return {
        "trace": trace,
        "gradient_norm_squared": square,
        "scale": trace / square,
        "trace_interval": trace_interval,
        "scale_interval": scale_interval,
        "curvature_trace": curvature,
        "curvature_scale": curvature / along,
    }


def holds(interval, value):
    return bool(interval[0] <= value <= interval[1])


def main():
    runs, covered = [], {}
    for seed in range(SWEEP):
        x, y = regression(seed, EXAMPLES)
        run = {"seed": seed, "first_input": x[0, 0], "last_target": y[-1]}
        for name, size in (("per_example", 1), ("micro_batches", MICRO_BATCH)):
            run[name] = noise(x, y, size)
            for interval, truth in (("trace", TRACE), ("scale", TRACE / SQUARE)):
                key = f"{interval}_{name}"
                covered.setdefault(key, 0)
                covered[key] += holds(run[name][f"{interval}_interval"], truth)
        if seed < SEEDS:
            runs.append(run)
    header = {
        "script": "golden/scripts/gradient_noise.py",
        "packages": {
            "numpy": np.__version__,
            "python": platform.python_version(),
            "scipy": scipy.__version__,
        },
        "seed": SEED,
        "dtype": "float64",
        "date": datetime.date.today().isoformat(),
    }
    settings = {"examples": EXAMPLES, "micro_batch": MICRO_BATCH, "seeds": SWEEP}
    text = '{\n  "header": %s,\n  "settings": %s,\n  "covered": %s,\n  "runs": [\n    %s\n  ]\n}\n' % (
        json.dumps(header),
        json.dumps(settings),
        json.dumps(covered),
        ",\n    ".join(json.dumps(run) for run in runs),
    )
    TARGET.write_text(text)


if __name__ == "__main__":
    main()
