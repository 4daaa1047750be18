"""Writes golden/merge/sharded/: two small checkpoints of bf16 shards with an index, by the Python package `safetensors`,
as libraries of Hugging Face write them; and what they hold, with their average, in expected.json.

    pip install safetensors numpy
    python golden/scripts/sharded_checkpoint.py
"""

import datetime
import json
import pathlib
import platform

import numpy
import safetensors

TARGET = pathlib.Path(__file__).resolve().parent.parent / "merge" / "sharded"
SEED = 26
# Of each shard.
SHAPES = [
    {"embed.weight": (6, 4), "layers.0.norm.weight": (4,), "layers.0.weight": (4, 4)},
    {"head.weight": (6, 4), "logit_scale": (), "norm.running_mean": (4,)},
]
POSITIONS = numpy.arange(8, dtype=numpy.int64).reshape(1, 8)


def to_bf16(values):
    """The upper halves of the nearest f32 numbers, rounded to even. All are finite."""
    bits = numpy.asarray(values, dtype=numpy.float32).view(numpy.uint32).astype(numpy.uint64)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(numpy.uint16)


def from_bf16(halves):
    return (halves.astype(numpy.uint32) << 16).view(numpy.float32)


def checkpoint(generator):
    draw = lambda shape: to_bf16(generator.normal(size=shape).astype(numpy.float32).reshape(-1))
    return [{name: draw(shape) for name, shape in shard.items()} for shard in SHAPES]


def spec(dtype, shape, data):
    """A tensor as it is written. NumPy has no bf16."""
    pointer, size = data.ctypes.data, data.nbytes
    return safetensors.TensorSpec(dtype=dtype, shape=list(shape), data_ptr=pointer, data_len=size)


def write(folder, shards):
    folder.mkdir(parents=True, exist_ok=True)
    weight_map, total = {}, 0
    for number, (shapes, tensors) in enumerate(zip(SHAPES, shards), start=1):
        file = f"model-{number:05}-of-{len(shards):05}.safetensors"
        entries = {name: spec("bfloat16", shapes[name], halves) for name, halves in tensors.items()}
        if number == 1:
            entries["position_ids"] = spec("int64", POSITIONS.shape, POSITIONS)
        safetensors.serialize_file(entries, folder / file, metadata={"format": "pt"})
        weight_map |= {name: file for name in entries}
        total += sum(entry.data_len for entry in entries.values())
    index = {"metadata": {"total_size": total}, "weight_map": weight_map}
    text = json.dumps(index, indent=2, sort_keys=True) + "\n"
    (folder / "model.safetensors.index.json").write_text(text)


def arrays(shards):
    return {
        name: {"shape": list(shape), "values": [float(x) for x in from_bf16(tensors[name])]}
        for shapes, tensors in zip(SHAPES, shards)
        for name, shape in shapes.items()
    }


def average(a, b):
    mean = lambda x, y: (from_bf16(x).astype(numpy.float64) + from_bf16(y).astype(numpy.float64)) / 2
    return [
        {name: to_bf16(mean(own[name], other[name]).astype(numpy.float32)) for name in own}
        for own, other in zip(a, b)
    ]


def main():
    generator = numpy.random.default_rng(SEED)
    a, b = checkpoint(generator), checkpoint(generator)
    write(TARGET / "a", a)
    write(TARGET / "b", b)
    header = {
        "script": "golden/scripts/sharded_checkpoint.py",
        "packages": {
            "python": platform.python_version(),
            "numpy": numpy.__version__,
            "safetensors": safetensors.__version__,
        },
        "seed": SEED,
        "dtype": "bfloat16",
        "date": datetime.date.today().isoformat(),
    }
    content = {"a": arrays(a), "b": arrays(b), "average": arrays(average(a, b))}
    lines = ",\n".join(f' "{name}": {json.dumps(value)}' for name, value in content.items())
    text = '{\n "header": ' + json.dumps(header) + ",\n" + lines + "\n}\n"
    (TARGET / "expected.json").write_text(text)


if __name__ == "__main__":
    main()
