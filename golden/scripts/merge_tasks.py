"""Writes golden/merge/tasks.json: merges of task vectors, by NumPy, from the definitions.

The models are not in the file: their numbers are those of SplitMix64, here and in tests/merge/task_methods.rs. A threshold
is the number in its place among the sorted magnitudes, and shares are counted with fractions. Tensors named `first` are
multiples of an eighth, so that many magnitudes are equal; half precision has multiples of a 64th, which it holds exactly.

    python golden/scripts/merge_tasks.py
"""

import datetime
import json
import math
import pathlib
import platform
from fractions import Fraction

import numpy as np

SEED = 3
MODELS = 3
TENSORS = {
    "first.weight": (5, 4),
    "first.bias": (5,),
    "second.weight": (3, 5),
    "second.bias": (3,),
    "gain": (40,),
}
STEP = 0x9E3779B97F4A7C15
MASK = 2**64 - 1

TARGET = pathlib.Path(__file__).resolve().parent.parent / "merge" / "tasks.json"


class Draws:
    """SplitMix64, from the state that is its own first number."""

    def __init__(self, seed):
        self.state = seed
        self.state = self.word()

    def word(self):
        self.state = (self.state + STEP) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return z ^ (z >> 31)

    def uniform(self):
        return (self.word() >> 11) / 2**53


def drawn(draws, base, dtype):
    """The tensors of the base, or of a model near it."""
    tensors = {}
    for name, shape in TENSORS.items():
        center = [0.0] * math.prod(shape) if base is None else base[name]
        spread = 1.0 if base is None else 0.25
        values = np.array([float(c) + spread * (2.0 * draws.uniform() - 1.0) for c in center])
        if name.startswith("first"):
            values = np.floor(8.0 * values) / 8.0
        elif dtype in ("f16", "bf16"):
            values = np.floor(64.0 * values) / 64.0
        tensors[name] = values if dtype == "f64" else values.astype(np.float32)
    return tensors


def by_path(default, **rules):
    """Rules are written with `__` for a point and `any` for an asterisk."""
    names = [(path.replace("__", ".").replace("any", "*"), value) for path, value in rules.items()]
    return {"default": default, "rules": names}


def at(value, path):
    names = path.split(".")
    for pattern, found in value["rules"]:
        pattern = pattern.split(".")
        pairs = zip(pattern, names)
        if len(pattern) <= len(names) and all(one in ("*", name) for one, name in pairs):
            return found
    return value["default"]


def ceil(share, count):
    return math.ceil(Fraction(str(share)) * count)


def floor(share, count):
    return math.floor(Fraction(str(share)) * count)


def descending(values):
    return np.sort(np.abs(values))[::-1]


def sparse(kind, settings, path, tau, whole):
    """One task vector; `whole` is that of the model."""
    if kind == "keep":
        return tau
    if kind == "magnitude":
        threshold = descending(tau)[ceil(at(settings["density"], path), len(tau)) - 1]
        return np.where(np.abs(tau) >= threshold, tau, 0)
    if kind == "model_magnitude":
        threshold = descending(whole)[ceil(settings["density"], len(whole)) - 1]
        return np.where(np.abs(tau) >= threshold, tau, 0)
    dropped = floor(settings["top"], len(tau))
    kept = descending(tau)[dropped:][: ceil(at(settings["density"], path), len(tau))]
    return np.where((np.abs(tau) <= kept[0]) & (np.abs(tau) >= kept[-1]), tau, 0)


def combined(combine, weights, taus):
    weights = np.array(weights, dtype=np.float64)[:, None]
    taus = np.array(taus, dtype=np.float64)
    total = (weights * taus).sum(0)
    if combine == "sum":
        return total
    if combine == "mean":
        return total / weights.sum()
    sign = np.where(total >= 0, 1.0, -1.0)
    agrees = np.sign(taus) == sign
    votes = (weights * agrees).sum(0)
    return (weights * taus * agrees).sum(0) / np.where(votes > 0, votes, 1)


def merged(method, weights, base, models):
    sparsify, combine = method["sparsify"], method["combine"]
    kind, settings = (sparsify, None) if isinstance(sparsify, str) else next(iter(sparsify.items()))
    taus = [{name: model[name] - base[name] for name in TENSORS} for model in models]
    whole = [np.concatenate(list(tau.values())) for tau in taus]
    result = {}
    for name in TENSORS:
        vectors = [sparse(kind, settings, name, tau[name], all) for tau, all in zip(taus, whole)]
        change = combined(combine, [at(weight, name) for weight in weights], vectors)
        values = base[name].astype(np.float64) + at(method["scale"], name) * change
        # As short as the type allows.
        result[name] = [float(str(x)) for x in values.astype(base[name].dtype)]
    return result


ONE = by_path(1.0)
EQUAL = [ONE] * MODELS
UNEQUAL = [by_path(0.5), by_path(2.0, gain=0.25), by_path(1.25, first=0.0, any__bias=3.0)]
SIGNED = [by_path(1.0), by_path(-0.5), by_path(0.75, second=-1.5)]
DENSITY = by_path(0.3, first__weight=0.55, any__bias=1.0)


def method(sparsify, combine, scale=ONE):
    return {"sparsify": sparsify, "combine": combine, "scale": scale, "seed": 0}


def magnitude(density):
    return {"magnitude": {"density": density}}


def over_model(density):
    return {"model_magnitude": {"density": density}}


def breadcrumbs(density, top):
    return {"breadcrumbs": {"density": density, "top": top}}


CASES = [
    (method("keep", "sum", by_path(0.3)), EQUAL),
    (method("keep", "sum", by_path(0.3, second=1.5, any__weight=-0.25)), SIGNED),
    (method("keep", "mean"), UNEQUAL),
    (method("keep", "elect_sign"), UNEQUAL),
    (method(magnitude(by_path(0.2)), "elect_sign"), EQUAL),
    (method(magnitude(DENSITY), "elect_sign", by_path(0.8)), UNEQUAL),
    (method(magnitude(DENSITY), "sum"), SIGNED),
    (method(magnitude(by_path(0.5)), "mean"), UNEQUAL),
    (method(over_model(0.2), "elect_sign"), EQUAL),
    (method(over_model(0.65), "elect_sign", by_path(1.0, gain=0.5)), UNEQUAL),
    (method(over_model(0.4), "sum"), SIGNED),
    (method(over_model(1.0), "mean"), UNEQUAL),
    (method(breadcrumbs(by_path(0.85), 0.1), "mean"), EQUAL),
    (method(breadcrumbs(DENSITY, 0.25), "sum", by_path(0.5)), SIGNED),
    (method(breadcrumbs(by_path(0.95), 0.5), "elect_sign"), UNEQUAL),
]


def main():
    lines = []
    for dtype in ("f32", "f64", "f16", "bf16"):
        draws = Draws(SEED)
        base = drawn(draws, None, dtype)
        models = [drawn(draws, base, dtype) for _ in range(MODELS)]
        for how, weights in CASES:
            # The result of a module has its type.
            if dtype in ("f32", "f64") or "model_magnitude" not in how["sparsify"]:
                case = {"dtype": dtype, "method": how, "weights": weights}
                lines.append(json.dumps(case | {"merged": merged(how, weights, base, models)}))
    header = {
        "script": "golden/scripts/merge_tasks.py",
        "packages": {"numpy": np.__version__, "python": platform.python_version()},
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
