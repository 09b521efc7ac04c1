"""Pack a trained pair for the live page: ``python site/pack.py RUN`` writes static/live.json and static/live.bin.

The weights of the pair in these files come from::

    dcgan --mode train --hidden 128 --batch_size 128 --learning_rate 0.0005 --g_learning_rate 0.002 --falling \\
        --steps 5000 --out out/live
    python site/pack.py out/live
"""

import argparse
import json
from pathlib import Path

import numpy as np

STATIC = Path(__file__).resolve().parent / "static"
NETWORKS = ("generator", "discriminator")


def layers(network) -> list[dict]:
    """What the page must know of each layer: its kind, its weights' shapes, and the settings that it computes with."""
    found = []
    for layer in network.layers:
        known = {"kind": type(layer).__name__, "shapes": [list(w.shape) for w in layer.weights]}
        if hasattr(layer, "strides"):
            known["stride"] = layer.strides[0]
        if hasattr(layer, "epsilon"):
            known["epsilon"] = layer.epsilon
        if hasattr(layer, "negative_slope"):
            known["slope"] = float(layer.negative_slope)
        found.append(known)
    return found


def pack(run: Path, folder: Path) -> None:
    """Write ``live.json``, the layers of both networks, and ``live.bin``, all weights in their order, float16."""
    from dcgan_lib.runs import load_pair

    pair = load_pair(run)
    weights = [np.asarray(weight, np.float16).ravel() for network in pair for weight in network.get_weights()]
    assert all(np.isfinite(weight).all() for weight in weights)
    described = {"run": json.loads((run / "run.json").read_text("utf-8"))}
    described |= {name: layers(network) for name, network in zip(NETWORKS, pair)}
    (folder / "live.json").write_text(json.dumps(described) + "\n", "utf-8")
    (folder / "live.bin").write_bytes(np.concatenate(weights).astype("<f2").tobytes())


def unpack(folder: Path = STATIC) -> list:
    """The two networks in Keras, with the weights of ``live.bin``."""
    from dcgan_lib.models import dcgan_discriminator, dcgan_generator

    run = json.loads((folder / "live.json").read_text("utf-8"))["run"]
    numbers = np.fromfile(folder / "live.bin", "<f2").astype(np.float32)
    settings = {name: run[name] for name in ("image_size", "channels", "width", "hidden", "depth")}
    pair = [dcgan_generator(**settings), dcgan_discriminator(**settings)]
    for network in pair:
        sizes = [weight.size for weight in network.get_weights()]
        parts = np.split(numbers, np.cumsum(sizes))
        network.set_weights([part.reshape(weight.shape) for part, weight in zip(parts, network.get_weights())])
        numbers = parts[-1]
    assert not len(numbers)
    return pair


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Pack a trained pair for the live page.")
    parser.add_argument("run", type=Path, help="the folder of the run")
    pack(parser.parse_args().run, STATIC)
