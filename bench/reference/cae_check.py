"""Compares the PyTorch peer with golden files, so that a race against it is a race over the same work."""

import json
from pathlib import Path

import torch
from safetensors.torch import load_file

from cae_model import Config, ContextAutoencoder
from cae_step import Batch, Stepper

FORWARD_TOLERANCE = 1e-5  # spec/cae.md 12, rungs 2 to 5
TRACE_TOLERANCE = 2e-5  # rung 6
BF16_LOSS_TOLERANCE = 0.02  # spec/cae.md 12: a smoke bound
BF16_GRADIENT_TOLERANCE = 0.1  # relative, of all gradients together: a lost branch is off by far more


def golden_config(raw: dict, align_weight: float, attention: str) -> Config:
    """The keys of golden/README.md under the package's names."""
    return Config(
        imageSize=tuple(raw["img"]),
        patchSize=raw["patch"],
        embedDim=raw["dim"],
        depth=raw["depth"],
        numHeads=raw["heads"],
        mlpRatio=4,
        layerNormEps=1e-6,
        layerScaleInit=raw["ls"],
        regressorDepth=raw["reg_depth"],
        decoderDepth=raw["dec_depth"],
        decoderDim=raw["dec_dim"],
        decoderHeads=raw["dec_heads"],
        decoderLayerScaleInit=raw["dec_ls"],
        target="tokens",
        vocabSize=raw["vocab"],
        alignWeight=align_weight,
        maskCount=raw["num_mask"],
        attention=attention,
    )


def check(path: Path, attention: str) -> bool:
    """Forward, gradients and five optimizer steps of one golden file; prints a line a group."""
    golden = load_file(path)
    meta = json.loads(path.with_suffix(".json").read_text())
    config = golden_config(meta["config"], meta["align_weight"], attention)
    weights = {name.removeprefix("param/"): t for name, t in golden.items() if name.startswith("param/")}

    def fresh() -> ContextAutoencoder:
        model = ContextAutoencoder(config)
        model.load_state_dict(weights)
        return model

    def batch(step: int) -> Batch:
        return Batch(golden["in/image"], golden["in/masks"][step].bool(), golden["in/token_ids"].long())

    model = fresh()
    out = model(*batch(0), tracing=True)
    out.loss.backward()
    got = {f"mid/{name}": t for name, t in out.trace.items()}
    got |= {"out/logits": out.logits, "out/loss": out.loss, "out/loss_main": out.loss_main}
    got |= {"out/loss_align_weighted": out.loss_align}
    grads = {name: p.grad for name, p in model.named_parameters() if p.requires_grad}
    got |= {f"grad/{name}": g for name, g in grads.items()}

    ok = True

    def report(what: str, difference: float, tolerance: float) -> None:
        nonlocal ok
        fits = difference <= tolerance
        ok = ok and fits
        print(f"{path.stem} {attention:8} {what:24} {difference:.2e} of {tolerance:.0e} {'ok' if fits else 'MISS'}")

    for group in ("mid/", "out/", "grad/"):
        names = [name for name in golden if name.startswith(group)]
        report(f"{group} ({len(names)})", max((got[n] - golden[n]).abs().max().item() for n in names), FORWARD_TOLERANCE)

    settings = meta["optimizer"]
    stepper = Stepper(fresh(), "fp32", weight_decay=settings["weight_decay"], clip_norm=settings["clip_grad"])
    worst = 0.0
    for t, want in enumerate(meta["trace"]["shared"]):
        metrics = stepper.step(batch(t), lr=want["lr"])
        worst = max(worst, *(abs(metrics[key] - want[key]) for key in ("loss", "loss_main", "loss_align", "grad_norm")))
    report("five steps", worst, TRACE_TOLERANCE)

    low = fresh()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        low_loss = low(*batch(0)).loss
    low_loss.backward()
    report("bf16 loss, relative", abs(low_loss.item() / out.loss.item() - 1), BF16_LOSS_TOLERANCE)
    flat, low_flat = (torch.cat([g.flatten() for g in each]) for each in (grads.values(), [dict(low.named_parameters())[n].grad for n in grads]))
    report("bf16 gradients, relative", ((low_flat - flat).norm() / flat.norm()).item(), BF16_GRADIENT_TOLERANCE)
    return ok
