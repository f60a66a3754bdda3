"""Features of other people's small checkpoints in the libraries that made them, for images that the package has embedded.

    python checkpoints.py CASES.json OUT.safetensors

CASES is a list of {name, kind, path, mean, std, images}: `kind` says which class loads it, `images` is a folder of PNG files of the encoder's
size. OUT holds `NAME.cls` and `NAME.avg` [n, D] (the mean of the patches, after the class's own last norm). Weights that a class does not
take, or lacks, are an error.
"""

import json
import sys
from pathlib import Path

import numpy as np
import timm
import torch
import transformers as hf
from PIL import Image
from safetensors.torch import load_file, save_file
from timm.models.beit import Beit
from timm.models.vision_transformer import VisionTransformer

hf.logging.set_verbosity_error()
hf.logging.disable_progress_bar()
vit = {"img_size": 32, "patch_size": 8, "embed_dim": 16, "depth": 2, "num_heads": 2, "mlp_ratio": 2, "num_classes": 0}


def pixels(case):
    images = [np.float32(Image.open(path).convert("RGB")) / 255 for path in sorted(Path(case["images"]).glob("*.png"))]
    normal = (np.stack(images) - np.float32(case["mean"])) / np.float32(case["std"])
    return torch.from_numpy(np.ascontiguousarray(normal.transpose(0, 3, 1, 2)))


def loaded(path):
    return load_file(path) if path.endswith(".safetensors") else torch.load(path, weights_only=False)


def timm_vit(state, drop=()):
    state = {name: value.float() for name, value in state.items() if not name.startswith(("head", *drop))}
    model = VisionTransformer(**vit)
    model.load_state_dict(state)
    return model.eval().forward_features


def prefixed(state, prefix):
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


def timm_beit(path):
    # BEiT's own code keeps q and v bias apart, as timm does; its norm is that of the mean.
    state = {name: value for name, value in loaded(path)["model"].items() if not name.startswith("head")}
    model = Beit(**vit, init_values=0.1, use_abs_pos_emb=False, use_rel_pos_bias=True)
    missing, unexpected = model.load_state_dict(state, strict=False)
    left = [name for name in [*missing, *unexpected] if not name.endswith(("relative_position_index", "k_bias"))]
    if left:
        raise SystemExit(f"{path}: {left}")

    def run(x):
        tokens = model.forward_features(x)
        return {"cls": tokens[:, 0], "avg": model.fc_norm(tokens[:, 1:].mean(1))}

    return model.eval() and run


def from_hub(cls, path, part=lambda m: m, norm=lambda m: (lambda x: x), **options):
    model, report = cls.from_pretrained(path, output_loading_info=True, **options)
    if report["missing_keys"]:
        raise SystemExit(f"{path}: missing {report['missing_keys']}")
    return lambda x, **more: norm(model)(part(model.eval())(pixel_values=x, **more).last_hidden_state)


def hub_mae(path):
    run = from_hub(hf.ViTMAEForPreTraining, path, lambda m: m.vit, mask_ratio=0.0)
    return lambda x: run(x, noise=torch.arange(16).float().expand(len(x), 16))  # no patch hidden, in their order


makers = {
    "hf-vit": lambda p: from_hub(hf.ViTForImageClassification, p, lambda m: m.vit),
    "hf-beit": lambda p: from_hub(hf.BeitForMaskedImageModeling, p, lambda m: m.beit, lambda m: m.layernorm),
    "hf-mae": hub_mae,
    "hf-dinov2": lambda p: from_hub(hf.Dinov2Model, p),
    "timm": lambda p: timm_vit(loaded(p)),
    "timm-beit": timm_beit,
    "mae": lambda p: timm_vit(loaded(p)["model"], ("decoder", "mask_token")),
    "moco": lambda p: timm_vit(prefixed(loaded(p)["state_dict"], "module.base_encoder.")),
    "dino": lambda p: timm_vit(prefixed(loaded(p)["teacher"], "backbone.")),
}

found = {}
for case in json.loads(Path(sys.argv[1]).read_text()):
    with torch.no_grad():
        out = makers[case["kind"]](case["path"])(pixels(case))
    parts = out if isinstance(out, dict) else {"cls": out[:, 0], "avg": out[:, 1:].mean(1)}
    found |= {f"{case['name']}.{part}": value.contiguous() for part, value in parts.items()}
save_file(found, sys.argv[2])
print(json.dumps({"torch": torch.__version__, "timm": timm.__version__, "transformers": hf.__version__}))
