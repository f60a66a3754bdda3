"""Prints what TensorBoard's own reader finds in a folder of event files, as JSON: {scalars: {tag: [[step, value]]}, images: {tag: [[step, width, height, bytes]]}}."""

import json
import sys

from tensorboard.backend.event_processing import event_accumulator

accumulator = event_accumulator.EventAccumulator(
    sys.argv[1],
    size_guidance={event_accumulator.SCALARS: 0, event_accumulator.IMAGES: 0},
)
accumulator.Reload()
tags = accumulator.Tags()
json.dump(
    {
        "scalars": {tag: [[e.step, e.value] for e in accumulator.Scalars(tag)] for tag in tags["scalars"]},
        "images": {
            tag: [[e.step, e.width, e.height, len(e.encoded_image_string)] for e in accumulator.Images(tag)]
            for tag in tags["images"]
        },
    },
    sys.stdout,
)
