"""A run as a folder that another program can use, written only where it answers as PyTorch does.

::

    OUT/model.onnx, or model.xml and model.bin    uint8 RGB pixels [B, 3, H, W] -> probabilities [B, K], distance [B]
    OUT/model.json     class names, how a photo becomes the input, the distance beyond which it is unknown
    OUT/predict.py     answers for photos with these files, NumPy, Pillow and the format's runtime; no line of it needs tsugiki
    OUT/parity.json    the proof: odd photos and given ones, answered by PyTorch and by predict.py itself
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, get_args

from tsugiki.classifier.answer import AnswerHead, Prediction
from tsugiki.classifier.classifier import Classifier
from tsugiki.classifier.engine_writer import describe, reference_answers
from tsugiki.classifier.parity import Parity, compare, golden_photos
from tsugiki.core.console import quiet
from tsugiki.core.errors import RequestError, TsugikiError
from tsugiki.core.files import atomic_folder, write_atomically, write_json
from tsugiki.locale.messages import tr
from tsugiki.publishing.graph import WholeClassifier

Format = Literal["onnx", "openvino"]

ABOUT, SCRIPT, PROOF = "model.json", "predict.py", "parity.json"
_FILES = {"onnx": ("model.onnx",), "openvino": ("model.xml", "model.bin")}
_NEEDS = {"onnx": ("onnx", "onnxruntime"), "openvino": ("openvino",)}
_MAY_BE_THERE = frozenset({".DS_Store", "Thumbs.db", "desktop.ini", "__pycache__"})
_OPSET = 18


@dataclass(frozen=True)
class Exported:
    """What an export made.

    Attributes:
        folder: With everything.
        parity: How its answers compare with PyTorch's.
    """

    folder: Path
    parity: Parity


def export(run: str | Path, format: Format, out: str | Path | None = None, *, photos: Sequence[Path] = ()) -> Exported:  # noqa: A002 (the field's word)
    """Write a trained classifier as files for another program, and prove that they answer the same.

    Args:
        run: A run folder.
        format: ``onnx`` or ``openvino``.
        out: A new folder, an empty one, or an older export; by default beside the run.
        photos: To compare on, besides those that are drawn for it.

    Returns:
        The folder, and the proof.

    Raises:
        RequestError: When there is no such run or format, something to write it with is not installed, or ``out`` holds
            anything else.
        TsugikiError: When the network cannot be exported, or what was exported answers otherwise; nothing is written then.
    """
    if format not in get_args(Format):
        raise RequestError(
            tr("There is no export format {name}.", name=repr(format)), allowed=", ".join(get_args(Format)), got=repr(format)
        )
    missing = [name for name in _NEEDS[format] if importlib.util.find_spec(name) is None]
    if missing:
        raise RequestError(
            tr("Exporting to {format} needs packages that are not installed: {names}", format=format, names=", ".join(missing)),
            cure=f"pip install {' '.join(missing)}",
        )
    source = Path(run)
    folder = _checked(Path(out) if out is not None else source.absolute().with_name(f"{source.absolute().name}-{format}"))
    classifier = Classifier.load(source)
    with atomic_folder(folder) as temporary, TemporaryDirectory() as drawn:
        _write(temporary, classifier, format)
        compared = golden_photos(Path(drawn), photos)
        parity = _compared(temporary, classifier, compared)
        write_json(temporary / PROOF, {"format": format, **parity.to_dict()})
        if not parity.holds:
            raise TsugikiError(
                tr("The export is refused: its answers are not those of PyTorch."),
                got=describe(parity),
                cure=tr("use the run itself, or another format"),
            )
    return Exported(folder, parity)


def _checked(folder: Path) -> Path:
    """The folder, where nothing but an older export would be replaced."""
    if folder.exists():
        found = {entry.name for entry in folder.iterdir()} if folder.is_dir() else {""}
        own = {ABOUT, SCRIPT, PROOF, *(name for names in _FILES.values() for name in names)}
        foreign = sorted(found - own - _MAY_BE_THERE if ABOUT in found else found)
        if foreign or folder.resolve() == Path.cwd():
            raise RequestError(
                tr("{folder} holds something else than an export: it would be replaced.", folder=folder),
                allowed=tr("a new folder, an empty one, or an older export"),
                got=", ".join(foreign[:5]) or str(folder),
                cure=tr("name another folder with --out"),
            )
    return folder


def _write(folder: Path, classifier: Classifier, format: Format) -> None:  # noqa: A002 (the field's word)
    head = classifier.answer_head
    network = WholeClassifier(classifier.backbone, classifier.preprocess, head).eval()
    write = {"onnx": _write_onnx, "openvino": _write_openvino}[format]
    try:
        write(folder, network, classifier)
    except Exception as error:  # whatever a network that an exporter cannot take makes it stumble over
        reason = " ".join((str(error) or type(error).__name__).split())[:300]
        raise TsugikiError(
            tr("This network cannot be exported to {format}.", format=format),
            got=reason,
            cure=tr("use the run itself, or another format"),
        ) from error
    write_json(folder / ABOUT, _about(classifier, head, network, format))
    write_atomically(folder / SCRIPT, script(format))


def _about(classifier: Classifier, head: AnswerHead, network: WholeClassifier, format: Format) -> dict[str, Any]:  # noqa: A002
    height, width = classifier.preprocess.size
    return {
        "format": format,
        "model": _FILES[format][0],
        "input": {"name": "pixels", "type": "uint8", "shape": ["B", 3, height, width], "colours": "RGB"},
        "outputs": list(network.outputs),
        "classes": list(head.classes),
        "unknown_threshold": None if head.unknown is None else head.unknown.threshold,
        "preprocess": classifier.preprocess.to_dict(),
        "backbone": str(classifier.backbone.spec),
        "licence_of_weights": classifier.backbone.origin.licence,
    }


def _write_onnx(folder: Path, network: WholeClassifier, classifier: Classifier) -> None:
    import warnings

    import torch

    from tsugiki.features.engines.openvino_conversion import as_constants

    names = ["pixels", *network.outputs]
    example = torch.zeros((2, 3, *classifier.preprocess.size), dtype=torch.uint8)
    with warnings.catch_warnings(), as_constants(classifier.backbone), quiet():
        warnings.simplefilter("ignore")  # docs/decisions/0009-engines-in-runs.md: why the older of two exporters
        torch.onnx.export(
            network,
            (example,),
            folder / _FILES["onnx"][0],
            dynamo=False,
            opset_version=_OPSET,
            input_names=names[:1],
            output_names=names[1:],
            dynamic_axes={name: {0: "B"} for name in names},
        )


def _write_openvino(folder: Path, network: WholeClassifier, classifier: Classifier) -> None:
    from tsugiki.features.engines.openvino_conversion import traced_network
    from tsugiki.features.engines.openvino_import import openvino_module

    model = traced_network(network, classifier.backbone, (2, 3, *classifier.preprocess.size))
    model.reshape({0: [-1, 3, *classifier.preprocess.size]})
    model.inputs[0].set_names({"pixels"})
    for output, name in zip(model.outputs, network.outputs, strict=True):
        output.set_names({name})
    openvino_module("openvino").save_model(model, folder / _FILES["openvino"][0], compress_to_fp16=False)


def script(format: Format) -> str:  # noqa: A002 (the field's word)
    """The program that answers with the files of a format, for people who have never heard of this one."""
    texts = resources.files("tsugiki.publishing").joinpath("scripts")
    whole, runtime = (texts.joinpath(name).read_text(encoding="utf-8") for name in ("predict.py.txt", f"{format}.py.txt"))
    needs = {"onnx": "NumPy, Pillow and ONNX Runtime", "openvino": "NumPy, Pillow and OpenVINO"}[format]
    return whole.replace("{needs}", needs).replace("{runtime}", runtime.strip())


def _compared(folder: Path, classifier: Classifier, photos: list[Path]) -> Parity:
    """Ask the exported program itself, in a process of its own, and PyTorch."""
    with quiet():
        reference = reference_answers(classifier.backbone, classifier.preprocess, classifier.answer_head, photos)
    command = [sys.executable, "-I", str(folder / SCRIPT), "--json", *map(str, photos)]
    plain = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False, env=plain)
    try:
        told = json.loads(done.stdout)
    except ValueError as error:
        lines = done.stderr.strip().splitlines()
        raise TsugikiError(tr("The exported program does not run here."), got=lines[-1] if lines else str(error)) from error
    return compare(reference, [_as_prediction(each) for each in told], [path.name for path in photos])


def _as_prediction(told: dict[str, Any]) -> Prediction:
    if "problem" in told:
        return Prediction("", 0.0, name=told["path"], known=False, problem=told["problem"])
    probabilities = tuple(told["probabilities"].values())
    return Prediction(
        told["label"], told["probability"], known=told["known"], distance=told["distance"], probabilities=probabilities
    )
