"""Writes golden/linearize/zeros.json: second derivatives of products with exact zeros, by PyTorch.

Random programs in which factors are exactly zero go through `prod`, `prod` along an axis and `cumprod`. The
programs are not in the file: the numbers of SplitMix64 decide everything about them, here and in
crates/burnscape-linearize/tests/zeros/program.rs, which draws the same numbers in the same order. All of them
are small dyadic fractions, and so are the results, exactly.

    python golden/scripts/zeros.py
"""

import datetime
import json
import pathlib
import platform

import torch

SEED = 0
PROGRAMS = 5000
MASK = (1 << 64) - 1
VALUES = [-2, -1, 0, 0, 1, 2, 3]

TARGET = pathlib.Path(__file__).resolve().parent.parent / "linearize" / "zeros.json"


class Draws:
    """SplitMix64."""

    def __init__(self, seed):
        self.state = seed

    def below(self, bound):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return (z ^ (z >> 31)) % bound

    def matrix(self, values, rows, columns):
        drawn = [values[self.below(len(values))] for _ in range(rows * columns)]
        return torch.tensor(drawn, dtype=torch.float64).reshape(rows, columns)


def product(x, kind):
    if kind == 0:
        return x[0:1].prod().reshape(1, 1)
    if kind in (1, 2):
        return x.prod(dim=kind - 1, keepdim=True)
    return x.cumprod(dim=kind - 3)


def padded(x, columns):
    zeros = torch.zeros(x.shape[0], columns - x.shape[1], dtype=x.dtype)
    return torch.cat([x, zeros], dim=1)


def program(index):
    """A loss of two matrices, the point, and two directions."""
    draws = Draws(index)
    kind = index % 5
    rows, columns = 2 + draws.below(2), 2 + draws.below(3)
    point = [draws.matrix(VALUES, rows, columns) for _ in range(2)]
    slope = draws.matrix([-1, 1, 1, 2], rows, columns)
    shift = draws.matrix([0, 0, 0, 1, -1], rows, columns)
    mask = draws.matrix([0, 1, 1], rows, columns)
    first, second = draws.below(5), draws.below(5)
    is_twice, is_mixed = draws.below(2) == 1, draws.below(2) == 1
    width = columns + 1 if kind == 4 else columns
    weights = draws.matrix([-2, -1, 1, 2], rows, width)
    directions = [draws.matrix([-2, -1, 1, 2], 2 * rows, columns) for _ in range(2)]

    def loss(w, s):
        if kind == 0:
            x = w * slope + shift
        elif kind == 1:
            # A half keeps it off the kink.
            x = torch.relu(w * slope + shift + 0.5)
        elif kind == 2:
            x = (w * slope + shift) * mask
        elif kind == 3:
            x = w * s
        else:
            x = padded(w * slope, width)
        y = product(x, first)
        gate = padded(s, width)[: y.shape[0], : y.shape[1]]
        y = y * gate if is_mixed else y + gate
        if is_twice:
            y = product(y, second)
        return (y * weights[: y.shape[0], : y.shape[1]]).sum()

    return loss, point, directions


def halves(direction):
    rows = direction.shape[0] // 2
    return direction[:rows], direction[rows:]


def dot(parts, others):
    return sum((part * other).sum() for part, other in zip(parts, others)).item()


def expected(index):
    """The loss, its slope along the first direction, and the curvature along both."""
    loss, point, directions = program(index)
    leaves = [part.clone().requires_grad_(True) for part in point]
    u, v = (halves(direction) for direction in directions)
    value = loss(*leaves)
    gradient = torch.autograd.grad(value, leaves, create_graph=True, materialize_grads=True)
    slope = sum((part * other).sum() for part, other in zip(gradient, u))
    bent = torch.autograd.grad(slope, leaves, materialize_grads=True) if slope.requires_grad else u
    curvature = dot(bent, v) if slope.requires_grad else 0.0
    return [number if number != int(number) else int(number) for number in (value.item(), slope.item(), curvature)]


def main():
    header = {
        "script": "golden/scripts/zeros.py",
        "packages": {"python": platform.python_version(), "torch": torch.__version__},
        "seed": SEED,
        "dtype": "float64",
        "date": datetime.date.today().isoformat(),
    }
    torch.set_num_threads(1)
    rows = ",\n  ".join(json.dumps(expected(index)) for index in range(PROGRAMS))
    TARGET.parent.mkdir(exist_ok=True)
    header = json.dumps(header, indent=1).replace("\n", "\n ")
    TARGET.write_text(f'{{\n "header": {header},\n "programs": [\n  {rows}\n ]\n}}\n')


if __name__ == "__main__":
    main()
