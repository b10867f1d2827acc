"""A zoo file: names for an organisation's own weights, usable wherever the name of a backbone is.

::

    [backbone.our-mobilenet]
    architecture = "timm:mobilenetv2_100"
    weights = "mobilenetv2.safetensors"     # relative to this file
    model_args = { pad_type = "same" }      # optional
    licence = "Apache-2.0"                  # optional
    preprocess = { size = [224, 224] }      # optional; without it the architecture's own
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tsugiki.backbones.names import resolve
from tsugiki.backbones.weights.weights_file import SUFFIXES, licence_in
from tsugiki.core.errors import RequestError
from tsugiki.core.regular_files import read_toml
from tsugiki.data.preprocess import Preprocess
from tsugiki.locale.messages import tr

_SETTINGS = ("architecture", "weights", "model_args", "licence", "preprocess")


@dataclass(frozen=True)
class ZooEntry:
    """One named backbone of a zoo file.

    Attributes:
        name: As it is typed.
        architecture: What to build.
        weights: Their file.
        model_args: Arguments of the architecture.
        stated_licence: What the zoo file says of the weights; empty where it says nothing.
        preprocess: Instead of the architecture's own.
    """

    name: str
    architecture: str
    weights: Path
    model_args: dict[str, Any] = field(default_factory=dict)
    stated_licence: str = ""
    preprocess: Preprocess | None = None

    @property
    def licence(self) -> str:
        """Of the weights: as the zoo file says, else as the file of weights itself does."""
        return self.stated_licence or licence_in(self.weights) or "unknown"


@dataclass(frozen=True)
class Zoo:
    """The backbones of a zoo file, by name; empty where there is no file."""

    entries: Mapping[str, ZooEntry] = field(default_factory=dict)

    def names(self) -> tuple[str, ...]:
        """Every name."""
        return tuple(self.entries)

    def entry(self, name: str) -> ZooEntry:
        """The backbone called ``name``."""
        return self.entries[name]


def find_zoo(path: str | Path | None = None) -> Zoo:
    """The zoo in ``path``, else in the file that ``TSUGIKI_ZOO`` names, else an empty one."""
    chosen = path or os.environ.get("TSUGIKI_ZOO")
    return read_zoo(Path(chosen).expanduser()) if chosen else Zoo()


def read_zoo(path: Path) -> Zoo:
    """Read a zoo file.

    Raises:
        RequestError: When it cannot be read, or with every fault in it at once.
    """
    try:
        document = read_toml(path)
    except (OSError, ValueError) as error:
        raise RequestError(tr("The zoo file {path} cannot be read.", path=path), got=str(error)) from error
    tables = document.get("backbone", {})
    faults = [*_faults_of_document(document), *_faults_of_tables(tables, path)]
    if faults:
        raise RequestError(tr("The zoo file {path} has faults.", path=path), got="; ".join(faults))
    return Zoo({name: _entry(name, table, path) for name, table in tables.items()})


def _entry(name: str, table: Mapping[str, Any], path: Path) -> ZooEntry:
    return ZooEntry(
        name,
        table["architecture"],
        path.parent / table["weights"],
        dict(table.get("model_args", {})),
        "" if table.get("licence", "").strip().lower() == "unknown" else table.get("licence", "").strip(),
        Preprocess.from_dict(table["preprocess"]) if "preprocess" in table else None,
    )


def _faults_of_document(document: Mapping[str, Any]) -> list[str]:
    if isinstance(document.get("backbone"), dict) and document["backbone"]:
        return [tr("{key} is no setting", key=key) for key in document if key != "backbone"]
    return [tr("it names no backbone: each needs a table [backbone.NAME]")]


def _faults_of_tables(tables: Any, path: Path) -> list[str]:
    if not isinstance(tables, dict):
        return []
    return [
        f"{name}: {fault}"
        for name, table in tables.items()
        for fault in (_faults(name, table, path) if isinstance(table, dict) else [tr("is no table")])
    ]


def _faults(name: str, table: Mapping[str, Any], path: Path) -> list[str]:
    faults = [tr("{key} is no setting", key=key) for key in table if key not in _SETTINGS]
    faults += [
        tr("{key} is missing or of the wrong kind", key=key)
        for key in ("architecture", "weights")
        if not isinstance(table.get(key), str)
    ]
    faults += [
        tr("{key} is missing or of the wrong kind", key=key)
        for key, kind in (("model_args", dict), ("licence", str), ("preprocess", dict))
        if key in table and not isinstance(table[key], kind)
    ]
    return faults or [
        *_fault_of_name(name),
        *_fault_of_architecture(table),
        *_fault_of_weights(table, path),
        *_fault_of_preprocess(table),
    ]


def _fault_of_name(name: str) -> list[str]:
    if ":" in name or "/" in name:
        return [tr("a name holds neither ':' nor '/'")]
    try:
        taken = resolve(name)
    except RequestError:
        return []
    return [tr("the name is taken by {taken}", taken=str(taken))]


def _fault_of_architecture(table: Mapping[str, Any]) -> list[str]:
    try:
        found = resolve(table["architecture"])
    except RequestError as error:
        return [" ".join(part for part in (error.what, error.allowed) if part)]
    return [] if found.source in {"torchvision", "timm"} else [tr("architecture is torchvision:NAME or timm:NAME")]


def _fault_of_weights(table: Mapping[str, Any], path: Path) -> list[str]:
    weights = path.parent / table["weights"]
    if not table["weights"].endswith(SUFFIXES):
        return [tr("weights is a file of {suffixes}", suffixes=", ".join(SUFFIXES))]
    return [] if weights.is_file() else [tr("there is no file {path}", path=weights)]


def _fault_of_preprocess(table: Mapping[str, Any]) -> list[str]:
    try:
        Preprocess.from_dict(table.get("preprocess", {}))
    except (RequestError, TypeError) as error:
        return [str(error)]
    return []
