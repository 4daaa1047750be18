"""What devinterp's learning coefficients are worth and what a draw costs, on the cases of benches/posterior.

    pip install devinterp
    cargo bench -p burnscape --bench posterior -- --only cases --json ours.json --export network
    python benches/peers/posterior.py --ours ours.json --network network

Written for devinterp 2.0.1. Every case has the settings of our benchmark: nβ, localizer, step, chains, burn-in and draws,
with all data in every step. devinterp's plain Langevin steps (SGLD without minibatches) are those of our `Langevin`, so that both
have the same bias and differ by sampling error only; MALA has none. Prints

- exact:      where it is known
- Langevin, MALA: ours, with standard errors: the larger of that from the effective sample size and that from the means of chains
- llc():      devinterp's number, the mean over all steps, burn-in included, ± the standard deviation between chains
- after burn-in: the same from its own trace of losses without the burn-in, ± its standard error from the means of chains
- ms a draw:  ours, of llc() with all data as one example (its sampler, without loading examples one by one), of the bare loop of
  loss, gradient and devinterp's optimizer, and, for the network, of llc() with a batch of all examples

and the findings with which our numbers come. Of quadratics and reduced-rank regression our time is that of Burn's operations on
a handful of numbers, and PyTorch's that of its own. Run both on the same quiet machine. The PyTorch that pip installs is the
build for CUDA; here it runs on the CPU.
"""

import argparse
import contextlib
import io
import json
import logging
import math
import pathlib
import shutil
import tempfile
import time
import warnings

import numpy as np
import torch
import torch.nn.functional as F
from datasets import Dataset
from torch import nn

# It warns of temporary files, and draws a bar for each chain.
warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)

from devinterp.optim import SGMCMC  # noqa: E402
from devinterp.slt.llc import llc  # noqa: E402


class Quadratic(nn.Module):
    """Half of sum h w^2."""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.zeros(4))
        self.register_buffer("h", torch.tensor([4.0, 1.0, 0.25, 0.0]))

    def losses(self):
        return (0.5 * (self.h * self.w**2).sum())[None]


class ReducedRank(nn.Module):
    """Half of |B A|^2, at the zero map."""

    def __init__(self):
        super().__init__()
        self.a = nn.Parameter(torch.zeros(2, 2))
        self.b = nn.Parameter(torch.zeros(2, 2))

    def losses(self):
        return (0.5 * (self.a @ self.b).square().sum())[None]


class Network(nn.Module):
    """784-128-10 with tanh, weights as inputs by outputs, and cross entropy of each example."""

    def __init__(self, directory):
        super().__init__()
        load = lambda name: torch.from_numpy(np.load(directory / f"{name}.npy"))
        for name in ["hidden.weight", "hidden.bias", "last.weight", "last.bias"]:
            self.register_parameter(name.replace(".", "_"), nn.Parameter(load(name)))
        self.register_buffer("x", load("x"))
        self.register_buffer("y", load("y"))

    def losses(self, rows=slice(None)):
        hidden = torch.tanh(self.x[rows] @ self.hidden_weight + self.hidden_bias)
        logits = hidden @ self.last_weight + self.last_bias
        return F.cross_entropy(logits, self.y[rows], reduction="none")


def whole(model, ids):
    """All data as one example."""
    return model.losses().mean().expand(len(ids), 1)


def by_rows(model, ids):
    """Every example is a row, whose number stands where devinterp has tokens."""
    return model.losses(ids[:, 0])[:, None]


def estimate(model, case, step, seed, loss_fn=whole, rows=1, burn_in=None, draws=None):
    """devinterp's own estimate and what it stores, and the seconds that took."""
    ids = Dataset.from_dict({"input_ids": [[row, row] for row in range(rows)]})
    directory = pathlib.Path(tempfile.mkdtemp())
    try:
        start = time.perf_counter()
        with contextlib.redirect_stderr(io.StringIO()):
            found = llc(
                model=model,
                dataset=ids.with_format("torch"),
                observables={},
                lr=step,
                n_beta=case["n_beta"],
                localization=case["localizer"],
                num_chains=case["chains"],
                num_burnin_steps=case["burn_in"] if burn_in is None else burn_in,
                num_draws=case["draws"] if draws is None else draws,
                batch_size=rows,
                num_init_loss_batches=1,
                init_seed=seed,
                loss_fn=loss_fn,
                device="cpu",
                output_path=directory / "samples.zarr",
            ).load()
        return found, time.perf_counter() - start
    finally:
        shutil.rmtree(directory)


