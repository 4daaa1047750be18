"""Golden runs of sharpness-aware optimizers, in PyTorch and f64.

Writes golden/optim/<model>_<method>_<base>.json: a small model is trained for ten steps on one
fixed batch, and the parameters at the start and at the end are kept, with what a step reports.

    python golden/scripts/optim.py

The methods are written out below from their definitions; no optimizer package is used besides
torch.optim.SGD as the base.

Conventions are those of Burn:

- Parameters are named by their path in the Burn module. A linear weight is [d_input, d_output],
  so a layer is `x @ w + b`. Convolution weights are [out, in, height, width] in both libraries.
- Batch norm: Burn keeps the *biased* batch variance in its running variance, PyTorch the unbiased
  one. The running statistics here follow Burn. Epsilon 1e-5 and momentum 0.1 mean the same in
  both. Training does not read the running statistics, so the parameters do not depend on this.
- The second pass, at the displaced weights, normalizes with the statistics of the batch and leaves
  the running ones as the first pass left them.
- The momentum is 0.875 because Burn keeps it in single precision, in which 0.9 is another number.
- Lengths are guarded as `rho / (length + 1e-12)` for every method.
"""

import argparse
import datetime
import json
import math
import pathlib
import platform

import numpy
import torch
import torch.nn.functional as F

SEED = 17
STEPS = 10
BATCH = 12
CLASSES = 3
GUARD = 1e-12
NORM_EPSILON = 1e-5
NORM_MOMENTUM = 0.1
# No activation may be closer than this to a kink of ReLU or to a tie of max pooling, in any pass of
# any run: in single precision it could fall on the other side, and the runs would part for good.
KINK_MARGIN = 1e-5

DIRECTORY = pathlib.Path(__file__).resolve().parent.parent / "optim"


def norm_of(vector):
    return math.sqrt(sum(value.square().sum().item() for value in vector.values()))


def dot(x, y):
    return sum((x[path] * y[path]).sum().item() for path in x)


def linear(a, x, b, y):
    """a x + b y"""
    return {path: a * x[path] + b * y[path] for path in x}


class Mlp:
    """6-8-5-3 with tanh."""

    name = "mlp"
    lr = 0.2
    widths = {"hidden1": (6, 8), "hidden2": (8, 5), "output": (5, CLASSES)}

    def __init__(self, rng):
        self.parameters = {}
        for layer, (inputs, outputs) in self.widths.items():
            self.parameters[f"{layer}.weight"] = uniform(rng, (inputs, outputs), inputs)
            self.parameters[f"{layer}.bias"] = uniform(rng, (outputs,), inputs)
        self.running = {}
        self.input = torch.from_numpy(rng.standard_normal((BATCH, 6)))

    def logits(self, p, x):
        x = torch.tanh(x @ p["hidden1.weight"] + p["hidden1.bias"])
        x = torch.tanh(x @ p["hidden2.weight"] + p["hidden2.bias"])
        return x @ p["output.weight"] + p["output.bias"], {}, math.inf


class Cnn:
    """1x8x8: conv3 (padding 1), norm, ReLU, max pool 2; conv3, norm, ReLU; linear."""

    name = "cnn"
    lr = 0.05

    def __init__(self, rng):
        self.parameters = {
            "conv1.weight": uniform(rng, (4, 1, 3, 3), 9),
            "conv1.bias": uniform(rng, (4,), 9),
            # Not ones and zeros, so that every parameter of the norm matters from the first step.
            "norm1.gamma": 1.0 + 0.5 * uniform(rng, (4,), 1),
            "norm1.beta": 0.5 * uniform(rng, (4,), 1),
            "conv2.weight": uniform(rng, (6, 4, 3, 3), 36),
            "conv2.bias": uniform(rng, (6,), 36),
            "norm2.gamma": 1.0 + 0.5 * uniform(rng, (6,), 1),
            "norm2.beta": 0.5 * uniform(rng, (6,), 1),
            "output.weight": uniform(rng, (24, CLASSES), 24),
            "output.bias": uniform(rng, (CLASSES,), 24),
        }
        self.running = {
            "norm1.running_mean": torch.zeros(4),
            "norm1.running_var": torch.ones(4),
            "norm2.running_mean": torch.zeros(6),
            "norm2.running_var": torch.ones(6),
        }
        self.input = torch.from_numpy(rng.standard_normal((BATCH, 1, 8, 8)))

    def logits(self, p, x):
        statistics = {}

        def norm(layer, x):
            variance, mean = torch.var_mean(x.detach(), dim=(0, 2, 3), correction=0)
            statistics[f"{layer}.running_mean"] = mean
            statistics[f"{layer}.running_var"] = variance
            gamma, beta = p[f"{layer}.gamma"], p[f"{layer}.beta"]
            return F.batch_norm(x, None, None, gamma, beta, training=True, eps=NORM_EPSILON)

        first = norm("norm1", F.conv2d(x, p["conv1.weight"], p["conv1.bias"], padding=1))
        pooled = F.max_pool2d(F.relu(first), 2)
        second = norm("norm2", F.conv2d(pooled, p["conv2.weight"], p["conv2.bias"]))
        features = F.relu(second).flatten(1)
        margin = min(first.abs().min().item(), second.abs().min().item(), tie_margin(first))
        return features @ p["output.weight"] + p["output.bias"], statistics, margin


