"""What SciPy's eigsh (ARPACK) takes for the top five eigenpairs.

Writes golden/krylov/eigsh.json: for prescribed spectra, basis sizes and tolerances, the products
that eigsh takes, mean over 200 random starts, and the largest error of its eigenvalues. Products are
those of the diagonal matrix of the spectrum: a Krylov method with a random start does not see more
of a matrix than its spectrum.

    python golden/scripts/krylov.py
"""

import datetime
import json
import pathlib
import platform

import numpy
import scipy
from scipy.sparse.linalg import LinearOperator, eigsh

SEED = 5
STARTS = 200
N = 150
K = 5

TARGET = pathlib.Path(__file__).resolve().parent.parent / "krylov" / "eigsh.json"


def spectra():
    i = numpy.arange(N)
    outliers = (i / N) ** 6 - 0.01
    outliers[-5:] = [1.5, 2.0, 3.0, 5.0, 8.0]
    return {
        "decay": 0.9**i,
        "slow": 1.0 / (1.0 + i),
        "outliers": outliers,
        "even": i / N,
        "signs": numpy.where(i % 2 == 0, 1.0, -1.0) * 0.95 ** (i // 2),
    }


def products(values, ncv, tol):
    rng = numpy.random.default_rng(SEED)
    counts, errors = [], []
    exact = numpy.sort(values)[-K:]
    for _ in range(STARTS):
        count = 0

        def matvec(v):
            nonlocal count
            count += 1
            return values * v.ravel()

        operator = LinearOperator((N, N), matvec=matvec, dtype=numpy.float64)
        start = rng.standard_normal(N)
        found = eigsh(
            operator, K, which="LA", ncv=ncv, tol=tol, v0=start, return_eigenvectors=False
        )
        counts.append(count)
        errors.append(float(abs(numpy.sort(found) - exact).max() / abs(values).max()))
    return float(numpy.mean(counts)), max(errors)


def main():
    cases = []
    for name, values in spectra().items():
        for ncv in (20, 40):
            for tol in (1e-3, 1e-6, 1e-10):
                mean, error = products(values, ncv, tol)
                cases.append(
                    {"spectrum": name, "ncv": ncv, "tol": tol, "products": mean, "error": error}
                )
    header = {
        "script": "golden/scripts/krylov.py",
        "packages": {
            "python": platform.python_version(),
            "numpy": numpy.__version__,
            "scipy": scipy.__version__,
        },
        "seed": SEED,
        "dtype": "float64",
        "date": datetime.date.today().isoformat(),
    }
    file = {
        "header": header,
        "k": K,
        "spectra": {name: values.tolist() for name, values in spectra().items()},
        "cases": cases,
    }
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(json.dumps(file, indent=1) + "\n")


if __name__ == "__main__":
    main()
