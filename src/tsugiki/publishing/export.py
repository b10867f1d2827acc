"""A run as a folder that another program can use, written only where it answers as PyTorch does.

::

    OUT/model.onnx ...    the model: uint8 RGB photos [B, H, W, 3] of any size, or frames [B, 3, h, w] that are ready
                          -> probabilities [B, K], distance [B]
    OUT/model.json        class names, the distance beyond which a photo is unknown, how a photo becomes a frame; the
                          digests of the model's files, which predict.py compares
    OUT/predict.py        answers for photos with these files, NumPy, Pillow and the format's runtime; nothing of tsugiki
    OUT/parity.json       the proof: odd photos and given ones, answered by PyTorch and by predict.py itself

``formats/`` has a module per format, and says which ones take frames only.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast, get_args

from tsugiki.classifier.classifier import Classifier
from tsugiki.classifier.engine_writer import describe
from tsugiki.classifier.parity import Parity, golden_photos
from tsugiki.core.errors import RequestError, TsugikiError, UnknownName
from tsugiki.core.files import atomic_folder, real_path, sha256_of, write_atomically, write_json
from tsugiki.data.load import read_samples
from tsugiki.data.samples import Samples
from tsugiki.evaluation.metrics import Comparison
from tsugiki.inspection.seen_photos import rows_in_training
from tsugiki.locale.messages import tr
from tsugiki.publishing.formats.format import Format, Order, Precision
from tsugiki.publishing.formats.int8 import MOST_PHOTOS
from tsugiki.publishing.formats.registry import FORMATS
from tsugiki.publishing.proof import (
    MOST_LOSS,
    PROOF,
    SCRIPT,
    TOLERANCES,
    accuracy_lost,
    frames_of,
    prove,
    prove_whole,
    reference,
    worse,
)

ABOUT = "model.json"
_MAY_BE_THERE = frozenset({".DS_Store", "Thumbs.db", "desktop.ini", "__pycache__"})


@dataclass(frozen=True)
class Exported:
    """What an export made.

    Attributes:
        folder: With everything.
        parity: How its answers compare with PyTorch's; of ``int8`` those of the same files before they were quantised.
        lost: For ``int8``: PyTorch and the files on the held-out photos.
    """

    folder: Path
    parity: Parity
    lost: Comparison | None = None


def export(
    run: str | Path,
    format: str,  # noqa: A002 (the field's word)
    out: str | Path | None = None,
    *,
    precision: str = "fp32",
    data: Any = None,
    photos: Sequence[Path] = (),
) -> Exported:
    """Write a trained classifier as files for another program, and prove that they answer the same.

    Args:
        run: A run folder.
        format: ``onnx``, ``openvino``, ``torch``, ``timm``, ``torchvision``, ``litert`` or ``coreml``.
        out: A new folder, an empty one, or an older export; by default beside the run.
        precision: ``fp32``, ``fp16``, ``bf16`` or ``int8``, where the format has it.
        data: What the classifier was trained on, as :func:`tsugiki.load` takes it: some of its held-out photos join the proof,
            and ``int8`` needs it.
        photos: To compare on, besides those and those that are drawn for it.

    Returns:
        The folder, and the proof.

    Raises:
        UnknownName: When there is no such format.
        RequestError: When there is no such run or precision, something to write it with is not installed, or ``out`` holds
            anything else.
        TsugikiError: When the network cannot be exported, or what was exported answers otherwise; nothing is written then.
    """
    kind = _format(format, precision)
    if precision == "int8" and data is None:
        raise RequestError(
            tr("8-bit numbers are measured on the photos that the classifier was trained on."),
            cure=tr("name them with --data"),
        )
    source = Path(run)
    folder = _checked(Path(out) if out is not None else source.absolute().with_name(f"{source.absolute().name}-{format}"))
    classifier = Classifier.load(source)
    samples = None if data is None else read_samples(data)
    learned, judged = ([], []) if samples is None else rows_in_training(classifier.notes, samples)
    held_out = [] if samples is None else [samples.paths[row] for row in judged]
    with atomic_folder(folder) as temporary, TemporaryDirectory() as drawn:
        golden = golden_photos(Path(drawn), [*photos, *held_out])
        first = cast("Precision", "fp32" if precision == "int8" else precision)
        order = Order(temporary, classifier, first, takes_photos(kind, classifier))
        parity, proof = _written(order, kind, golden)
        lost = None
        if precision == "int8" and samples is not None:
            for name in kind.files:
                (temporary / name).unlink(missing_ok=True)
            frames, _ = frames_of(classifier, _spread([samples.paths[row] for row in learned]))
            photos_too = order.photos and kind.photos_in_8_bits
            lost = _quantised(
                dataclasses.replace(order, precision="int8", photos=photos_too, calibration=frames), kind, samples, judged
            )
            proof["accuracy"] = dataclasses.asdict(lost)
        write_json(temporary / PROOF, {"format": format, "precision": precision, **proof})
    return Exported(folder, parity, lost)


def takes_photos(kind: Format, classifier: Classifier) -> bool:
    """Whether the files take photos of any size; which pixel is the ``nearest`` depends on Pillow's own rounding."""
    return bool(kind.photos) and classifier.preprocess.interpolation != "nearest"


