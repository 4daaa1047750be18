"""The top five eigenvalues of the networks of benches/spectra, by the tools people use for them.

    pip install torch numpy scipy curvlinops-for-pytorch pyhessian
    cargo bench -p burnscape --bench spectra -- --export DIR --json ours.json
    python benches/peers/spectra.py --networks DIR --ours ours.json

The same weights, the same 1,024 digits, single precision, two threads:

- PyHessian's power iteration with deflation, until an eigenvalue changes by at most 1e-4 of itself
- SciPy's eigsh (ARPACK) on curvlinops' HessianLinearOperator: the same basis of 40 vectors and the same
  tolerance, 1e-4 of each eigenvalue

Prints products, seconds (medians) and the largest true residual over its eigenvalue; then ours over theirs.
Run both on the same quiet machine.
"""

import argparse
import gzip
import json
import pathlib
import statistics
import sys
import time
import warnings

import numpy
import scipy.sparse.linalg
import torch
import torch.nn.functional as F
from curvlinops import HessianLinearOperator
from pyhessian import hessian as pyhessian
from torch import nn

warnings.filterwarnings("ignore")
DIGITS = pathlib.Path(__file__).resolve().parents[2] / "examples" / "data" / "digits.csv.gz"
EXAMPLES, PAIRS, BASIS, TOLERANCE = 1024, 5, 40, 1e-4


class Cnn(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(1, 8, 3, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(8)
        self.second = nn.Conv2d(8, 16, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(16)
        self.last = nn.Linear(64, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.first_norm(self.first(x.unsqueeze(1)))), 2)
        x = F.max_pool2d(F.relu(self.second_norm(self.second(x))), 2)
        return self.last(x.flatten(1))


class WideMlp(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second, self.last = nn.Linear(64, 512), nn.Linear(512, 512), nn.Linear(512, 10)

    def forward(self, x):
        return self.last(F.relu(self.second(F.relu(self.first(x.flatten(1))))))


def with_weights(model, path):
    """The model with the weights that our benchmark exported. Burn's linear weights are transposed."""
    entries = json.loads(path.read_text())
    names = {"gamma": "weight", "beta": "bias"}
    state = model.state_dict()
    for name, entry in entries.items():
        values = torch.tensor(entry["values"]).reshape(entry["shape"])
        owner, _, leaf = name.rpartition(".")
        target = f"{owner}.{names.get(leaf, leaf)}"
        if isinstance(model.get_submodule(owner), nn.Linear) and leaf == "weight":
            values = values.T
        assert state[target].shape == values.shape, name
        state[target] = values.contiguous()
    model.load_state_dict(state)
    return model.eval()


def digits():
    table = numpy.loadtxt(gzip.open(DIGITS, "rt"), delimiter=",", max_rows=EXAMPLES)
    images = torch.tensor(table[:, :64] / 16, dtype=torch.float32).reshape(-1, 8, 8)
    return images, torch.tensor(table[:, 64], dtype=torch.long)


def power_iteration(model, data, _):
    # The package's attribute of that name is the class.
    module = sys.modules["pyhessian.hessian"]
    count = 0
    original = module.hessian_vector_product

    def counted(*arguments):
        nonlocal count
        count += 1
        return original(*arguments)

    module.hessian_vector_product = counted
    model.zero_grad()
    try:
        found = pyhessian(model, nn.CrossEntropyLoss(), data=data, cuda=False)
        values, vectors = found.eigenvalues(maxIter=10_000, tol=TOLERANCE, top_n=PAIRS)
    finally:
        module.hessian_vector_product = original
    vectors = [torch.cat([part.reshape(-1) for part in vector]).numpy() for vector in vectors]
    return values, vectors, count


def arpack(_model, _data, operator):
    count = 0

    def product(v):
        nonlocal count
        count += 1
        return (operator @ torch.from_numpy(v.astype("float32")).reshape(-1)).numpy()

    size = operator.shape[0]
    linear = scipy.sparse.linalg.LinearOperator((size, size), product, dtype="float32")
    start = numpy.random.default_rng(0).standard_normal(size).astype("float32")
    values, vectors = scipy.sparse.linalg.eigsh(
        linear, PAIRS, which="LA", ncv=BASIS, tol=TOLERANCE, v0=start
    )
    order = numpy.argsort(-values)
    return values[order].tolist(), [vectors[:, index] for index in order], count


def residual(operator, values, vectors):
    worst = 0.0
    for value, vector in zip(values, vectors):
        vector = torch.from_numpy(numpy.asarray(vector, dtype="float32"))
        vector = vector / vector.norm()
        worst = max(worst, ((operator @ vector) - value * vector).norm().item() / abs(value))
    return worst


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--networks", type=pathlib.Path, required=True)
    parser.add_argument("--ours", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    data = digits()
    ours = json.loads(arguments.ours.read_text()) if arguments.ours else {}
    print("network    tool              products        s  largest residual  eigenvalues")
    for name, kind in [("cnn", Cnn), ("wide_mlp", WideMlp)]:
        model = with_weights(kind(), arguments.networks / f"{name}.json")
        parameters = [p for p in model.parameters() if p.requires_grad]
        operator = HessianLinearOperator(
            model, nn.CrossEntropyLoss(), parameters, [data], check_deterministic=False
        )
        line = lambda tool, products, seconds, worst, values: print(
            f"{name:<10} {tool:<16} {products:>9} {seconds:>8.2f} {worst:>17.1e}  "
            + " ".join(f"{value:.4f}" for value in values)
        )
        mine = ours.get(name)
        if mine:
            line("ours", mine["products"], mine["ms"] / 1e3, mine["largest_residual"], mine["eigenvalues"])
        for tool, method in [("PyHessian", power_iteration), ("eigsh curvlinops", arpack)]:
            seconds = []
            for _ in range(arguments.rounds):
                torch.manual_seed(0)
                start = time.perf_counter()
                values, vectors, products = method(model, data, operator)
                seconds.append(time.perf_counter() - start)
            worst = residual(operator, values, vectors)
            line(tool, products, statistics.median(seconds), worst, values)
            if mine:
                ratios = mine["products"] / products, mine["ms"] / 1e3 / statistics.median(seconds)
                print(f"{'':<10} ours / this {ratios[0]:>14.2f} {ratios[1]:>8.2f}")


if __name__ == "__main__":
    main()