def tie_margin(x):
    """The smallest lead of a positive maximum over the runner-up of its 2x2 window."""
    windows = F.unfold(x.detach().flatten(0, 1).unsqueeze(1), 2, stride=2)
    best, second = windows.topk(2, dim=1).values.unbind(1)
    # A window without a positive value has no gradient whichever of its zeros is the maximum.
    return torch.where(best > 0, best - second, math.inf).min().item()


def uniform(rng, shape, inputs):
    bound = 1.0 / math.sqrt(inputs)
    return torch.from_numpy(rng.uniform(-bound, bound, shape))


class Sam:
    """Foret et al. 2021: e = rho g / |g|; the base steps with the gradient at w + e."""

    name = "sam"
    rho = 0.05

    def direction(self, gradient):
        """What is ascended along. Called once for every gradient at w."""
        return gradient

    def wants_second(self, step):
        return True

    def displacement(self, parameters, gradient):
        direction = self.direction(gradient)
        scale = self.rho / (norm_of(direction) + GUARD)
        return {path: scale * value for path, value in direction.items()}

    def combine(self, gradient, perturbed):
        return perturbed

    def without_second(self, gradient):
        raise NotImplementedError


class Asam(Sam):
    """Kwon et al. 2021: e = rho T² g / |T g|, T = |w| + eta on weights of rank two and more."""

    name = "asam"
    rho = 0.5
    eta = 0.01

    def displacement(self, parameters, gradient):
        metric = {
            path: w.abs() + self.eta if w.ndim >= 2 else torch.ones_like(w)
            for path, w in parameters.items()
        }
        scaled = {path: metric[path] * g for path, g in gradient.items()}
        scale = self.rho / (norm_of(scaled) + GUARD)
        return {path: scale * metric[path] * value for path, value in scaled.items()}


class Gsam(Sam):
    """Zhuang et al. 2022, constant rho: g_p - alpha g_perp, g_perp orthogonal to g_p."""

    name = "gsam"
    alpha = 0.4

    def combine(self, gradient, perturbed):
        unit = {path: value / norm_of(perturbed) for path, value in perturbed.items()}
        orthogonal = linear(1.0, gradient, -dot(gradient, unit), unit)
        return linear(1.0, perturbed, -self.alpha, orthogonal)


class Wsam(Sam):
    """Yue et al. 2023, coupled: a g_p + (1 - a) g, a = gamma / (1 - gamma)."""

    name = "wsam"
    gamma = 0.9

    def combine(self, gradient, perturbed):
        a = self.gamma / (1.0 - self.gamma)
        return linear(a, perturbed, 1.0 - a, gradient)


class LookSam(Sam):
    """Liu et al. 2022: SAM every `every` steps; between, g + alpha |g| / |g_v| g_v."""

    name = "look_sam"
    every = 3
    alpha = 0.7

    def wants_second(self, step):
        return step % self.every == 0

    def combine(self, gradient, perturbed):
        lengths = norm_of(gradient) * norm_of(perturbed)
        cosine = dot(gradient, perturbed) / lengths
        along = norm_of(perturbed) * cosine / norm_of(gradient)
        self.kept = linear(1.0, perturbed, -along, gradient)
        return perturbed

    def without_second(self, gradient):
        scale = self.alpha * norm_of(gradient) / norm_of(self.kept)
        return linear(1.0, gradient, scale, self.kept)


