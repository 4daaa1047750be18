"""Writes golden/merge/matrices.json: merged matrices by NumPy and SciPy, from the definitions of the methods.

    pip install scipy
    python golden/scripts/merge_matrices.py

`singular`: a base, models and their weights, and

- `tsv_m`: for shares of the rank (null: one over the number of models) and a scale the base plus scale times U' S V'^T. With the
  leading singular triplets of every weighted difference side by side, U' = U (U^T U)^(-1/2) by an eigendecomposition, with the
  pseudo-inverse. Triplets whose singular value is zero to rounding are left out.
- `iso_c`: the base plus scale times the mean of all singular values of the sum of the weighted differences, times its polar
  factor on the range. SciPy's `polar` gives the factor where the rank is full.

`regression`: weights [in, out] of several models with Gram matrices of their inputs, and `regmean` by a solve of the normal
equations, for factors of the off-diagonals and ridges. The ridge is in both sums: on the right with the weighted mean.
"""

import datetime
import json
import pathlib
import platform

import numpy as np
import scipy
from scipy.linalg import polar

SEED = 11

TARGET = pathlib.Path(__file__).resolve().parent.parent / "merge" / "matrices.json"


def array(x):
    return {"shape": list(x.shape), "values": list(x.reshape(-1))}


def triplets(matrix):
    u, s, vt = np.linalg.svd(matrix, full_matrices=False)
    kept = s > max(matrix.shape) * np.finfo(float).eps * s[0]
    return u[:, kept], s[kept], vt[kept].T


def orthogonal(side):
    values, vectors = np.linalg.eigh(side.T @ side)
    kept = values > 1e-10 * values[-1]
    root = vectors[:, kept] / np.sqrt(values[kept])
    return side @ root @ vectors[:, kept].T


def tsv_m(base, models, weights, share, scale):
    size = min(base.shape)
    count = size // len(models) if share is None else int(size * share + 1e-9)
    count = max(1, count)
    parts = [triplets(weight * (model - base)) for model, weight in zip(models, weights)]
    u, v = (np.hstack([part[side][:, :count] for part in parts]) for side in (0, 2))
    s = np.concatenate([part[1][:count] for part in parts])
    return base + scale * orthogonal(u) @ np.diag(s) @ orthogonal(v).T


def iso_c(base, models, weights, scale):
    total = sum(weight * (model - base) for model, weight in zip(models, weights))
    u, s, v = triplets(total)
    factor = u @ v.T
    if len(s) == min(base.shape):
        assert np.abs(factor - polar(total)[0]).max() < 1e-12
    return base + scale * s.sum() / min(base.shape) * factor


def regmean(grams, matrices, weights, off_diagonal, ridge):
    size = len(grams[0])
    scaled = [off_diagonal * gram + (1 - off_diagonal) * np.diag(np.diag(gram)) for gram in grams]
    total = sum(weight * gram for weight, gram in zip(weights, scaled))
    right = sum(weight * gram @ matrix for weight, gram, matrix in zip(weights, scaled, matrices))
    mean = sum(weight * matrix for weight, matrix in zip(weights, matrices)) / sum(weights)
    added = ridge * np.trace(total) / size
    return np.linalg.solve(total + added * np.eye(size), right + added * mean)


def singular_case(rng, shape, rank, weights, shares):
    def matrix():
        if rank is None:
            return rng.standard_normal(shape)
        return rng.standard_normal((shape[0], rank)) @ rng.standard_normal((rank, shape[1]))

    base = rng.standard_normal(shape)
    models = [base + matrix() for _ in weights]
    tsv = [
        {"share": share, "scale": scale, "merged": array(tsv_m(base, models, weights, share, scale))}
        for share, scale in shares
    ]
    iso = [{"scale": scale, "merged": array(iso_c(base, models, weights, scale))} for scale in (1.0, 0.4)]
    return {
        "base": array(base),
        "models": [array(model) for model in models],
        "weights": weights,
        "tsv_m": tsv,
        "iso_c": iso,
    }


def regression_case(rng, size, outputs, examples, weights, settings):
    inputs = [rng.standard_normal((count, size)) @ np.diag(np.linspace(0.5, 2, size)) for count in examples]
    grams = [x.T @ x for x in inputs]
    matrices = [rng.standard_normal((size, outputs)) for _ in weights]
    return {
        "grams": [array(gram) for gram in grams],
        "models": [array(matrix) for matrix in matrices],
        "weights": weights,
        "regmean": [
            {
                "off_diagonal": off_diagonal,
                "ridge": ridge,
                "merged": array(regmean(grams, matrices, weights, off_diagonal, ridge)),
            }
            for off_diagonal, ridge in settings
        ],
    }


def main():
    rng = np.random.default_rng(SEED)
    singular = [
        singular_case(rng, (6, 4), None, [1.0, 1.0], [(None, 1.0), (0.75, 0.5)]),
        singular_case(rng, (4, 9), None, [1.0, 0.5, 2.0], [(None, 1.0), (0.5, 1.5), (1.0, 1.0)]),
        singular_case(rng, (12, 12), None, [1.0, -0.3, 1.0, 1.0], [(None, 0.8)]),
        # Differences of rank two.
        singular_case(rng, (7, 5), 2, [1.0], [(None, 1.0)]),
        singular_case(rng, (9, 8), 2, [1.0, 1.0], [(None, 1.0), (1.0, 1.0)]),
    ]
    regression = [
        regression_case(rng, 5, 3, [20, 9], [1.0, 1.0], [(1.0, 0.0), (0.9, 0.0), (0.9, 0.1)]),
        # Fewer examples than inputs.
        regression_case(rng, 6, 8, [2, 3, 3], [1.0, 0.25, 2.0], [(0.5, 0.0), (0.0, 0.0), (1.0, 0.01)]),
    ]
    header = {
        "script": "golden/scripts/merge_matrices.py",
        "packages": {
            "numpy": np.__version__,
            "python": platform.python_version(),
            "scipy": scipy.__version__,
        },
        "seed": SEED,
        "dtype": "float64",
        "date": datetime.date.today().isoformat(),
    }
    lists = [
        ' "%s": [\n  %s\n ]' % (name, ",\n  ".join(json.dumps(case) for case in cases))
        for name, cases in (("singular", singular), ("regression", regression))
    ]
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text('{\n "header": %s,\n%s\n}\n' % (json.dumps(header), ",\n".join(lists)))


if __name__ == "__main__":
    main()