def without_burn_in(found, case):
    """The coefficient from the losses after the burn-in, and its standard error."""
    trace = found.loss_trace.values[:, case["burn_in"] :].astype(np.float64)
    chains = case["n_beta"] * (trace.mean(axis=1) - float(found.init_loss))
    return chains.mean(), chains.std(ddof=1) / math.sqrt(len(chains))


def bare_loop(model, case, step, steps):
    """Milliseconds of a loss, its gradient and a step of devinterp's optimizer."""
    optimizer = SGMCMC.sgld(
        model.parameters(), lr=step, nbeta=case["n_beta"], localization=case["localizer"]
    )
    for index in range(steps + steps // 10):
        if index == steps // 10:
            start = time.perf_counter()
        model.losses().mean().backward()
        optimizer.step()
        optimizer.zero_grad()
    return (time.perf_counter() - start) * 1e3 / steps


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--ours", required=True, type=pathlib.Path)
    parser.add_argument("--network", type=pathlib.Path, help="what --export wrote; without it, no network")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.manual_seed(arguments.seed)
    makers = {"quadratic": Quadratic, "reduced rank": ReducedRank}
    if arguments.network:
        makers["784-128-10"] = lambda: Network(arguments.network)

    print(f"{'':<13} {'exact':>8} {'Langevin':>17} {'MALA':>17} {'llc()':>17} {'after burn-in':>17}")
    pair = lambda value, error: f"{value:.4f} ± {error:.4f}"
    times, findings = [], []
    for case in json.loads(arguments.ours.read_text())["cases"]:
        name = case["name"]
        if name not in makers:
            continue
        langevin, mala = case["langevin"], case["mala"]
        step = langevin["step"]
        model = makers[name]()
        found, seconds = estimate(model, case, step, arguments.seed)
        per_chain = found.llc_per_chain.values.astype(np.float64)
        exact = "" if case["exact"] is None else f"{case['exact']:.4f}"
        print(
            f"{name:<13} {exact:>8}"
            f" {pair(langevin['estimate'], langevin['standard_error']):>17}"
            f" {pair(mala['estimate'], mala['standard_error']):>17}"
            f" {pair(float(found.llc_mean), per_chain.std(ddof=1)):>17}"
            f" {pair(*without_burn_in(found, case)):>17}"
        )
        steps = case["chains"] * (case["burn_in"] + case["draws"])
        row = [langevin["ms_per_draw"], mala["ms_per_draw"], seconds * 1e3 / steps]
        row.append(bare_loop(makers[name](), case, step, min(steps, 2000)))
        if name == "784-128-10":
            few = {**case, "chains": 1}
            rows = len(model.y)
            _, seconds = estimate(model, few, step, arguments.seed, by_rows, rows, 0, 20)
            row.append(seconds * 1e3 / 20)
        times.append((name, row))
        findings += [(name, sampler, case[sampler]["findings"]) for sampler in ["langevin", "mala"]]

    print(f"\nms a draw     {'Langevin':>9} {'MALA':>9} {'llc()':>9} {'bare loop':>10} {'llc() by rows':>14}")
    for name, row in times:
        widths = [9, 9, 9, 10, 14]
        print(f"{name:<13} " + " ".join(f"{ms:>{width}.3f}" for ms, width in zip(row, widths)))
    print("\nwhat our numbers come with")
    for name, sampler, texts in findings:
        for text in texts or ["nothing found"]:
            print(f"{name}, {sampler}: {text}")


if __name__ == "__main__":
    main()
