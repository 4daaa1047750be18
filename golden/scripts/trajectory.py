"""Writes golden/trajectory/pca.json: principal components of scattered points, by NumPy's singular value decomposition.

The points are not in the file: coordinate j of point i is sin(1.3 (i d + j + 1)^2), here and in tests/trajectory/pca.rs.

    python golden/scripts/trajectory.py
"""

import datetime
import json
import pathlib
import platform

import numpy

TARGET = pathlib.Path(__file__).resolve().parent.parent / "trajectory" / "pca.json"


def scattered(count, dimension):
    index = numpy.arange(count * dimension, dtype=float).reshape(count, dimension) + 1
    return numpy.sin(1.3 * index**2)


def case(count, dimension, kept, centering):
    points = scattered(count, dimension)
    center = points[-1] if centering == "end" else points.mean(axis=0)
    _, singular, right = numpy.linalg.svd(points - center, full_matrices=False)
    singular = singular[:kept]
    return {
        "count": count,
        "dimension": dimension,
        "centering": centering,
        "shares": list(singular**2 / ((points - center) ** 2).sum()),
        "singular_values": list(singular),
        # Up to their signs.
        "directions": [list(row) for row in right[:kept]],
    }


def main():
    # More coordinates than points, and fewer.
    shapes = [(6, 30, 4), (9, 5, 5), (2, 3, 1)]
    cases = [case(*shape, centering) for shape in shapes for centering in ("end", "mean")]
    header = {
        "script": "golden/scripts/trajectory.py",
        "packages": {"python": platform.python_version(), "numpy": numpy.__version__},
        "seed": 0,
        "dtype": "float64",
        "date": datetime.date.today().isoformat(),
    }
    lines = ",\n".join("  " + json.dumps(case) for case in cases)
    TARGET.write_text('{\n "header": ' + json.dumps(header) + ',\n "cases": [\n' + lines + "\n ]\n}\n")


if __name__ == "__main__":
    main()
