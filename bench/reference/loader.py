"""The torchvision peer of `npm run bench -- loader`: the same files through a DataLoader.

    python loader.py --data FOLDER --size 224 --workers 2 --batch-size 64

FOLDER has a folder a class (ImageFolder, shuffled), or tar shards of `KEY.jpg` and `KEY.cls` (read in order by an iterable data set, each
worker its share of the shards, as the loaders for such shards do it). Answers JSON lines on stdin: {"do": "epoch", "repeats": n} -> milliseconds of one pass over all
images and their number; {"do": "quit"}. The first line, unasked, says what answers.

torchvision's operators are built against the CUDA build of torch: with a CPU wheel `import torchvision` fails with "operator
torchvision::nms does not exist", so this needs the wheels of PyPI, e.g. torch 2.14.1 with torchvision 0.29.1.
"""

import argparse
import io
import json
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import torch
import torchvision
from PIL import Image
from torch.utils.data import DataLoader, IterableDataset, get_worker_info
from torchvision import transforms
from torchvision.datasets import ImageFolder


class TarShards(IterableDataset):
    """Image and class of each sample of the shards, in their order."""

    def __init__(self, shards: list[Path], transform):
        self.shards = shards
        self.transform = transform

    def __iter__(self) -> Iterator[tuple[torch.Tensor, int]]:
        worker = get_worker_info()
        shards = self.shards if worker is None else self.shards[worker.id :: worker.num_workers]
        for shard in shards:
            with tarfile.open(shard, "r|") as archive:
                image = b""
                for member in archive:
                    content = archive.extractfile(member).read()
                    if member.name.endswith(".cls"):
                        yield self.transform(Image.open(io.BytesIO(image)).convert("RGB")), int(content)
                    else:
                        image = content


def make_loader(folder: str, size: int, batch_size: int, workers: int) -> DataLoader:
    """Random crop, flip and normalisation as the reference recipes write them; workers live on between epochs."""
    transform = transforms.Compose([
        transforms.RandomResizedCrop(size, interpolation=transforms.InterpolationMode.BICUBIC),
        transforms.RandomHorizontalFlip(),
        transforms.ToTensor(),
        transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    ])
    shards = sorted(Path(folder).glob("*.tar"))
    return DataLoader(
        TarShards(shards, transform) if shards else ImageFolder(folder, transform),
        batch_size=batch_size,
        shuffle=None if shards else True,
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
