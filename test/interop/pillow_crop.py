"""What Pillow makes of a crop, beside what the package made of it.

    python pillow_crop.py compare FOLDER   FOLDER/index.json lists {source, width, height, box, size, ours}; prints one
                                           JSON line: mean and greatest difference over all bytes, and the sizes' count
    python pillow_crop.py fixture FILE     writes test/fixtures/pillow-resize.json anew

`source` and `ours` are files of raw RGB bytes; `box` is left, top, right, bottom; `size` is width, height.
"""

import base64
import json
import sys
from pathlib import Path

import PIL
from PIL import Image, ImageChops

FILTERS = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR, "lanczos": Image.Resampling.LANCZOS}

# width, height -> width, height: down, up, both, whole steps, thin, single pixels, no change of one side.
FIXTURE_SIZES = [
    ((61, 47), (24, 17)),
    ((61, 47), (9, 40)),
    ((11, 12), (33, 36)),
    ((36, 33), (12, 11)),
    ((200, 150), (32, 32)),
    ((64, 20), (64, 9)),
    ((20, 64), (9, 64)),
    ((1, 1), (3, 2)),
    ((300, 1), (8, 8)),
    ((1, 300), (8, 8)),
    ((2, 3), (31, 5)),
]


def pattern(width: int, height: int) -> bytes:
    """A picture that the test draws again: a fine texture, hard edges and both ends of the range."""
    bytes_ = bytearray()
    for y in range(height):
        for x in range(width):
            for c in range(3):
                texture = (x * 37 + y * 91 + c * 53 + x * y * (c + 1)) % 256
                bytes_.append(255 * ((x // 5 + y // 3 + c) % 2) if (x + y) % 4 < 2 else texture)
    return bytes(bytes_)


def fixture(path: Path) -> None:
    cases = []
    for (width, height), size in FIXTURE_SIZES:
        image = Image.frombytes("RGB", (width, height), pattern(width, height))
        for name, resampling in FILTERS.items():
            out = image.resize(size, resampling).tobytes()
            case = {"width": width, "height": height, "outWidth": size[0], "outHeight": size[1], "interpolation": name}
            cases.append({**case, "pixels": base64.b64encode(out).decode()})
    path.write_text(json.dumps({"pillow": PIL.__version__, "cases": cases}, indent=1) + "\n")


def compare(folder: Path) -> None:
    total, count, greatest = 0, 0, 0
    index = json.loads((folder / "index.json").read_text())
    for entry in index:
        source = Image.frombytes("RGB", (entry["width"], entry["height"]), (folder / entry["source"]).read_bytes())
        wanted = source.crop(entry["box"]).resize(entry["size"], Image.Resampling.BICUBIC)
        ours = Image.frombytes("RGB", entry["size"], (folder / entry["ours"]).read_bytes())
        histogram = ImageChops.difference(wanted, ours).histogram()  # of red, green and blue in turn
        total += sum(i % 256 * n for i, n in enumerate(histogram))
        count += sum(histogram)
        greatest = max(greatest, *(i % 256 for i, n in enumerate(histogram) if n > 0))
    print(json.dumps({"images": len(index), "mean": total / count, "greatest": greatest}))


if __name__ == "__main__":
    {"compare": compare, "fixture": fixture}[sys.argv[1]](Path(sys.argv[2]))
