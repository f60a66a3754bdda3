"""One optimizer step of the PyTorch peer, and the figures a bench asks of it."""

import gc
import time
from typing import NamedTuple

import torch
from torch import Tensor

from cae_model import Config, ContextAutoencoder


class Batch(NamedTuple):
    """What a step reads: images [B, 3, H, W] float32 normalised, mask [B, N] bool, ids [B, N] int64 for token targets."""

    images: Tensor
    mask: Tensor
    ids: Tensor | None


def random_batch(config: Config, size: int, seed: int) -> Batch:
    """Fixed noise with `maskCount` patches hidden in every image."""
    generator = torch.Generator().manual_seed(seed)
    patches = config.grid[0] * config.grid[1]
    images = torch.randn(size, 3, *config.imageSize, generator=generator)
    mask = torch.rand(size, patches, generator=generator).argsort(dim=1) < config.maskCount
    ids = torch.randint(config.vocabSize, (size, patches), generator=generator) if config.target == "tokens" else None
    return Batch(images, mask, ids)


class Stepper:
    """Spec 7 the way a good PyTorch script writes it: autocast, fused AdamW in two groups, foreach clipping."""

    def __init__(self, model: ContextAutoencoder, precision: str, weight_decay: float = 0.05, clip_norm: float = 3.0) -> None:
        self.model, self.precision, self.clip_norm = model, precision, clip_norm
        named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
        undecayed = [p for name, p in named if p.dim() == 1 or name.endswith(".bias")]  # spec 6.2
        decayed = [p for name, p in named if not (p.dim() == 1 or name.endswith(".bias"))]
        groups = [{"params": decayed, "weight_decay": weight_decay}, {"params": undecayed, "weight_decay": 0.0}]
        self.parameters = decayed + undecayed
        self.optimizer = torch.optim.AdamW(groups, lr=1e-4, betas=(0.9, 0.999), eps=1e-8, fused=True)

    def step(self, batch: Batch, lr: float = 1e-4) -> dict[str, float]:
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.precision == "bf16"):
            out = self.model(*batch)
        self.optimizer.zero_grad(set_to_none=True)
        out.loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, self.clip_norm, foreach=True)
        self.optimizer.step()
        losses = {"loss": out.loss, "loss_main": out.loss_main, "loss_align": out.loss_align, "grad_norm": norm}
        return {name: value.item() for name, value in losses.items()}


def onednn_mm(a: Tensor, b: Tensor, out: Tensor) -> None:
    """oneDNN's float32 product; it has no `out`, so it allocates its result as a training step does."""
    torch.ops.mkldnn._linear_pointwise(a, b.t(), None, "none", [], "")


class Products:
    """A step's matrix products on their own, in the step's order; products of one size share their operands.

    `engine` is 'blas' (torch.mm) or 'onednn' for the unbatched float32 ones: which is faster depends on the CPU's maker.
    """

    def __init__(self, products: list[dict], precision: str, engine: str) -> None:
        multiply = onednn_mm if engine == "onednn" and precision == "fp32" else lambda a, b, out: torch.mm(a, b, out=out)
        dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        made: dict[tuple, list[Tensor]] = {}
        self.work = []
        for p in products:
            batch, m, k, n, layout = p["batch"], p["m"], p["k"], p["n"], p["layout"]
            if (key := (batch, m, k, n, layout)) not in made:
                # A transposed operand is a view of one that lies the other way in memory.
                a = torch.randn(batch, m, k) if layout[0] == "n" else torch.randn(batch, k, m).transpose(1, 2)
                b = torch.randn(batch, k, n) if layout[1] == "n" else torch.randn(batch, n, k).transpose(1, 2)
                tensors = [t.to(dtype) for t in (a, b, torch.empty(batch, m, n))]
                made[key] = [t[0] for t in tensors] if batch == 1 else tensors
            self.work.append((multiply if batch == 1 else lambda a, b, out: torch.bmm(a, b, out=out), made[key]))

    def run(self) -> None:
        for multiply, (a, b, out) in self.work:
            multiply(a, b, out)


def timed_ms(work, repeats: int) -> float:
    """Mean milliseconds of `repeats` calls; the collector runs before, not within."""
    gc.collect()
    start = time.perf_counter()
    for _ in range(repeats):
        work()
    return (time.perf_counter() - start) * 1e3 / repeats


def memory_bytes() -> dict[str, int]:
    """Resident memory of this process, now and at its highest."""
    with open("/proc/self/status") as status:
        fields = dict(line.split(":", 1) for line in status)
    return {"rssBytes": int(fields["VmRSS"].split()[0]) * 1024, "peakBytes": int(fields["VmHWM"].split()[0]) * 1024}