def _format(name: str, precision: str) -> Format:
    """The format, where everything that it needs is there.

    Raises:
        UnknownName: When there is no such format.
        RequestError: When something is missing, said before any work is done.
    """
    if name not in FORMATS:
        raise UnknownName(tr("There is no export format {name}.", name=repr(name)), name=name, known=FORMATS)
    kind = FORMATS[name]
    if precision not in kind.precisions:
        known = precision in get_args(Precision)
        raise RequestError(
            tr("{format} has no precision {name}.", format=name, name=repr(precision))
            if known
            else tr("There is no precision {name}.", name=repr(precision)),
            allowed=", ".join(kind.precisions),
            got=repr(precision),
        )
    if kind.platform not in {"", sys.platform}:
        raise RequestError(
            tr("{format} files run on macOS only, and no export is written that was not seen to answer the same.", format=name),
            allowed=", ".join(each for each in FORMATS if not FORMATS[each].platform),
            got=sys.platform,
            cure=tr("export on a Mac, or choose another format"),
        )
    packages = [*kind.packages, *(FORMATS["onnx"].packages if precision == "int8" else ())]
    missing = [each for each in dict.fromkeys(packages) if importlib.util.find_spec(each) is None]
    if missing:
        names = [each.replace("_", "-") for each in missing]
        raise RequestError(
            tr("Exporting to {format} needs packages that are not installed: {names}", format=name, names=", ".join(names)),
            cure=f"pip install {' '.join(names)}",
        )
    return kind


def _checked(folder: Path) -> Path:
    """The folder, where nothing but an older export would be replaced."""
    if folder.exists():
        found = {entry.name for entry in folder.iterdir()} if folder.is_dir() else {""}
        own = {ABOUT, SCRIPT, PROOF, *(name for each in FORMATS.values() for name in each.files)}
        foreign = sorted(found - own - _MAY_BE_THERE if ABOUT in found else found)
        if foreign or real_path(folder) == Path.cwd():
            raise RequestError(
                tr("{folder} holds something else than an export: it would be replaced.", folder=folder),
                allowed=tr("a new folder, an empty one, or an older export"),
                got=", ".join(foreign[:5]) or str(folder),
                cure=tr("name another folder with --out"),
            )
    return folder


def _written(order: Order, kind: Format, golden: list[Path]) -> tuple[Parity, dict[str, Any]]:
    """Write everything but the proof, and return it.

    Raises:
        TsugikiError: When the files do not answer as PyTorch does.
    """
    _write(order, kind)
    classifier, tolerance = order.classifier, TOLERANCES[order.precision]
    head = classifier.answer_head if kind.distance else dataclasses.replace(classifier.answer_head, unknown=None)
    expected = reference(classifier, head, golden)
    frames = prove(order.folder, classifier, expected, golden, tolerance)
    whole = prove_whole(order.folder, classifier, expected, golden, max(tolerance, kind.of_photos)) if order.photos else None
    both = worse(frames, whole)
    if not both.holds:
        raise TsugikiError(
            tr("The export is refused: its answers are not those of PyTorch."),
            got=describe(both),
            cure=tr("use the run itself, or another format"),
        )
    return both, {**both.to_dict(), "frames": frames.to_dict(), "whole_photos": whole and whole.to_dict()}


