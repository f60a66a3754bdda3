"""Prints what NumPy and safetensors find in files of features, as JSON: {file: {shape, dtype, sum, labels?, metadata?}}.

    python features_read.py FILE...
"""

import json
import sys

import numpy
from safetensors import safe_open

found = {}
for path in sys.argv[1:]:
    if path.endswith(".npy"):
        features, more = numpy.load(path), {}
    else:
        with safe_open(path, "numpy") as file:
            features = file.get_tensor("features")
            more = {"labels": file.get_tensor("labels").tolist(), "metadata": file.metadata()}
    total = float(features.sum(dtype="float64"))
    found[path] = {"shape": features.shape, "dtype": str(features.dtype), "sum": total, **more}
print(json.dumps(found))
