"""Weights on disk: judged by what they are, and read without running code."""

from __future__ import annotations

import hashlib
import pickle
import re
import threading
import warnings
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from tsugiki.core.arguments import argument
from tsugiki.core.errors import WeightsError
from tsugiki.core.files import sha256_of
from tsugiki.core.regular_files import read_json
from tsugiki.locale.messages import tr

SUFFIXES = (".safetensors", ".pth", ".pt", ".bin", ".ckpt", ".tar")
INDEX = ".index.json"
"""What the file that lists several files of weights ends with."""

State = Mapping[str, torch.Tensor]

_RUNS_PROGRAMS = frozenset(
    {"os", "posix", "nt", "sys", "subprocess", "builtins", "__builtin__", "commands", "shutil", "socket", "importlib", "runpy"}
    | {
        "pty",
        "code",
        "ctypes",
        "pickle",
        "_pickle",
        "marshal",
        "webbrowser",
        "asyncio",
        "multiprocessing",
        "urllib",
        "requests",
    }
    | {"operator", "pdb", "timeit", "pip", "pkgutil", "threading", "signal"}
)
"""Modules that no training needs to name beside its weights."""

_PLAIN_TYPES = frozenset(f"builtins.{name}" for name in ("object", "slice", "range", "frozenset", "bool", "type"))

_DEEPEST = 4  # dictionaries inside of each other that are looked into
_OF_AN_AVERAGE = re.compile(r"(?:^|[._])(?:ema|teacher|averaged)(?:[._]|$)")
_USUAL = ("state_dict", "model_state_dict", "model", "net", "network", "params", "backbone", "encoder")
_OF_TRAINING = re.compile(
    r"optim|sched|scaler|loss|criterion|history|metric|args|config|hparams|hyper_parameters|callbacks", re.IGNORECASE
)
_ONNX = re.compile(
    rb"\x08[\x01-\x1f](?:\x12.|\x1a.|:)", re.DOTALL
)  # its version of the format, then who wrote it, or the graph
_FOREIGN = (".h5", ".hdf5", ".keras", ".onnx", ".msgpack", ".index", ".tflite", ".mlmodel", ".pb", ".npz", ".npy", ".gguf")
_LFS = b"version https://git-lfs"
_one_at_a_time = threading.Lock()  # what a checkpoint may name is told to PyTorch for the whole process


@dataclass(frozen=True)
class WeightsFile:
    """What a file of weights holds.

    Attributes:
        name: The file's name, without its folder.
        sets: Every set of weights in it: tensors by name, under the keys that lead to them (``state_dict_ema``; empty where
            the file is nothing else). The preferred one first: averaged weights (EMA, a teacher) before raw ones, as timm does.
        sha256: Of the file's content; of several files' names and contents where an index lists them.
        licence: As the file itself says; empty where it says nothing.
    """

    name: str
    sets: Mapping[str, State]
    sha256: str
    licence: str = ""

    @property
    def state(self) -> State:
        """The preferred set."""
        return next(iter(self.sets.values()))


def read_weights(path: Path) -> WeightsFile:
    """Read a file of weights, or all those that an index lists; no code in it is ever run.

    Raises:
        WeightsError: When it does not exist, is damaged or something else, holds no weights or would run code.
    """
    if path.is_dir():
        raise _folder(path)
    if not path.is_file():
        raise WeightsError(tr("There is no file of weights {path}.", path=path), allowed=", ".join(SUFFIXES))
    shards = shards_of(path)
    if shards:
        return _joined(path, [read_weights(path.parent / shard) for shard in shards])
    other = _something_else(path)
    if other:
        raise other
    if _is_safetensors(path):
        state, licence = _read_safetensors(path)
        return WeightsFile(path.name, {"": state}, sha256_of(path), licence)
    return WeightsFile(path.name, _read_pickle(path), sha256_of(path))