def _quantised(order: Order, kind: Format, samples: Samples, judged: Sequence[int]) -> Comparison:
    """Write the files anew in 8 bits, and return what is lost.

    Raises:
        TsugikiError: When it is more than a point.
    """
    _write(order, kind)
    lost = accuracy_lost(order.folder, order.classifier, samples, judged)
    if -lost.difference > MOST_LOSS:
        raise TsugikiError(
            tr("The export is refused: in 8 bits it answers too many photos wrong."),
            allowed=tr("1 point less"),
            got=loss_sentence(lost),
            cure=tr(
                "use another precision: {precisions}", precisions=", ".join(each for each in kind.precisions if each != "int8")
            ),
        )
    return lost


def loss_sentence(lost: Comparison) -> str:
    """What 8-bit numbers cost, for people."""
    low, high = lost.difference_interval
    return tr(
        "Of {count} held-out photos PyTorch answers {before} right, the 8-bit export {after}: {points} points "
        "(95% interval {low} to {high}).",
        count=lost.n,
        before=f"{lost.accuracy_a:.1%}",
        after=f"{lost.accuracy_b:.1%}",
        points=f"{100 * lost.difference:+.1f}",
        low=f"{100 * low:+.1f}",
        high=f"{100 * high:+.1f}",
    )


def _spread(paths: list[Path]) -> list[Path]:
    """Some photos of all parts of a list."""
    return paths[:: max(1, -(-len(paths) // MOST_PHOTOS))]


def _write(order: Order, kind: Format) -> None:
    try:
        more = kind.write(order)
    except RequestError:
        raise
    except Exception as error:  # whatever a network that an exporter cannot take makes it stumble over
        reason = " ".join((str(error) or type(error).__name__).split())[:300]
        raise TsugikiError(
            tr("This network cannot be exported to {format}.", format=kind.name),
            got=reason,
            cure=tr("use the run itself, or another format"),
        ) from error
    written = [order.folder / name for name in kind.files]
    digests = {path.name: sha256_of(path) for path in written if path.is_file()}
    write_json(order.folder / ABOUT, {**_about(order, kind), **more, "sha256": digests})
    write_atomically(order.folder / SCRIPT, script(kind.name))


def _about(order: Order, kind: Format) -> dict[str, Any]:
    classifier = order.classifier
    head = classifier.answer_head
    tells = kind.distance and head.unknown is not None
    shapes = {"shape": ["B", 3, *classifier.preprocess.size], "photo_shape": ["B", "H", "W", 3] if order.photos else None}
    return {
        "format": kind.name,
        "precision": order.precision,
        "model": kind.files[0],
        "photo_model": kind.photos if order.photos else None,
        "input": {"name": "pixels", "type": "uint8", **shapes, "colours": "RGB"},
        "outputs": ["probabilities", "distance"] if tells else ["probabilities"],
        "task": head.task,
        "classes": list(head.classes),
        **({} if head.multi_label is None else {"thresholds": head.multi_label.thresholds.tolist()}),
        "unknown_threshold": head.unknown.threshold if tells and head.unknown is not None else None,
        "preprocess": classifier.preprocess.to_dict(),
        "backbone": str(classifier.backbone.spec),
        "licence_of_weights": classifier.backbone.origin.licence,
    }


def script(name: str) -> str:
    """The program that answers with the files of a format, for people who have never heard of this one."""
    texts = resources.files("tsugiki.publishing").joinpath("scripts")
    whole, runtime = (texts.joinpath(each).read_text(encoding="utf-8") for each in ("predict.py.txt", f"{name}.py.txt"))
    *most, last = ("NumPy", "Pillow", *FORMATS[name].runtime)
    return whole.replace("{needs}", f"{', '.join(most)} and {last}").replace("{runtime}", runtime.strip())
