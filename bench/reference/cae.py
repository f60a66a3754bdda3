"""The PyTorch peer of `npm run bench -- step`: the same model and step in plain eager PyTorch.

    python cae.py --check FILE.safetensors ...      compare with golden files; exit 1 on a miss
    python cae.py --serve  --config JSON ...        answer JSON lines on stdin (see `serve`)
    python cae.py --profile --config JSON ...       where the time of a step goes
"""

import argparse
import json
import sys
from pathlib import Path

import torch

from cae_model import Config, ContextAutoencoder
from cae_step import Products, Stepper, memory_bytes, random_batch, timed_ms


def serve(stepper: Stepper, batch, precision: str) -> None:
    """One JSON answer a line: {"do": "step", "repeats": n} -> ms and loss, {"do": "memory"} -> bytes,
    {"do": "products", "engine": "blas" | "onednn", "products": [...]} -> ms (the list only once for each engine), {"do": "quit"}.
    The first line, unasked, says what answers."""
    products: dict[str, Products] = {}
    losses: dict[str, float] = {}

    def answer(value: dict) -> None:
        print(json.dumps(value), flush=True)

    def one_step() -> None:
        losses.update(stepper.step(batch))

    answer({"ready": True, "torch": torch.__version__, "python": sys.version.split()[0], "threads": torch.get_num_threads()})
    for line in sys.stdin:
        request = json.loads(line)
        repeats = request.get("repeats", 1)
        match request["do"]:
            case "step":
                answer({"ms": timed_ms(one_step, repeats), "loss": losses["loss"]})
            case "products":
                engine = request["engine"]
                if "products" in request:
                    products[engine] = Products(request["products"], precision, engine)
                answer({"ms": timed_ms(products[engine].run, repeats)})
            case "memory":
                answer(memory_bytes())
            case "quit":
                return
            case other:
                raise ValueError(f"unknown request {other!r}")


def profile(stepper: Stepper, batch) -> None:
    """Prints milliseconds a step and the operators that take most of it."""
    steps = 5
    for _ in range(2):
        stepper.step(batch)
    print(f"{timed_ms(lambda: stepper.step(batch), steps):.1f} ms a step")
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as prof:
        for _ in range(steps):
            stepper.step(batch)
    print(prof.key_averages().table(sort_by="self_cpu_time_total", row_limit=25, max_name_column_width=48))
    print(memory_bytes())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    mode = parser.add_mutually_exclusive_group(required=True)
    mode.add_argument("--check", nargs="+", type=Path, metavar="FILE")
    mode.add_argument("--serve", action="store_true")
    mode.add_argument("--profile", action="store_true")
    parser.add_argument("--config", type=json.loads, help="the resolved model options as JSON")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--attention", choices=["sdpa", "explicit"], default="sdpa")
    parser.add_argument("--threads", type=int, default=0, help="0: PyTorch's own choice")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    if args.threads > 0:
        torch.set_num_threads(args.threads)
    if args.check:
        from cae_check import check  # needs safetensors, which a race does not

        return 0 if all([check(path, attention) for path in args.check for attention in ("sdpa", "explicit")]) else 1
    if args.config is None:
        parser.error("--serve and --profile need --config")
    config = Config(**{**args.config, "imageSize": tuple(args.config["imageSize"]), "attention": args.attention})
    torch.manual_seed(args.seed)
    stepper = Stepper(ContextAutoencoder(config), args.precision)
    batch = random_batch(config, args.batch_size, args.seed)
    if args.serve:
        serve(stepper, batch, args.precision)
    else:
        profile(stepper, batch)
    return 0


if __name__ == "__main__":
    sys.exit(main())
