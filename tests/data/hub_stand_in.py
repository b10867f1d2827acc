"""As much of the Hub's ``datasets`` as is asked of it, for where that library is not installed.

``datasets.Dataset`` gives rows as dictionaries; a picture that is not decoded is ``{"bytes": ..., "path": ...}``. Where the
library is installed, the same tests run on it, too.
"""

import io
from dataclasses import dataclass

import PIL.Image


@dataclass
class Image:
    decode: bool = True

    def of(self, stored):
        return PIL.Image.open(io.BytesIO(stored["bytes"]) if stored["bytes"] else stored["path"]) if self.decode else stored


@dataclass
class ClassLabel:
    names: list[str]


@dataclass
class Value:
    dtype: str


class Dataset:
    def __init__(self, columns, features):
        self._columns, self.features, self.column_names = columns, features, list(columns)

    def __len__(self):
        return len(self._columns[self.column_names[0]])

    def __getitem__(self, key):
        if isinstance(key, str):
            return [self._cell(key, at) for at in range(len(self))]
        return {name: self._cell(name, key) for name in self.column_names}

    def _cell(self, name, at):
        cell, feature = self._columns[name][at], self.features[name]
        return feature.of(cell) if isinstance(feature, Image) else cell

    def with_format(self, _):
        return self

    def select_columns(self, names):
        return Dataset({name: self._columns[name] for name in names}, {name: self.features[name] for name in names})

    def cast_column(self, name, feature):
        return Dataset(self._columns, self.features | {name: feature})
