"""The shortest stranger: one photo, NumPy, Pillow and ONNX Runtime.

python classify.py EXPORT PHOTO        EXPORT is what `tsugiki export RUN --format onnx` wrote
"""

import json
import os
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # ONNX Runtime would report to its maker that it was used
import onnxruntime

folder, photo = map(Path, sys.argv[1:])
about = json.loads((folder / "model.json").read_text(encoding="utf-8"))
session = onnxruntime.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
pixels = np.asarray(ImageOps.exif_transpose(Image.open(photo)).convert("RGB"))  # [H, W, 3], of any size
answer = dict(zip(about["outputs"], session.run(about["outputs"], {"pixels": pixels[None]}), strict=True))
probabilities = answer["probabilities"][0]
best = int(probabilities.argmax())
label = about["classes"][best]
if about["task"] == "multi":  # every class that reaches its threshold is shown; maybe none
    label = ", ".join(np.array(about["classes"])[probabilities >= np.float32(about["thresholds"])]) or "none of the classes"
known = "distance" not in answer or answer["distance"][0] <= about["unknown_threshold"]
print(f"{label}\t{probabilities[best]:.6f}" + ("" if known else "\tnot sure"))
