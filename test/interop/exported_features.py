"""Features of an exported encoder in its foreign runtime, compared with ours.

    python exported_features.py timm|huggingface|onnx FOLDER IMAGES WANTED.safetensors

IMAGES is a folder of PNG files of the encoder's size; WANTED holds `features` [n, 1 + N, D] for them in the order of their names, class token
first. Images go through the exported preprocessor_config (timm: its pretrained_cfg). Prints one line of JSON: the largest absolute difference.
"""

import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors.numpy import load_file


def processed(folder: Path, images: list[Image.Image]) -> np.ndarray:
    from transformers import AutoImageProcessor

    return AutoImageProcessor.from_pretrained(folder)(images, return_tensors="np")["pixel_values"].astype(np.float32)


def with_timm(folder: Path, images: list[Image.Image]) -> np.ndarray:
    import timm
    import torch

    model = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    mean, std = (np.float32(model.pretrained_cfg[name]) for name in ("mean", "std"))
    pixels = np.stack([(np.float32(image) / 255 - mean) / std for image in images]).transpose(0, 3, 1, 2)
    with torch.no_grad():
        return model.forward_features(torch.from_numpy(np.ascontiguousarray(pixels))).numpy()


def with_transformers(folder: Path, images: list[Image.Image]) -> np.ndarray:
    import torch
    from transformers import AutoModel

    model, report = AutoModel.from_pretrained(folder, add_pooling_layer=False, output_loading_info=True)
    left_over = {name: sorted(keys) for name, keys in report.items() if keys}
    if left_over:
        raise SystemExit(f"not every key was used: {left_over}")
    with torch.no_grad():
        return model.eval()(torch.from_numpy(processed(folder, images))).last_hidden_state.numpy()


def with_onnxruntime(folder: Path, images: list[Image.Image]) -> np.ndarray:
    import onnxruntime

    session = onnxruntime.InferenceSession(folder / "encoder.onnx", providers=["CPUExecutionProvider"])
    cls, patches = session.run(["cls", "patches"], {"pixel_values": processed(folder, images)})
    return np.concatenate([cls[:, None], patches], axis=1)


def main() -> None:
    runtime, folder, pictures, wanted = sys.argv[1], *map(Path, sys.argv[2:5])
    images = [Image.open(path).convert("RGB") for path in sorted(pictures.glob("*.png"))]
    features = {"timm": with_timm, "huggingface": with_transformers, "onnx": with_onnxruntime}[runtime](folder, images)
    expected = load_file(wanted)["features"]
    if features.shape != expected.shape:
        raise SystemExit(f"features have the shape {features.shape}, wanted is {expected.shape}")
    print(json.dumps({"images": len(images), "difference": float(np.abs(features - expected).max()), "largest": float(np.abs(expected).max())}))


if __name__ == "__main__":
    main()
