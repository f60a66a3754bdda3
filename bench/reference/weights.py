"""The PyTorch peer of `npm run bench -- weights`: the same files read, put into a model and written by torch and safetensors.

    python weights.py --make FOLDER [--depth N]     writes FOLDER/vit.safetensors and FOLDER/vit.pth: a ViT of width 1024 with random weights
    python weights.py --serve --depth N             answers JSON lines on stdin (see `serve`)
"""

import argparse
import gc
import json
import os
import sys
import time
from pathlib import Path

import safetensors
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from cae_step import memory_bytes


def shapes(depth: int, dim: int = 1024, patch: int = 16, patches: int = 196) -> dict[str, tuple[int, ...]]:
    """Names and shapes of timm's ViT without a head; depth 24 makes 303 million numbers."""

    def linear(name: str, out: int, inner: int) -> dict[str, tuple[int, ...]]:
        return {f"{name}.weight": (out, inner), f"{name}.bias": (out,)}

    def norm(name: str) -> dict[str, tuple[int, ...]]:
        return {f"{name}.weight": (dim,), f"{name}.bias": (dim,)}

    found: dict[str, tuple[int, ...]] = {"cls_token": (1, 1, dim), "pos_embed": (1, 1 + patches, dim)}
    found |= {"patch_embed.proj.weight": (dim, 3, patch, patch), "patch_embed.proj.bias": (dim,)}
    for i in range(depth):
        b = f"blocks.{i}"
        found |= norm(f"{b}.norm1") | linear(f"{b}.attn.qkv", 3 * dim, dim) | linear(f"{b}.attn.proj", dim, dim)
        found |= norm(f"{b}.norm2") | linear(f"{b}.mlp.fc1", 4 * dim, dim) | linear(f"{b}.mlp.fc2", dim, 4 * dim)
    return found | norm("norm")


def make(folder: Path, depth: int) -> None:
    torch.manual_seed(0)
    state = {name: torch.randn(shape) * 0.02 for name, shape in shapes(depth).items()}
    save_file(state, folder / "vit.safetensors")
    torch.save(state, folder / "vit.pth")


class Holder(torch.nn.Module):
    """Parameters of the model's names and shapes, in memory that is not initialised: what `load_state_dict` copies into."""

    def __init__(self, depth: int) -> None:
        super().__init__()
        for name, shape in shapes(depth).items():
            *parts, last = name.split(".")
            module: torch.nn.Module = self
            for part in parts:
                if part not in module._modules:
                    module.add_module(part, torch.nn.Module())
                module = module._modules[part]
            module.register_parameter(last, torch.nn.Parameter(torch.empty(shape)))


def read(path: str) -> dict[str, Tensor]:
    return load_file(path) if path.endswith(".safetensors") else torch.load(path, weights_only=True)


def own(path: str) -> dict[str, Tensor]:
    """Every tensor in memory of its own: `load_file` only maps the file, so its tensors are copied."""
    state = read(path)
    return {name: tensor.clone() for name, tensor in state.items()} if path.endswith(".safetensors") else state


def into_model(path: str, depth: int) -> Holder:
    model = Holder(depth)
    model.load_state_dict(read(path))
    return model


def write(state: dict[str, Tensor], path: str, synced: bool) -> None:
    """`synced`: the disk has it when the call returns, as where a file must survive a power cut."""
    save_file(state, path)
    if synced:
        handle = os.open(path, os.O_RDONLY)
        os.fsync(handle)
        os.close(handle)


def serve(depth: int) -> None:
    """One JSON answer a line: {"do": "call" | "read" | "model", "path": P}, {"do": "write" | "write-synced", "from": P, "path": P} -> ms;
    {"do": "memory"} -> bytes. `call` is the library's function by itself, `read` ends with every tensor in memory of its own, `model` with
    every tensor in a model. The first line, unasked, says what answers."""
    kept: dict[str, dict[str, Tensor]] = {}
    answer = lambda value: print(json.dumps(value), flush=True)  # noqa: E731
    answer({"ready": True, "torch": torch.__version__, "safetensors": safetensors.__version__, "python": sys.version.split()[0]})
    for line in sys.stdin:
        request = json.loads(line)
        path = request.get("path", "")
        works = {"call": lambda: read(path), "read": lambda: own(path), "model": lambda: into_model(path, depth)}
        match request["do"]:
            case "memory":
                answer(memory_bytes())
                continue
            case "write" | "write-synced" as kind:
                source = request["from"]
                if source not in kept:
                    kept[source] = own(source)
                work = lambda: write(kept[source], path, kind == "write-synced")  # noqa: E731, B023
            case kind:
                work = works[kind]
        gc.collect()
        cpu, start = time.process_time(), time.perf_counter()
        result = work()
        answer({"ms": (time.perf_counter() - start) * 1e3, "cpuMs": (time.process_time() - cpu) * 1e3})
        del result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--make", type=Path)
    parser.add_argument("--serve", action="store_true")
    parser.add_argument("--depth", type=int, default=24)
    args = parser.parse_args()
    if args.make:
        make(args.make, args.depth)
    if args.serve:
        serve(args.depth)


if __name__ == "__main__":
    main()
