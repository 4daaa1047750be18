"""Two versions of the library, compared by the same benchmark in turns.

    cargo bench -p burnscape --bench curvature --no-run      # prints the binary; copy it
    python benches/peers/pairs.py --before OLD --after NEW -- --rounds 5 --only conv_28

Runs both binaries with the arguments after `--`, and with `--json FILE`, from the current folder:
15 pairs by default, and in every other pair the new one first, so that a slow minute of the machine
and the order fall on both. Prints for every positive number of the files the medians, and the
median of after / before over the pairs with an interval for it: the order statistics of the sign
test, which assume no distribution, with at least 95 % coverage (six pairs are the fewest).
`*` marks intervals that 1 is not in. Of many figures, about one in twenty is marked by chance: run
again for those that matter.

Made for benchmarks whose `--json` is a table of figures: curvature, spectra, pinn.
"""

import argparse
import json
import math
import pathlib
import statistics
import subprocess
import sys
import tempfile


def figures(value, path=()):
    """The positive numbers of a JSON value, by their path."""
    if isinstance(value, dict):
        parts = value.items()
    elif isinstance(value, list):
        parts = enumerate(value)
    elif isinstance(value, bool) or not isinstance(value, (int, float)):
        return {}
    else:
        usable = math.isfinite(value) and value > 0
        return {".".join(path): value} if usable else {}
    found = {}
    for key, part in parts:
        found.update(figures(part, (*path, str(key))))
    return found


def measured(binary, arguments):
    """The figures of one run."""
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "figures.json"
        command = [str(binary), *arguments, "--json", str(file)]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        if run.returncode != 0 or not file.exists():
            sys.exit(f"{' '.join(command)} failed or wrote no file:\n{run.stdout}{run.stderr}")
        return figures(json.loads(file.read_text()))


def rank(count):
    """The largest rank from each end between which the median is in 95 % of samples, and the share."""
    outside, best = 0.0, (0, 0.0)
    for index in range(count // 2):
        outside += 2 * math.comb(count, index) / 2**count
        if outside > 0.05:
            break
        best = (index + 1, 1 - outside)
    return best


def main():
    own, arguments = sys.argv[1:], []
    if "--" in own:
        place = own.index("--")
        own, arguments = own[:place], own[place + 1 :]
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], epilog="Arguments after -- are those of the benchmark."
    )
    parser.add_argument("--before", required=True, type=pathlib.Path, help="the old binary")
    parser.add_argument("--after", required=True, type=pathlib.Path, help="the new binary")
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--json", help="where to write the figures of all runs")
    options = parser.parse_args(own)
    at, share = rank(options.pairs)
    if at == 0:
        parser.error(f"{options.pairs} pairs have no interval of 95 %; take six or more")
    if "--json" in arguments:
        parser.error("the benchmark's --json is set here; leave it out after --")

    sides = {"before": options.before.resolve(), "after": options.after.resolve()}
    runs = {side: [] for side in sides}
    for pair in range(options.pairs):
        order = ["before", "after"] if pair % 2 == 0 else ["after", "before"]
        for side in order:
            runs[side].append(measured(sides[side], arguments))
        print(f"pair {pair + 1} of {options.pairs}", file=sys.stderr)
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(runs, indent=1))

    everywhere = [run for side in runs.values() for run in side]
    names = [name for name in everywhere[0] if all(name in run for run in everywhere)]
    missing = {name for run in everywhere for name in run} - set(names)
    width = max([len("figure"), *map(len, names)])
    print(f"{options.pairs} pairs, intervals of {100 * share:.1f} %")
    print(f"{'figure':<{width}} {'before':>12} {'after':>12} {'after / before':>15}  interval")
    for name in names:
        before, after = ([run[name] for run in runs[side]] for side in ("before", "after"))
        ratios = sorted(new / old for old, new in zip(before, after))
        low, high = ratios[at - 1], ratios[-at]
        mark = "" if low <= 1 <= high else " *"
        print(
            f"{name:<{width}} {statistics.median(before):>12.5g} {statistics.median(after):>12.5g} "
            f"{statistics.median(ratios):>15.3f}  {low:.3f} to {high:.3f}{mark}"
        )
    if missing:
        print(f"not in every run: {', '.join(sorted(missing))}")


if __name__ == "__main__":
    main()
