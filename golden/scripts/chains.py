"""Writes golden/posterior/chains.json: chains of draws with their diagnostics, by ArviZ.

The chains are in the file, with a few decimals each, and ArviZ reads the same numbers. It refuses the R-hat of a
single chain; there its own functions get the halves of that chain. The thirds are the first and the last draws of every
chain, a third of them and at least four.

    python golden/scripts/chains.py
"""

import datetime
import json
import pathlib
import platform
import warnings

import numpy as np
import scipy

with warnings.catch_warnings():
    # It announces its next version.
    warnings.simplefilter("ignore", FutureWarning)
    import arviz
    from arviz.stats.diagnostics import _rhat, _split_chains, _z_scale

SEED = 0
DECIMALS = 4

TARGET = pathlib.Path(__file__).resolve().parent.parent / "posterior" / "chains.json"


def autoregressive(rng, phi, chains, draws):
    """Stationary, of variance one."""
    x = rng.standard_normal((chains, draws))
    x[:, 1:] *= np.sqrt(1 - phi**2)
    for t in range(1, draws):
        x[:, t] += phi * x[:, t - 1]
    return x


CASES = {
    "independent": lambda rng: rng.standard_normal((4, 250)),
    "slow": lambda rng: autoregressive(rng, 0.8, 4, 250),
    "alternating": lambda rng: autoregressive(rng, -0.5, 4, 250),
    # The integrated time is below the least that counts.
    "strongly alternating": lambda rng: autoregressive(rng, -0.95, 2, 200),
    "very slow": lambda rng: autoregressive(rng, 0.995, 2, 200),
    "shifted": lambda rng: rng.standard_normal((4, 200)) + 0.5 * np.arange(4)[:, None],
    "unequal scales": lambda rng: rng.standard_normal((4, 200)) * np.array([[1], [1], [1], [3]]),
    "trend": lambda rng: rng.standard_normal((4, 200)) + np.linspace(0, 2, 200),
    "one chain": lambda rng: autoregressive(rng, 0.5, 1, 300),
    "odd": lambda rng: 10 + autoregressive(rng, 0.6, 3, 257),
    "ties": lambda rng: rng.poisson(1.0, (3, 101)).astype(float),
    "heavy tail": lambda rng: rng.standard_cauchy((4, 250)),
    "skew": lambda rng: autoregressive(rng, 0.7, 4, 250) ** 2,
    "fewest": lambda rng: rng.standard_normal((4, 8)),
    "short": lambda rng: rng.standard_normal((2, 11)),
    # Every pair of lags counts.
    "far apart": lambda rng: rng.standard_normal((3, 50)) + 20 * np.arange(3)[:, None],
    "constant": lambda rng: np.full((2, 20), 0.25),
}


def split_rhat(x):
    return _rhat(_split_chains(x)) if len(x) == 1 else arviz.rhat(x, method="split")


def rank_rhat(x):
    if len(x) > 1:
        return arviz.rhat(x, method="rank")
    halves = _split_chains(x)
    return max(_rhat(_z_scale(halves)), _rhat(_z_scale(np.abs(halves - np.median(halves)))))


def diagnostics(x):
    third = max(x.shape[1] // 3, 4)
    ends = [x[:, :third], x[:, -third:]]
    means = [end.mean() for end in ends]
    errors = [arviz.mcse(end, method="mean") for end in ends]
    found = {
        "mean": x.mean(),
        "standard_deviation": x.std(ddof=1),
        "ess": arviz.ess(x, method="mean"),
        "standard_error": arviz.mcse(x, method="mean"),
        "plain_rhat": arviz.rhat(x, method="identity") if len(x) > 1 else np.nan,
        "split_rhat": split_rhat(x),
        "rank_rhat": rank_rhat(x),
        "thirds": means,
        "third_standard_errors": errors,
        "drift": (means[1] - means[0]) / np.hypot(*errors),
    }
    plain = {name: np.asarray(value, dtype=float).tolist() for name, value in found.items()}
    return {name: None if value != value else value for name, value in plain.items()}


def main():
    np.seterr(invalid="ignore")
    lines = []
    for index, (name, draw) in enumerate(CASES.items()):
        x = draw(np.random.default_rng([SEED, index])).round(DECIMALS)
        found = diagnostics(x)
        print(name, x.shape, {key: found[key] for key in ("ess", "split_rhat", "rank_rhat", "drift")})
        lines.append(json.dumps({"name": name, **found, "chains": x.tolist()}))
    header = {
        "script": "golden/scripts/chains.py",
        "packages": {
            "arviz": arviz.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
            "scipy": scipy.__version__,
        },
        "seed": SEED,
        "dtype": "float64",
        "date": datetime.date.today().isoformat(),
    }
    text = '{\n  "header": %s,\n  "cases": [\n    %s\n  ]\n}\n' % (
        json.dumps(header),
        ",\n    ".join(lines),
    )
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(text)


if __name__ == "__main__":
    main()
