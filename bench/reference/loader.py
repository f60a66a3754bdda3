"""The torchvision peer of `npm run bench -- loader`: the same files through ImageFolder and a DataLoader.

    python loader.py --data FOLDER --size 224 --workers 2 --batch-size 64

FOLDER has a folder a class. Answers JSON lines on stdin: {"do": "epoch", "repeats": n} -> milliseconds of one pass over all
images and their number; {"do": "quit"}. The first line, unasked, says what answers.

torchvision's operators are built against the CUDA build of torch: with a CPU wheel `import torchvision` fails with "operator
torchvision::nms does not exist", so this needs the wheels of PyPI, e.g. torch 2.14.1 with torchvision 0.29.1.
"""

import argparse
import json
import sys
import time

import torch
import torchvision
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import ImageFolder


def make_loader(folder: str, size: int, batch_size: int, workers: int) -> DataLoader:
    """Random crop, flip and normalisation as the reference recipes write them; workers live on between epochs."""
    transform = transforms.Compose([
        transforms.RandomResizedCrop(size, interpolation=transforms.InterpolationMode.BICUBIC),
        transforms.RandomHorizontalFlip(),
        transforms.ToTensor(),
        transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    ])
    return DataLoader(
        ImageFolder(folder, transform),
        batch_size=batch_size,
        shuffle=True,
        num_workers=workers,
        persistent_workers=workers > 0,
        drop_last=False,
    )


def one_epoch(loader: DataLoader) -> int:
    return sum(len(images) for images, _ in loader)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    loader = make_loader(args.data, args.size, args.batch_size, args.workers)

    def answer(value: dict) -> None:
        print(json.dumps(value), flush=True)

    answer({"ready": True, "torch": torch.__version__, "torchvision": torchvision.__version__, "python": sys.version.split()[0]})
    for line in sys.stdin:
        request = json.loads(line)
        match request["do"]:
            case "epoch":
                repeats = request.get("repeats", 1)
                start = time.perf_counter()
                images = [one_epoch(loader) for _ in range(repeats)][0]
                answer({"ms": (time.perf_counter() - start) * 1e3 / repeats, "images": images})
            case "quit":
                return
            case other:
                raise ValueError(f"unknown request {other!r}")


if __name__ == "__main__":
    main()
