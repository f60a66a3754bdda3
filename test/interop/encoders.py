"""Makes small encoders with timm and transformers, saves them as those libraries do, and writes what they give for one image.

    python encoders.py FOLDER

FOLDER/cases.json lists the cases: {name, path, options}; FOLDER/wanted.safetensors holds `image` [1, 3, 32, 32] or larger, and
`NAME.tokens` [1, 1 + N, D], and where a model pools, `NAME.avg` [1, D].
"""

import json
import sys
from functools import partial
from pathlib import Path

import timm
import torch
import transformers as hf
from safetensors.torch import save_file
from timm.models.beit import Beit
from timm.models.vision_transformer import VisionTransformer

folder = Path(sys.argv[1])
cases, wanted = [], {}
small = {"hidden_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 128, "image_size": 32, "patch_size": 8}
hf.logging.set_verbosity_error()
hf.logging.disable_progress_bar()


def image(side):
    return torch.sin(0.1 * torch.arange(3 * side * side, dtype=torch.float64)).float().view(1, 3, side, side)


def shaken(model):
    """No tensor at a special value: biases, norms and tables too."""
    torch.manual_seed(0)
    with torch.no_grad():
        for p in model.parameters():
            p.add_(torch.randn_like(p) * 0.1)
    return model.eval()


def case(name, path, tokens, avg=None, side=32, **options):
    cases.append({"name": name, "path": str(path), "side": side, "options": options})
    wanted[f"{name}.tokens"] = tokens
    if avg is not None:
        wanted[f"{name}.avg"] = avg


def from_transformers(name, model, run):
    path = folder / name
    shaken(model).save_pretrained(path)
    with torch.no_grad():
        case(name, path, *run(model, image(32)))


def last(part=lambda model: model):
    return lambda model, x: (part(model)(pixel_values=x).last_hidden_state,)


from_transformers("hf-vit", hf.ViTModel(hf.ViTConfig(**small)), last())
from_transformers("hf-vit-classifier", hf.ViTForImageClassification(hf.ViTConfig(**small)), last(lambda m: m.vit))
from_transformers("hf-dinov2", hf.Dinov2Model(hf.Dinov2Config(**{**small, "mlp_ratio": 2})), last())


def clip_tokens(tower, x):
    """transformers normalises the class token alone, and that elsewhere; here all tokens are."""
    return (tower.post_layernorm(tower(pixel_values=x).last_hidden_state),)


from_transformers("hf-clip-vision", hf.CLIPVisionModel(hf.CLIPVisionConfig(**small)), clip_tokens)

relative = {**small, "use_relative_position_bias": True}
from_transformers("hf-beit-shared", hf.BeitForMaskedImageModeling(hf.BeitConfig(**{**small, "use_shared_relative_position_bias": True, "vocab_size": 32})),
                  lambda m, x: (m.layernorm(m.beit(pixel_values=x).last_hidden_state),))  # fmt: skip


def pooled_beit(model, x):
    out = model.beit(pixel_values=x)
    return out.last_hidden_state, out.pooler_output


from_transformers("hf-beit-classifier", hf.BeitForImageClassification(hf.BeitConfig(**relative)), pooled_beit)
from_transformers("hf-data2vec", hf.Data2VecVisionModel(hf.Data2VecVisionConfig(**relative)), last())
mae = hf.ViTMAEForPreTraining(hf.ViTMAEConfig(**{**small, "mask_ratio": 0.0, "decoder_hidden_size": 32, "decoder_num_hidden_layers": 1, "decoder_num_attention_heads": 2, "decoder_intermediate_size": 64}))  # fmt: skip
from_transformers("hf-mae", mae, lambda m, x: (m.vit(pixel_values=x, noise=torch.arange(16).view(1, 16).float()).last_hidden_state,))

clip_text = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64, "vocab_size": 99}
clip = hf.CLIPModel(hf.CLIPConfig(text_config=clip_text, vision_config=small, projection_dim=16))
from_transformers("hf-clip-whole", clip, lambda m, x: clip_tokens(m.vision_model, x))

vit = {"img_size": 32, "patch_size": 8, "embed_dim": 64, "depth": 3, "num_heads": 4, "num_classes": 5}


def from_timm(name, model, side=32, **options):
    shaken(model)
    path = folder / f"{name}.safetensors"
    save_file({key: value.contiguous() for key, value in model.state_dict().items()}, path)
    if side != 32:
        model.set_input_size(img_size=side)
    with torch.no_grad():
        tokens = model.forward_features(image(side))
        avg = model.fc_norm(tokens[:, 1:].mean(1)) if isinstance(model.fc_norm, torch.nn.LayerNorm) else None
        case(name, path, tokens, avg, side, **options)


heads = {"numHeads": 4}
from_timm("timm-vit", VisionTransformer(**vit), **heads)
from_timm("timm-vit-layer-scale", VisionTransformer(**vit, init_values=0.1), **heads)
from_timm("timm-vit-avg", VisionTransformer(**vit, global_pool="avg"), **heads)
from_timm("timm-clip", VisionTransformer(**vit, pre_norm=True, norm_layer=partial(torch.nn.LayerNorm, eps=1e-5)), **heads)
from_timm("timm-vit-resampled", VisionTransformer(**vit), side=56, imageSize=56, **heads)
beit = partial(Beit, **vit, init_values=0.1, use_abs_pos_emb=False)
from_timm("timm-beit", beit(use_rel_pos_bias=True))
from_timm("timm-beit-shared", beit(use_shared_rel_pos_bias=True))

for side in sorted({entry["side"] for entry in cases}):
    wanted[f"image.{side}"] = image(side)
save_file({name: value.contiguous() for name, value in wanted.items()}, folder / "wanted.safetensors")
versions = {"torch": torch.__version__, "timm": timm.__version__, "transformers": hf.__version__}
(folder / "cases.json").write_text(json.dumps({"versions": versions, "cases": cases}, indent=1))