def shards_of(path: Path) -> list[str]:
    """The names of the files that the index ``path`` lists, beside it; none where it is no index.

    Raises:
        WeightsError: When the index is damaged, or leads to other folders.
    """
    if not path.name.endswith(INDEX):
        return []
    try:
        names = sorted(set(read_json(path)["weight_map"].values()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _damaged(path, error) from error
    if not names or any(not isinstance(name, str) or name != Path(name).name or name.endswith(INDEX) for name in names):
        raise WeightsError(
            tr("{path} is damaged or no file of weights.", path=path), got=", ".join(map(str, names))[:200] or "-"
        )
    return names


def licence_in(path: Path) -> str:
    """The licence that a file of weights names, without reading the weights; empty where it names none."""
    try:
        parts = [path.parent / shard for shard in shards_of(path)] or [path]
        return next((found for part in parts if _is_safetensors(part) and (found := _licence_of(part))), "")
    except (WeightsError, SafetensorError, OSError):  # whoever loads it is told
        return ""


def _licence_of(path: Path) -> str:
    with safe_open(path, framework="numpy") as stream:
        return _named_in(stream.metadata() or {})


def _named_in(metadata: Mapping[str, str]) -> str:
    return metadata.get("license") or metadata.get("licence") or ""


def _joined(path: Path, parts: list[WeightsFile]) -> WeightsFile:
    state = {name: tensor for part in parts for name, tensor in part.state.items()}
    licence = next((part.licence for part in parts if part.licence), "")
    return WeightsFile(path.name, {"": state}, _digest_of_all((part.name, part.sha256) for part in parts), licence)


def digest_of(path: Path) -> str:
    """What :attr:`WeightsFile.sha256` would be, without reading the weights; empty where there is no such file.

    Raises:
        WeightsError: When it is a damaged index.
    """
    try:
        shards = shards_of(path)
        if shards:
            return _digest_of_all((shard, sha256_of(path.parent / shard)) for shard in shards)
        return sha256_of(path)
    except OSError:
        return ""


def _digest_of_all(parts: Iterable[tuple[str, str]]) -> str:
    content = "".join(f"{name} {sha256}\n" for name, sha256 in parts)
    return hashlib.sha256(content.encode()).hexdigest()


def _something_else(path: Path) -> WeightsError | None:
    """What to raise where the first bytes say that this is no file of weights, whatever it is called."""
    with path.open("rb") as stream:
        start = stream.read(512)
    what, cure = _what_zip(path) if start.startswith(b"PK") else _what(start)
    if not what:
        return None
    return WeightsError(
        tr("{path} is no file of weights: it is {what}.", path=path, what=what), allowed=", ".join(SUFFIXES), cure=cure
    )


def _what(start: bytes) -> tuple[str, str]:
    """What a file that begins like this is, and the way round; nothing where it may hold weights."""
    again = tr("delete it and fetch it again")
    convert, unpack = tr("convert it to PyTorch first"), tr("unpack it, and name the file of weights inside")
    text = start.lstrip().lower()
    if not start:
        return tr("an empty file"), again
    if start[4:8] == b"TFL3" or start.startswith(b"GGUF") or (_ONNX.match(start) and start[8:9] != b"{"):
        return tr("a file of another library"), convert
    kinds = (
        ((_LFS,), tr("a pointer of Git LFS, which stands for the file itself"), "git lfs pull"),
        ((b"\x89HDF",), tr("an HDF5 file, as Keras writes it"), convert),
        ((b"\x93NUMPY",), tr("a file of another library"), convert),
        ((b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"%PDF"), tr("a picture or a document"), again),
        ((b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"7z\xbc\xaf", b"Rar!", b"\x28\xb5\x2f\xfd"), tr("a compressed archive"), unpack),
    )
    if text.startswith((b"<!doctype", b"<html", b"<?xml")):
        return tr("a web page"), tr("fetch the file itself: a browser or a login page was in the way")
    if start[257:262] == b"ustar":
        return tr("a compressed archive"), unpack
    if found := next(((what, cure) for starts, what, cure in kinds if start.startswith(starts)), None):
        return found
    readable = all(32 <= byte < 127 or byte in b"\t\r\n" for byte in start)
    return (tr("a text file"), tr("give the file of weights that belongs to it")) if readable else ("", "")


def _what_zip(path: Path) -> tuple[str, str]:
    """What a zip is where it is none that ``torch.save`` wrote; nothing where it is, or where only PyTorch can say."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError):
        return "", ""
    if any(name.endswith("/constants.pkl") or "/code/" in name for name in names):
        return tr("a TorchScript program"), tr("save it again with torch.save(model.state_dict(), FILE), or as .safetensors")
    if any(name == "data.pkl" or name.endswith("/data.pkl") for name in names):
        return "", ""
    return tr("a zip archive"), tr("unpack it, and name the file of weights inside")


def _is_safetensors(path: Path) -> bool:
    with path.open("rb") as stream:
        start = stream.read(9)
    return start[8:9] == b"{" or (path.suffix == ".safetensors" and not start.startswith((b"PK", b"\x80")))


def _read_safetensors(path: Path) -> tuple[State, str]:
    try:
        with safe_open(path, framework="pt") as stream:
            metadata = stream.metadata() or {}
            state = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118 (no mapping)
    except (SafetensorError, OSError) as error:
        raise _damaged(path, error) from error
    return state, _named_in(metadata)


class _Inert:
    """Stands for every object of a checkpoint that is no tensor (a Namespace, NumPy's scalars): nothing of it is ever run."""

    def __new__(cls, *_args: object, **_settings: object) -> _Inert:
        return super().__new__(cls)

    def __init__(self, *_args: object, **_settings: object) -> None:
        pass

    def __setstate__(self, _state: object) -> None:
        pass

    def __hash__(self) -> int:
        return 0


def _read_pickle(path: Path) -> dict[str, State]:
    with path.open("rb") as stream:
        start = stream.read(8)
    if not start.startswith((b"PK", b"\x80")):
        if path.suffix.lower() in _FOREIGN or not path.name.endswith(SUFFIXES):
            raise _of_another_library(path)
        raise _damaged(path, ValueError(start.hex(" ")))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about old formats; whether the file can be used is said below
            loaded, foreign = _loaded(path)
    except pickle.UnpicklingError as error:
        if "weights_only" not in str(error) or "invalid load key" in str(error):
            raise _damaged(path, error) from error
        raise _more_than_weights(path, []) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise _damaged(path, error) from error
    sets = _sets(loaded)
    if not sets and any(name.startswith("torch.nn.") for name in foreign):
        raise WeightsError(
            tr("{path} holds a whole network as a Python object, not its weights.", path=path),
            allowed=tr("files of plain tensors"),
            got=", ".join(foreign[:6]),
            cure=tr("save it again with torch.save(model.state_dict(), FILE), or as .safetensors"),
        )
    if not sets and any(name.startswith("numpy.") for name in foreign):
        raise WeightsError(
            tr("{path} holds no tensors, but NumPy arrays.", path=path),
            allowed=tr("files of plain tensors"),
            cure=tr(
                "save it again: {code}",
                code="torch.save({name: torch.from_numpy(array) for name, array in weights.items()}, FILE)",
            ),
        )
    if not sets:
        keys = ", ".join(map(str, list(loaded)[:12])) if isinstance(loaded, Mapping) else ""
        raise WeightsError(
            tr("{path} holds no weights.", path=path),
            allowed=tr("tensors by name, perhaps under a key such as state_dict"),
            got=f"{type(loaded).__name__}: {keys}" if keys else type(loaded).__name__,
        )
    return sets


def _loaded(path: Path) -> tuple[Any, list[str]]:
    """The file's content, with inert stand-ins for what is no tensor, and the names of what they stand for.

    Raises:
        WeightsError: When the file names what runs programs: then it is not opened at all.
    """
    try:
        foreign = torch.serialization.get_unsafe_globals_in_checkpoint(path)
    except (RuntimeError, ValueError, pickle.UnpicklingError):  # the older format, which cannot be asked
        foreign = list(_KNOWN_BESIDE)
    strange = [name for name in foreign if name.partition(".")[0] in _RUNS_PROGRAMS and name not in _PLAIN_TYPES]
    if strange:
        raise _more_than_weights(path, strange)
    inert: list[Any] = [(_Inert, name) for name in foreign]
    with _one_at_a_time, torch.serialization.safe_globals(inert), path.open("rb") as stream:
        # As a stream: of a path PyTorch would go by the ending.
        return torch.load(stream, map_location="cpu", weights_only=True), sorted(foreign)


_KNOWN_BESIDE = (
    *("argparse.Namespace", "numpy.dtype", "_codecs.encode", "pathlib.PosixPath"),
    *(f"numpy.{core}.multiarray.{name}" for core in ("core", "_core") for name in ("scalar", "_reconstruct")),
)
"""What checkpoints of the older format usually hold beside their weights."""


def _more_than_weights(path: Path, names: list[str]) -> WeightsError:
    return WeightsError(
        tr("{path} holds more than weights: opening it could run a program, so it was not opened.", path=path),
        allowed=tr("files of plain tensors"),
        got=", ".join(names[:6]),
        cure=tr("save it again with torch.save(model.state_dict(), FILE), or as .safetensors"),
    )


def _folder(path: Path) -> WeightsError:
    own = any((path / name).is_file() for name in ("classifier.json", "config.json"))
    inside = sorted(entry.name for entry in path.iterdir() if entry.name.endswith((*SUFFIXES, INDEX)))
    return WeightsError(
        tr("{path} is a folder, and no file of weights.", path=path),
        allowed=", ".join(SUFFIXES),
        got=", ".join(inside[:6]),
        cure=tr("name it as the network: {argument}", argument=argument("backbone", str(path)))
        if own
        else tr("name the file inside that holds the weights"),
    )


def _of_another_library(path: Path) -> WeightsError:
    return WeightsError(
        tr("{path} is no file of weights: it is {what}.", path=path, what=tr("a file of another library")),
        allowed=", ".join(SUFFIXES),
        cure=tr("convert it to PyTorch first"),
    )


def _damaged(path: Path, error: Exception) -> WeightsError:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return WeightsError(
        tr("{path} is damaged or no file of weights.", path=path),
        got=reason[:200],
        cure=tr("delete it and fetch it again"),
    )


def _sets(loaded: object) -> dict[str, State]:
    """Every set of weights in a checkpoint by the keys that lead to it, the preferred one first."""
    found = dict(_found(loaded, (), 0))
    order = sorted(found, key=_preference)  # stable: otherwise as they lie in the file
    return {".".join(keys): found[keys] for keys in order}


def _preference(keys: tuple[str, ...]) -> tuple[bool, int]:
    usual = min((_USUAL.index(key) for key in keys if key in _USUAL), default=len(_USUAL))
    return not any(_OF_AN_AVERAGE.search(key.lower()) for key in keys), -1 if not keys else usual


def _found(loaded: object, keys: tuple[str, ...], depth: int) -> Iterator[tuple[tuple[str, ...], State]]:
    if not isinstance(loaded, Mapping) or depth > _DEEPEST:
        return
    tensors = {name: value for name, value in loaded.items() if isinstance(name, str) and isinstance(value, torch.Tensor)}
    if any(tensor.ndim for tensor in tensors.values()):  # scalars alone count something, they are no weights
        yield keys, _with_versions(tensors, loaded)
    for key, value in loaded.items():
        if isinstance(key, str) and not _OF_TRAINING.search(key):
            yield from _found(value, (*keys, key), depth + 1)


def _with_versions(tensors: dict[str, torch.Tensor], loaded: Mapping[Any, Any]) -> State:
    # Modules look there for the version that wrote their weights (MNASNet refuses to load without one).
    state = _Tensors(tensors)
    state._metadata = getattr(loaded, "_metadata", None)  # noqa: SLF001
    return state


class _Tensors(dict[str, torch.Tensor]):
    """Tensors by name, with room for the versions of the modules that wrote them."""

    _metadata: Any = None


def names_a_file(weights: str) -> bool:
    """Whether ``weights`` is meant as a local file and not as the name of a set."""
    return weights.endswith((*SUFFIXES, INDEX)) or "/" in weights or "\\" in weights or Path(weights).is_file()
