"""Writes golden/spectrum/*.json: what the matrices of golden/curvature/*.json say, by LAPACK in f64.

Run `python golden/scripts/spectrum.py` after golden/scripts/curvature.py. The matrices are PyTorch's; here
they are taken apart by `torch.linalg.eigh`, so that nothing of this project has a part in the numbers.
"""

import datetime
import json
import pathlib
import platform

import torch

GAMMA = 0.01


def matrix(upper):
    """The symmetric matrix of an upper triangle, row by row."""
    size = upper["size"]
    dense = torch.zeros(size, size, dtype=torch.float64)
    rows, columns = torch.triu_indices(size, size)
    dense[rows, columns] = torch.tensor(upper["values"], dtype=torch.float64)
    dense[columns, rows] = dense[rows, columns]
    return dense


def layers(parameters):
    """Ranges of coordinates by the module that owns them, in order."""
    ranges, start = [], 0
    for parameter in parameters:
        size = len(parameter["values"])
        owner = parameter["path"].rpartition(".")[0] or parameter["path"]
        if ranges and ranges[-1][0] == owner:
            ranges[-1][2] = start + size
        else:
            ranges.append([owner, start, start + size])
        start += size
    return ranges


def main():
    directory = pathlib.Path(__file__).resolve().parents[1]
    (directory / "spectrum").mkdir(exist_ok=True)
    for path in sorted((directory / "curvature").glob("*.json")):
        case = json.loads(path.read_text())
        answers = {}
        for name in ["hessian", "gauss_newton"]:
            dense = matrix(case[name])
            values = torch.linalg.eigvalsh(dense)
            diagonal = dense.diagonal()
            positive = values.clamp(min=0)
            answers[name] = {
                "eigenvalues": values.tolist(),
                "diagonal": diagonal.tolist(),
                "trace": diagonal.sum().item(),
                "layers": [
                    {"path": owner, "len": stop - start, "trace": diagonal[start:stop].sum().item()}
                    for owner, start, stop in layers(case["parameters"])
                ],
                "frobenius": torch.linalg.matrix_norm(dense).item(),
                "effective_dimension": (positive / (positive + GAMMA)).sum().item(),
            }
        header = {
            "script": "golden/scripts/spectrum.py",
            "packages": {"python": platform.python_version(), "torch": torch.__version__.split("+")[0]},
            "seed": case["header"]["seed"],
            "dtype": "float64",
            "date": datetime.date.today().isoformat(),
        }
        text = json.dumps({"header": header, "gamma": GAMMA, **answers}, separators=(",", ":"))
        for key in ["gamma", *answers]:
            text = text.replace(f',"{key}":', f',\n"{key}":', 1)
        (directory / "spectrum" / path.name).write_text(text + "\n")
        values = answers["hessian"]["eigenvalues"]
        print(f"{path.name}: {len(values)} eigenvalues from {values[0]:.4f} to {values[-1]:.4f}")


if __name__ == "__main__":
    main()
