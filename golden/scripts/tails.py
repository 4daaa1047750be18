"""Writes golden/dynamics/tails.json: tail indices of stable samples with their intervals, by NumPy and SciPy.

The samples of a seed are those of Chambers, Mallows and Stuck (1976) from the numbers of SplitMix64: here, and in
tests/dynamics/tails/draws.rs, which draws the same numbers. Estimates and intervals are computed from their definitions:
all pairs are a matrix, the jackknife leaves out one block after the other and estimates again, and Hall's interval is
found with a root finder. Runs are written for the first seeds, and the coverage for all seeds of the sweep.

    python golden/scripts/tails.py
"""

import datetime
import json
import pathlib
import platform

import numpy as np
import scipy
from scipy.optimize import brentq
from scipy.stats import t as student

SEED = 0
SEEDS = 20
SWEEP = 1000
SAMPLES = 10_000
SUMS_OF = 100
GROUP = 16
SHIFTS = 32
CONFIDENCE = 0.95
ALPHAS = (1.5, 1.8, 2.0)

TARGET = pathlib.Path(__file__).resolve().parent.parent / "dynamics" / "tails.json"


def split_mix(seed, count):
    """The first numbers of SplitMix64."""
    with np.errstate(over="ignore"):
        steps = np.arange(1, count + 1, dtype=np.uint64)
        z = np.uint64(seed) + steps * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def stable(alpha, seed, count):
    """Symmetric stable samples of scale one, two numbers for each."""
    uniform = ((split_mix(seed, 2 * count) >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
    angle, wait = np.pi * (uniform[0::2] - 0.5), -np.log(uniform[1::2])
    tail = (np.cos((1 - alpha) * angle) / wait) ** ((1 - alpha) / alpha)
    return np.sin(alpha * angle) / np.cos(angle) ** (1 / alpha) * tail


def order(seed, count):
    """The order of the examples: by the numbers of a generator that the seed seeds."""
    return np.argsort(split_mix(int(split_mix(seed, 1)[0]), count), kind="stable")


def log(x):
    return np.log(np.abs(x))


def mohammadi(x):
    """Estimate of 1/alpha, and its jackknife values."""
    blocks = x[: len(x) // SUMS_OF * SUMS_OF].reshape(-1, SUMS_OF)
    count, sums = len(blocks), blocks.sum(1)
    single = log(blocks - np.roll(blocks, -1, 1)).mean(1)
    distance = (np.arange(count)[:, None] - np.arange(count)[None, :]) % count
    near = min(SHIFTS, (count - 1) // 2)
    is_pair = np.triu((distance > 0) & (np.minimum(distance, count - distance) <= near))
    gap = np.abs(sums[:, None] - sums[None, :]) + np.eye(count)
    value = (np.log(gap) - (single[:, None] + single[None, :]) / 2) / np.log(SUMS_OF)
    estimate = value[is_pair].mean()
    rest = []
    for block in range(count):
        stays = is_pair.copy()
        stays[block, :] = stays[:, block] = False
        rest.append(value[stays].mean())
    return estimate, count * estimate - (count - 1) * np.array(rest)


def log_variance(x):
    """Estimate of 1/alpha^2, and the values of the groups."""
    groups = x[: len(x) // GROUP * GROUP].reshape(-1, GROUP)
    first, second = np.triu_indices(GROUP, 1)
    value = log(groups[:, first] - groups[:, second])
    # The square of the mean is too large by the variance of the mean.
    error = value.mean(1).var(ddof=1) / len(groups)
    squares = ((value - value.mean()) ** 2).mean(1) + error
    values = 6 / np.pi**2 * squares - 0.5
    return values.mean(), values


def ends(estimate, values):
    """Hall's interval, equal-tailed."""
    count = len(values)
    shifted = values - values.mean()
    error = values.std(ddof=1) / np.sqrt(count)
    skewness = np.sqrt(count * (count - 1)) / (count - 2)
    skewness *= (shifted**3).mean() / (shifted**2).mean() ** 1.5
    a, t = skewness / np.sqrt(count), student.ppf(0.5 + CONFIDENCE / 2, count - 1)

    def transformed(s):
        return s + a * s**2 / 3 + a**2 * s**3 / 27 + a / 6

    roots = [brentq(lambda s: transformed(s) - end, -100, 100, xtol=1e-14, rtol=1e-14) for end in (t, -t)]
    return [estimate - root * error for root in roots]


def index(estimator, x):
    if estimator == "mohammadi":
        power, (estimate, values) = 1, mohammadi(x)
    else:
        power, (estimate, values) = 2, log_variance(x)
    inverses = [estimate, *reversed(ends(estimate, values))]
    return [inverse ** (-1 / power) for inverse in inverses]


def main():
    runs, covered = [], []
    for alpha in ALPHAS:
        for estimator in ("mohammadi", "log_variance"):
            found = []
            for seed in range(SWEEP):
                x = stable(alpha, seed, SAMPLES)
                value, low, high = index(estimator, x[order(seed, SAMPLES)])
                found.append((value, low <= alpha <= high))
                if seed < SEEDS:
                    run = {"true": alpha, "estimator": estimator, "seed": seed, "last": x[-1]}
                    runs.append(run | {"alpha": value, "low": low, "high": high})
            values, inside = np.array(found).T
            row = {"true": alpha, "estimator": estimator, "covered": int(inside.sum())}
            print(row, f"{values.mean():.3f} ± {values.std():.3f}")
            covered.append(row)
    header = {
        "script": "golden/scripts/tails.py",
        "packages": {
            "numpy": np.__version__,
            "python": platform.python_version(),
            "scipy": scipy.__version__,
        },
        "seed": SEED,
        "dtype": "float64",
        "date": datetime.date.today().isoformat(),
    }
    settings = {"samples": SAMPLES, "sums_of": SUMS_OF, "seeds": SWEEP}
    lists = [
        '  "%s": [\n    %s\n  ]' % (name, ",\n    ".join(json.dumps(row) for row in rows))
        for name, rows in (("covered", covered), ("runs", runs))
    ]
    text = '{\n  "header": %s,\n  "settings": %s,\n%s\n}\n' % (
        json.dumps(header),
        json.dumps(settings),
        ",\n".join(lists),
    )
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(text)


if __name__ == "__main__":
    main()
