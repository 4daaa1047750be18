"""Merges of benches/merge.rs in NumPy with safetensors, and by mergekit.

    pip install numpy safetensors
    cargo bench -p burnscape --bench merge

The benchmark starts this program and tells it on standard input which merge to do next, so that both take turns:

    python3 benches/peers/merge.py --base base.safetensors --models a.safetensors b.safetensors --out peer.safetensors

Each line of standard input is a method; the answer is its time in seconds from the files to the file, or a line that
begins with `missing` or `failed`. Methods:

- `average`, `slerp`, `ties`: one tensor at a time by `safe_open`, the result at once by `save_file`.
- `average-loaded`, `slerp-loaded`, `ties-loaded`: all files at once by `load_file`.
- `ties-model-loaded`: the threshold is over the model, for which all differences have to be in memory.
- `ties-mergekit`: `mergekit-pytorch` as a command, with the time in which Python starts, if it is installed.

All arithmetic is in single precision. TIES keeps the ⌈density · n⌉ largest differences, found by `numpy.partition`. The
result is written into the page cache, without `fsync`.
"""

import argparse
import contextlib
import json
import math
import pathlib
import shutil
import subprocess
import sys
import time

try:
    import numpy
    import safetensors
    from safetensors import safe_open
    from safetensors.numpy import load_file, save_file
except ImportError as error:
    print(f"missing {error.name}", flush=True)
    raise SystemExit(0) from None


def threshold(magnitudes, density):
    """The least of the magnitudes that are kept."""
    dropped = magnitudes.size - math.ceil(density * magnitudes.size)
    return numpy.partition(magnitudes, dropped)[dropped]


def elected(base, trimmed):
    """The base, and the mean of the trimmed differences that have the sign of their sum."""
    total = trimmed[0].copy()
    for difference in trimmed[1:]:
        total += difference
    is_positive = total >= 0
    numerator = numpy.zeros_like(total)
    count = numpy.zeros_like(total)
    for difference in trimmed:
        agrees = (difference != 0) & ((difference > 0) == is_positive)
        numerator += numpy.where(agrees, difference, 0)
        count += agrees
    return base + numerator / numpy.maximum(count, 1)


def ties(base, models, density, least=None):
    trimmed = []
    for index, model in enumerate(models):
        difference = model - base
        magnitudes = numpy.abs(difference)
        cut = threshold(magnitudes.ravel(), density) if least is None else least[index]
        trimmed.append(numpy.where(magnitudes >= cut, difference, 0))
    return elected(base, trimmed)


def average(_base, models, _density):
    return sum(models[1:], models[0]) / len(models)


def slerp(_base, models, _density):
    a, b = models
    norms = numpy.linalg.norm(a.ravel()) * numpy.linalg.norm(b.ravel())
    angle = numpy.arccos(numpy.clip(numpy.vdot(a, b) / norms, -1, 1))
    if angle < 1e-6:
        return 0.5 * (a + b)
    return numpy.sin(0.5 * angle) / numpy.sin(angle) * (a + b)


METHODS = {"average": average, "slerp": slerp, "ties": ties}


def streamed(method, arguments):
    merge = METHODS[method]
    with contextlib.ExitStack() as stack:
        opened = [
            stack.enter_context(safe_open(path, "numpy"))
            for path in [*arguments.models, arguments.base]
        ]
        base, models = opened[-1], opened[:-1]
        merged = {}
        for name in base.keys():
            merged[name] = merge(
                base.get_tensor(name) if method == "ties" else None,
                [model.get_tensor(name) for model in models],
                arguments.density,
            )
        save_file(merged, arguments.out)


def loaded(method, arguments):
    merge = METHODS[method]
    models = [load_file(path) for path in arguments.models]
    base = load_file(arguments.base) if method == "ties" else {}
    merged = {
        name: merge(base.get(name), [model[name] for model in models], arguments.density)
        for name in models[0]
    }
    save_file(merged, arguments.out)


def over_the_model(arguments):
    base, *models = [load_file(path) for path in [arguments.base, *arguments.models]]
    least = []
    for model in models:
        magnitudes = [numpy.abs(model[name] - base[name]).ravel() for name in base]
        least.append(threshold(numpy.concatenate(magnitudes), arguments.density))
    merged = {
        name: ties(base[name], [model[name] for model in models], arguments.density, least)
        for name in base
    }
    save_file(merged, arguments.out)


def by_mergekit(arguments):
    """`mergekit-pytorch`, which merges plain checkpoints."""
    program = shutil.which("mergekit-pytorch")
    if program is None:
        raise ModuleNotFoundError("mergekit")
    out = pathlib.Path(arguments.out).with_suffix(".mergekit")
    parameters = {"weight": 1.0, "density": arguments.density}
    # JSON is YAML.
    config = {
        "merge_method": "ties",
        "base_model": str(arguments.base),
        "models": [
            {"model": str(model), "parameters": parameters} for model in arguments.models
        ],
        "parameters": {"normalize": True},
        "dtype": "float32",
    }
    path = out.with_suffix(".yaml")
    path.write_text(json.dumps(config))
    try:
        subprocess.run(
            [program, str(path), str(out)],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    finally:
        path.unlink()
        shutil.rmtree(out, ignore_errors=True)


def run(method, arguments):
    if method == "ties-mergekit":
        by_mergekit(arguments)
    elif method == "ties-model-loaded":
        over_the_model(arguments)
    elif method.endswith("-loaded"):
        loaded(method.removesuffix("-loaded"), arguments)
    else:
        streamed(method, arguments)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--base", required=True)
    parser.add_argument("--models", nargs="+", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--density", type=float, default=0.5)
    arguments = parser.parse_args()
    print(f"ready NumPy {numpy.__version__}, safetensors {safetensors.__version__}", flush=True)
    for line in sys.stdin:
        start = time.perf_counter()
        try:
            run(line.strip(), arguments)
        except ModuleNotFoundError as error:
            print(f"missing {error}", flush=True)
        except Exception as error:  # The benchmark goes on without this one.
            print(f"failed {type(error).__name__}: {error}".splitlines()[0], flush=True)
        else:
            print(time.perf_counter() - start, flush=True)


if __name__ == "__main__":
    main()