class FriendlySam(Sam):
    """Li et al. 2024: ascends along g - sigma m, m the average of the plain gradients before this."""

    name = "friendly_sam"
    sigma = 1.0
    decay = 0.9
    average = None

    def direction(self, gradient):
        before = gradient if self.average is None else self.average
        self.average = linear(self.decay, before, 1.0 - self.decay, gradient)
        return linear(1.0, gradient, -self.sigma, before)


def evaluate(model, parameters, target):
    leaves = {path: value.detach().requires_grad_() for path, value in parameters.items()}
    logits, statistics, margin = model.logits(leaves, model.input)
    assert margin > KINK_MARGIN, f"{model.name}: {margin} from a kink, choose another seed"
    loss = F.cross_entropy(logits, target)
    gradient = dict(zip(leaves, torch.autograd.grad(loss, list(leaves.values()))))
    return loss.item(), gradient, statistics


def train(model_class, method, momentum, date):
    rng = numpy.random.default_rng(SEED)
    model = model_class(rng)
    target = torch.from_numpy(rng.integers(0, CLASSES, BATCH))
    parameters = model.parameters
    initial = as_json(parameters)
    base = torch.optim.SGD(parameters.values(), lr=model.lr, momentum=momentum or 0.0, dampening=0)
    losses, perturbed_losses, gradient_norms, cosines = [], [], [], []

    for step in range(STEPS):
        loss, gradient, statistics = evaluate(model, parameters, target)
        for path, batch in statistics.items():
            running = model.running[path]
            model.running[path] = (1.0 - NORM_MOMENTUM) * running + NORM_MOMENTUM * batch
        perturbed_loss = cosine = None
        if method.wants_second(step):
            displacement = method.displacement(parameters, gradient)
            displaced = linear(1.0, parameters, 1.0, displacement)
            perturbed_loss, perturbed, _ = evaluate(model, displaced, target)
            cosine = dot(gradient, perturbed) / (norm_of(gradient) * norm_of(perturbed))
            handed_on = method.combine(gradient, perturbed)
        else:
            handed_on = method.without_second(gradient)
        losses.append(loss)
        perturbed_losses.append(perturbed_loss)
        gradient_norms.append(norm_of(gradient))
        cosines.append(cosine)
        for path, value in parameters.items():
            value.grad = handed_on[path]
        base.step()

    fields = ("rho", "eta", "alpha", "gamma", "every", "sigma", "decay")
    return {
        "header": {
            "script": "golden/scripts/optim.py",
            "packages": {
                "torch": torch.__version__,
                "numpy": numpy.__version__,
                "python": platform.python_version(),
            },
            "seed": SEED,
            "dtype": "float64",
            "date": date,
        },
        "model": model.name,
        "method": {"name": method.name}
        | {field: getattr(method, field) for field in fields if hasattr(method, field)},
        "lr": model.lr,
        "momentum": momentum,
        "input": array(model.input),
        "target": target.tolist(),
        "initial": initial,
        "final": as_json(parameters),
        "losses": losses,
        "perturbed_losses": perturbed_losses,
        "gradient_norms": gradient_norms,
        "cosines": cosines,
        "running": as_json(model.running),
    }


def array(tensor):
    return {"shape": list(tensor.shape), "values": tensor.flatten().tolist()}


def as_json(vector):
    return {path: array(value) for path, value in vector.items()}


def written(value, indent=""):
    """JSON with objects over several lines and lists on one. Floats read back as they were."""
    if not isinstance(value, dict) or not value:
        return json.dumps(value, allow_nan=False)
    inner = indent + "  "
    items = [f"{inner}{json.dumps(key)}: {written(item, inner)}" for key, item in value.items()]
    return "{\n" + ",\n".join(items) + f"\n{indent}}}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--date", default=datetime.date.today().isoformat())
    date = parser.parse_args().date

    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    cases = [
        (model, method, momentum)
        for model in (Mlp, Cnn)
        for method in (Sam, Asam)
        for momentum in (None, 0.875)
    ]
    cases += [(Mlp, method, None) for method in (Gsam, Wsam, LookSam, FriendlySam)]

    DIRECTORY.mkdir(exist_ok=True)
    for model, method, momentum in cases:
        run = train(model, method(), momentum, date)
        base = "sgd" if momentum is None else "momentum"
        path = DIRECTORY / f"{model.name}_{method.name}_{base}.json"
        path.write_text(written(run) + "\n")
        losses = run["losses"]
        print(f"{path.name}: loss {losses[0]:.4f} to {losses[-1]:.4f}")


if __name__ == "__main__":
    main()
