"""Golden curvature matrices, in PyTorch and f64.

Writes golden/curvature/<case>.json: a small model with its parameters and a batch, and the dense
matrices of its loss at that point: Hessian, generalized Gauss-Newton, Fisher, empirical Fisher, the
Jacobian of the outputs, and the neural tangent kernel.

    python golden/scripts/curvature.py

Everything is made from the definitions with torch.func; no curvature package is used:

- Hessian: the Jacobian of the gradient.
- Gauss-Newton: J^T H J with the Hessian H of the criterion as a function of the outputs.
- Fisher: 1/n sum_i J_i^T F_i J_i, with F_i = diag(p) - p p^T for classifiers (p = softmax of the
  logits) and F_i = 1 for regression (targets of variance one around the outputs).
- Empirical Fisher: 1/n sum_i g_i g_i^T with the gradients g_i of the losses of single examples.
- Jacobian: one row an output, examples in order and the outputs of an example one after the other.

Conventions are those of Burn: a linear weight is [d_input, d_output], so a layer is `x @ w + b`;
parameters come in the order in which the fields of the Burn module are declared; layer norm and
batch norm divide by sqrt(biased variance + 1e-5).
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
from torch.func import jacfwd, jacrev

SEED = 23
EPSILON = 1e-5
# Nothing may be closer than this to a kink of ReLU or a tie of max pooling: single precision and
# another order of summation must not change a side.
KINK_MARGIN = 1e-3

DIRECTORY = pathlib.Path(__file__).resolve().parent.parent / "curvature"


def linear(name, d_in, d_out):
    return [(f"{name}.weight", [d_in, d_out]), (f"{name}.bias", [d_out])]


def affine(p, name, x):
    return x @ p[f"{name}.weight"] + p[f"{name}.bias"]


class Kinks:
    """Keeps the distance to the nearest kink that was met."""

    def __init__(self):
        self.nearest = math.inf
        self.watching = False

    def see(self, distance):
        if self.watching:
            self.nearest = min(self.nearest, distance.min().item())


KINKS = Kinks()


def relu(x):
    KINKS.see(x.abs())
    return torch.where(x > 0, x, torch.zeros_like(x))


def max_pool(x):
    n, c, h, w = x.shape
    windows = x.reshape(n, c, h // 2, 2, w // 2, 2).permute(0, 1, 2, 4, 3, 5).reshape(n, c, h // 2, w // 2, 4)
    top = windows.topk(2, dim=-1).values
    # Zeros that ReLU made tie without moving.
    ties = (top[..., 0] - top[..., 1])[top[..., 0] > 0]
    if ties.numel():
        KINKS.see(ties)
    return windows.max(dim=-1).values


def normalized(x, axes):
    mean = x.mean(axes, keepdim=True)
    variance = (x - mean).square().mean(axes, keepdim=True)
    return (x - mean) / torch.sqrt(variance + EPSILON)


class Mlp:
    """3-4-3 with tanh."""

    shapes = linear("first", 3, 4) + linear("last", 4, 3)
    input = [5, 3]
    classes = 3

    def outputs(self, p, x, buffers):
        return affine(p, "last", torch.tanh(affine(p, "first", x)))


class Cnn:
    """Convolution, batch norm with running statistics, ReLU, max pooling, linear."""

    shapes = [
        ("conv.weight", [2, 1, 3, 3]),
        ("conv.bias", [2]),
        ("norm.gamma", [2]),
        ("norm.beta", [2]),
    ] + linear("last", 8, 3)
    input = [4, 1, 4, 4]
    classes = 3
    buffers = {"norm.running_mean": [0.3, -0.2], "norm.running_var": [0.7, 1.9]}

    def outputs(self, p, x, buffers):
        x = F.conv2d(x, p["conv.weight"], p["conv.bias"], padding=1)
        mean = buffers["norm.running_mean"][None, :, None, None]
        variance = buffers["norm.running_var"][None, :, None, None]
        x = (x - mean) / torch.sqrt(variance + EPSILON)
        x = x * p["norm.gamma"][None, :, None, None] + p["norm.beta"][None, :, None, None]
        return affine(p, "last", max_pool(relu(x)).flatten(1))


class Residual:
    """Two residual blocks with ReLU, and a regression head."""

    shapes = [
        shape
        for block in range(2)
        for shape in linear(f"inner.{block}", 3, 4) + linear(f"outer.{block}", 4, 3)
    ]
    # Burn visits a field before the next one: all inner layers, then all outer ones.
    shapes = sorted(shapes, key=lambda entry: entry[0].split(".")[0]) + linear("last", 3, 2)
    input = [5, 3]
    targets = [5, 2]

    def outputs(self, p, x, buffers):
        for block in range(2):
            x = x + affine(p, f"outer.{block}", relu(affine(p, f"inner.{block}", x)))
        return affine(p, "last", x)


class Lstm:
    """An LSTM over four steps, and a regression head on its last state."""

    gates = ["input_gate", "forget_gate", "output_gate", "cell_gate"]
    shapes = [
        shape
        for gate in gates
        for shape in linear(f"lstm.{gate}.input_transform", 2, 3)
        + linear(f"lstm.{gate}.hidden_transform", 3, 3)
    ] + linear("last", 3, 2)
    input = [3, 4, 2]
    targets = [3, 2]

    def outputs(self, p, x, buffers):
        hidden = torch.zeros(x.shape[0], 3, dtype=x.dtype)
        cell = torch.zeros(x.shape[0], 3, dtype=x.dtype)
        for step in range(x.shape[1]):
            gate = {
                name: affine(p, f"lstm.{name}.input_transform", x[:, step])
                + affine(p, f"lstm.{name}.hidden_transform", hidden)
                for name in self.gates
            }
            kept = torch.sigmoid(gate["forget_gate"]) * cell
            cell = kept + torch.sigmoid(gate["input_gate"]) * torch.tanh(gate["cell_gate"])
            hidden = torch.sigmoid(gate["output_gate"]) * torch.tanh(cell)
        return affine(p, "last", hidden)


LAYER = "encoder.layers.0"


class Transformer:
    """One encoder layer (norm after, Gelu by erf, four heads), mean over words, a linear head."""

    shapes = [
        *[
            shape
            for name in ["query", "key", "value", "output"]
            for shape in linear(f"{LAYER}.mha.{name}", 4, 4)
        ],
        *linear(f"{LAYER}.pwff.linear_inner", 4, 3),
        *linear(f"{LAYER}.pwff.linear_outer", 3, 4),
        (f"{LAYER}.norm_1.gamma", [4]),
        (f"{LAYER}.norm_1.beta", [4]),
        (f"{LAYER}.norm_2.gamma", [4]),
        (f"{LAYER}.norm_2.beta", [4]),
        *linear("last", 4, 3),
    ]
    input = [3, 3, 4]
    classes = 3
    heads = 4

    def outputs(self, p, x, buffers):
        n, words, d = x.shape
        size = d // self.heads

        def split(name):
            y = affine(p, f"{LAYER}.mha.{name}", x)
            return y.reshape(n, words, self.heads, size).transpose(1, 2)

        scores = split("query") @ split("key").transpose(2, 3) / math.sqrt(size)
        context = torch.softmax(scores, 3) @ split("value")
        context = context.transpose(1, 2).reshape(n, words, d)
        x = self.norm(p, "norm_1", x + affine(p, f"{LAYER}.mha.output", context))
        inner = F.gelu(affine(p, f"{LAYER}.pwff.linear_inner", x))
        x = self.norm(p, "norm_2", x + affine(p, f"{LAYER}.pwff.linear_outer", inner))
        return affine(p, "last", x.mean(1))

    def norm(self, p, name, x):
        return normalized(x, (2,)) * p[f"{LAYER}.{name}.gamma"] + p[f"{LAYER}.{name}.beta"]


class BatchNormMlp:
    """3-4-3 with ReLU and batch norm in training: examples meet in the statistics of the batch."""

    shapes = linear("first", 3, 4) + [("norm.gamma", [4]), ("norm.beta", [4])] + linear("last", 4, 3)
    input = [6, 3]
    classes = 3

    def outputs(self, p, x, buffers):
        x = normalized(affine(p, "first", x), (0,)) * p["norm.gamma"] + p["norm.beta"]
        return affine(p, "last", relu(x))


CASES = {
    "mlp": Mlp(),
    "cnn": Cnn(),
    "residual": Residual(),
    "lstm": Lstm(),
    "transformer": Transformer(),
    "batch_norm_mlp": BatchNormMlp(),
}

# Of the weighted, smoothed criterion of the mlp.
CLASS_WEIGHTS = [1.0, 0.25, 3.0]
# A multiple of the number of classes: Burn divides it by them in single precision.
SMOOTHING = 0.1875


def smoothed_cross_entropy(z, y):
    """Burn's CrossEntropyLoss with weights and smoothing: targets are mixed with the uniform law,
    each term is weighted by its class, and the sum is divided by the weights of the targets."""
    weights = torch.tensor(CLASS_WEIGHTS, dtype=z.dtype)
    classes = z.shape[1]
    targets = F.one_hot(y, classes).to(z.dtype) * (1 - SMOOTHING) + SMOOTHING / classes
    terms = -(targets * torch.log_softmax(z, 1) * weights).sum()
    return terms / weights[y].sum()


def run(name, model, generator):
    def draw(shape):
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    def parameter(path, shape):
        value = draw(shape) * 0.6
        # Scales are away from zero.
        return value * 0.3 + 1.0 if path.endswith("gamma") else value

    parameters = {path: parameter(path, shape) for path, shape in model.shapes}
    buffers = getattr(model, "buffers", {})
    buffers = {path: torch.tensor(values, dtype=torch.float64) for path, values in buffers.items()}
    x = draw(model.input)
    is_classifier = hasattr(model, "classes")
    if is_classifier:
        y = torch.randint(0, model.classes, (model.input[0],), generator=generator)
    else:
        y = draw(model.targets)

    lengths = [math.prod(shape) for _, shape in model.shapes]

    def unflat(w):
        parts = torch.split(w, lengths)
        return {path: part.reshape(shape) for (path, shape), part in zip(model.shapes, parts)}

    w = torch.cat([parameters[path].reshape(-1) for path, _ in model.shapes])
    n = model.input[0]

    def outputs(w):
        return model.outputs(unflat(w), x, buffers)

    def losses(z):
        if is_classifier:
            return F.cross_entropy(z, y, reduction="none")
        return (z - y).square().mean(1)

    def criterion(z):
        return losses(z).mean()

    KINKS.nearest, KINKS.watching = math.inf, True
    z = outputs(w)
    KINKS.watching = False
    if KINKS.nearest < KINK_MARGIN:
        return None

    def newton(criterion, jacobian):
        middle = jacfwd(jacrev(criterion))(z).reshape(z.numel(), z.numel())
        return jacobian.T @ middle @ jacobian

    loss = criterion(z)
    gradient = jacrev(lambda w: criterion(outputs(w)))(w)
    hessian = jacfwd(jacrev(lambda w: criterion(outputs(w))))(w)
    jacobian = jacrev(outputs)(w).reshape(z.numel(), w.numel())
    rows = jacobian.reshape(n, -1, w.numel())
    if is_classifier:
        p = torch.softmax(z, 1)
        middle = torch.diag_embed(p) - p[:, :, None] * p[:, None, :]
        fisher = torch.einsum("nai,nab,nbj->ij", rows, middle, rows) / n
    else:
        fisher = torch.einsum("nai,naj->ij", rows, rows) / n
    gradients = jacrev(lambda w: losses(outputs(w)))(w)
    case = {
        "parameters": [
            {"path": path, "shape": shape, "values": parameters[path].reshape(-1).tolist()}
            for path, shape in model.shapes
        ],
        "buffers": {path: array(value) for path, value in buffers.items()},
        "input": array(x),
        "target": array(y.to(torch.float64)),
        "outputs": array(z),
        "loss": loss.item(),
        "gradient": array(gradient),
        "hessian": upper(hessian),
        "gauss_newton": upper(newton(criterion, jacobian)),
        "fisher": upper(fisher),
        "empirical_fisher": upper(gradients.T @ gradients / n),
        "jacobian": array(jacobian),
        "ntk": upper(jacobian @ jacobian.T),
    }
    if name == "mlp":
        case["weighted_gauss_newton"] = upper(newton(lambda z: smoothed_cross_entropy(z, y), jacobian))
    return case


def array(value):
    return {"shape": list(value.shape), "values": value.reshape(-1).tolist()}


def upper(matrix):
    """The upper triangle of a symmetric matrix, row by row."""
    asymmetry = (matrix - matrix.T).abs().max() / matrix.abs().max()
    assert asymmetry < 1e-12, asymmetry
    rows, columns = torch.triu_indices(*matrix.shape)
    return {"size": matrix.shape[0], "values": matrix[rows, columns].tolist()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--directory", type=pathlib.Path, default=DIRECTORY)
    directory = parser.parse_args().directory
    directory.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    for name, model in CASES.items():
        seed = SEED
        while (case := run(name, model, torch.Generator().manual_seed(seed))) is None:
            seed += 1
        header = {
            "script": "golden/scripts/curvature.py",
            "packages": {
                "python": platform.python_version(),
                "torch": torch.__version__.split("+")[0],
                "numpy": numpy.__version__,
            },
            "seed": seed,
            "dtype": "float64",
            "date": datetime.date.today().isoformat(),
        }
        path = directory / f"{name}.json"
        text = json.dumps({"header": header, **case}, separators=(",", ":"))
        # One field a line, so that a diff says which one changed.
        for key in case:
            text = text.replace(f',"{key}":', f',\n"{key}":', 1)
        path.write_text(text + "\n")
        print(f"{path.name}: {sum(len(p['values']) for p in case['parameters'])} parameters, seed {seed}")


if __name__ == "__main__":
    main()
