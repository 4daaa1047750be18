"""Merge trees and top persistence beside cripser and GUDHI, on the same fields.

    pip install gudhi cripser numpy
    cargo bench -p burnscape-topology --no-run          # prints the path of the program
    python benches/peers/topology.py --ours target/release/deps/topology-…

The program of benches/topology.rs writes its fields to a temporary folder. Then, five times, ours and the others take turns
on each field, all with one thread: ours as a new process that times itself, the others here. Axis connectivity
against the V-construction, full connectivity against the T-construction. Medians, and ours over theirs.

- cripser: computePH with maxdim 0 (H0), and with maxdim d − 1 (all)
- GUDHI: CubicalComplex (all dimensions), and its specialized 2-D code (H0 and H1)
- Landscaper's topopy and nglpy took 61 s on a field of 51² on this project's machine; it is not run again
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import tempfile
import time

import cripser
import gudhi
import numpy as np
import tcripser

BARS = {
    ("smooth_1000", "h0"): 0.5,
    ("smooth_1000", "all"): 1.3,
    ("smooth_128_3", "h0"): 0.5,
    ("noise_1000", "h0"): 1.5,
    ("noise_128_3", "h0"): 2.0,
}
# GUDHI's complex of all dimensions takes half a minute and a gigabyte on larger ones.
GUDHI_CELLS = 1_100_000
# cripser's T-construction, and its higher dimensions, likewise.
ALL_CELLS = 1_100_000


def timed(run):
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def whole_complex(table, kind):
    complex_ = gudhi.CubicalComplex(**{kind: table})
    complex_.compute_persistence()


def two_dimensional():
    """The specialized 2-D code behind gudhi.sklearn, which itself needs scikit-learn."""
    try:
        from gudhi._pers_cub_low_dim_ext import _persistence_on_rectangle_from_top_cells
    except ImportError:
        return None
    return lambda table: _persistence_on_rectangle_from_top_cells(table, 0)


def measure(ours, file, fast):
    name, lengths, _ = file.name.split(".")
    shape = tuple(int(n) for n in lengths.split("x"))
    table = np.fromfile(file).reshape(shape)
    times, last = {}, None
    rounds = 5 if table.size <= 3_000_000 else 3
    for _ in range(rounds):
        text = subprocess.run([ours, "--measure", file, *map(str, shape)], check=True, capture_output=True, text=True)
        last = json.loads(text.stdout)
        one = {}
        for connectivity in ["Axis", "Full"]:
            found = last[connectivity]
            one[f"ours h0 {connectivity}"] = found["h0"]
            one[f"ours all {connectivity}"] = found["h0"] + found["top"]
        if table.size <= 3_000_000:
            one["cripser h0 Axis"] = timed(lambda: cripser.computePH(table, maxdim=0))
            if table.size <= ALL_CELLS:
                one["cripser all Axis"] = timed(lambda: cripser.computePH(table, maxdim=len(shape) - 1))
                if len(shape) < 4:
                    one["cripser h0 Full"] = timed(lambda: tcripser.computePH(table, maxdim=0))
        if len(shape) == 2 and fast is not None:
            one["gudhi 2-D Full"] = timed(lambda: fast(table))
        for key, value in one.items():
            times.setdefault(key, []).append(value)
    if table.size <= GUDHI_CELLS and len(shape) < 4:
        times["gudhi all Axis"] = [timed(lambda: whole_complex(table, "vertices"))]
    medians = {key: statistics.median(value) for key, value in times.items()}
    print(f"\n{name}, {table.size} cells, {rounds} rounds")
    for key, value in medians.items():
        print(f"  {key:<18}{value:9.4f} s")
    for connectivity in ["Axis", "Full"]:
        found = last[connectivity]
        print(f"  {connectivity}: {found['bytes']} bytes a cell at the peak, the field among them; {found['method']}")
        for what in ["h0", "all"]:
            peer = f"cripser {what} {connectivity}"
            if peer in times:
                ratios = [a / b for a, b in zip(times[f"ours {what} {connectivity}"], times[peer])]
                bar = BARS.get((name, what)) if connectivity == "Axis" else None
                said = "" if bar is None else f"  (bar {bar})"
                print(f"  ours ÷ {peer}: {statistics.median(ratios):.3f}{said}")
    if name == "smooth_51":
        print(f"  ours ÷ Landscaper's 61 s: {medians['ours h0 Full'] / 61:.1e}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--ours", required=True, help="the program that `cargo bench -p burnscape-topology --no-run` names")
    parser.add_argument("--only", help="one field")
    arguments = parser.parse_args()
    fast = two_dimensional()
    with tempfile.TemporaryDirectory() as directory:
        subprocess.run([arguments.ours, "--export", directory], check=True)
        for file in sorted(pathlib.Path(directory).iterdir(), key=lambda file: file.stat().st_size):
            if arguments.only is None or file.name.startswith(arguments.only + "."):
                measure(arguments.ours, file, fast)


if __name__ == "__main__":
    main()
