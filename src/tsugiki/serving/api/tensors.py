"""Tensors of the Open Inference Protocol: in JSON, and in bytes behind the JSON (the binary tensor data extension).

Letters: ``B`` photos, ``h`` x ``w`` a photo.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tsugiki.core.errors import RequestError
from tsugiki.locale.messages import tr
from tsugiki.serving.api.bodies import from_base64, json_object

_TYPES = {"BOOL": "?", "UINT8": "u1", "FP32": "<f4"}
_MOST_INPUTS = 16


@dataclass(frozen=True)
class NamedTensor:
    """A named tensor.

    Attributes:
        name: As the protocol has it.
        datatype: ``BYTES``, ``UINT8``, ``FP32`` or ``BOOL``.
        shape: Its sides.
        values: An array of that shape; for ``BYTES`` a flat list of bytes.
    """

    name: str
    datatype: str
    shape: tuple[int, ...]
    values: Any


def split_body(body: bytes, header_length: str | None) -> tuple[dict[str, Any], memoryview]:
    """The JSON of a request, and the bytes behind it.

    Args:
        body: The whole body.
        header_length: ``Inference-Header-Content-Length``: bytes of JSON; all of it where it is left out.

    Raises:
        RequestError: When that is no length of a JSON object.
    """
    length = len(body)
    if header_length is not None:
        if not (header_length.isascii() and header_length.isdecimal()) or int(header_length[:12]) > len(body):
            raise RequestError(
                tr("Inference-Header-Content-Length is no length of this request's JSON."),
                allowed=f"0 ... {len(body)}",
                got=repr(header_length[:20]),
            )
        length = int(header_length)
    return json_object(body[:length]), memoryview(body)[length:]


def read_inputs(document: Mapping[str, Any], binary: memoryview) -> list[NamedTensor]:
    """The inputs of a request.

    Raises:
        RequestError: When they are not what the protocol says.
    """
    inputs = document.get("inputs")
    if not isinstance(inputs, list) or not 1 <= len(inputs) <= _MOST_INPUTS:
        raise RequestError(tr("An inference request has a list of inputs."), allowed='"inputs": [{...}]')
    tensors = []
    for given in inputs:
        tensor, binary = _read(given, binary)
        tensors.append(tensor)
    if len(binary):
        raise RequestError(tr("There are bytes behind the inputs that belong to none of them."), got=str(len(binary)))
    return tensors


def _read(given: Any, binary: memoryview) -> tuple[NamedTensor, memoryview]:
    if not isinstance(given, dict) or not isinstance(given.get("name"), str):
        raise RequestError(tr("An input has a name, a datatype and a shape."), got=str(given)[:100])
    name, datatype, shape = given["name"][:100], given.get("datatype"), given.get("shape")
    if not isinstance(shape, list) or not all(isinstance(side, int) and 0 <= side < 1 << 31 for side in shape):
        raise RequestError(tr("Input {name} has no shape.", name=repr(name)), got=str(shape)[:100])
    if datatype not in {"BYTES", "UINT8"}:
        raise RequestError(
            tr("Input {name} has a datatype that holds no photos.", name=repr(name)),
            allowed="BYTES, UINT8",
            got=str(datatype)[:100],
        )
    parameters = given.get("parameters")
    size = parameters.get("binary_data_size") if isinstance(parameters, dict) else None
    if size is None:
        return NamedTensor(name, datatype, tuple(shape), _from_json(name, datatype, shape, given.get("data"))), binary
    if not isinstance(size, int) or not 0 <= size <= len(binary):
        raise RequestError(tr("Input {name} has fewer bytes than it says.", name=repr(name)), got=str(size)[:40])
    return NamedTensor(name, datatype, tuple(shape), _from_bytes(name, datatype, shape, binary[:size])), binary[size:]


def _from_json(name: str, datatype: str, shape: Sequence[int], data: Any) -> Any:
    if datatype == "BYTES":
        flat = data if isinstance(data, list) else [data]
        if not all(isinstance(text, str) for text in flat) or len(flat) != _count(shape):
            raise _other_shape(name, shape, f"{len(flat)}")
        return [from_base64(text) for text in flat]
    try:
        array = np.asarray(data)
    except ValueError as fault:
        raise _other_shape(name, shape, str(fault)) from fault
    if array.dtype.kind not in "iu" or array.size != _count(shape) or array.size == 0 or array.min() < 0 or array.max() > 255:
        raise _other_shape(name, shape, f"{array.dtype} {list(array.shape)}")
    return array.astype(np.uint8).reshape(shape)


def _from_bytes(name: str, datatype: str, shape: Sequence[int], data: memoryview) -> Any:
    if datatype != "BYTES":
        if len(data) != _count(shape):
            raise _other_shape(name, shape, f"{len(data)}")
        return np.frombuffer(data, np.uint8).reshape(shape)
    elements = []
    while len(data):
        length = int.from_bytes(data[:4], "little")
        if len(data) < 4 + length:
            raise _other_shape(name, shape, f"{len(data)}")
        elements.append(bytes(data[4 : 4 + length]))
        data = data[4 + length :]
    if len(elements) != _count(shape):
        raise _other_shape(name, shape, f"{len(elements)}")
    return elements


def _count(shape: Sequence[int]) -> int:
    count = 1
    for side in shape:
        count *= side
    return count


def _other_shape(name: str, shape: Sequence[int], got: str) -> RequestError:
    return RequestError(
        tr("The data of input {name} does not fit its shape.", name=repr(name)), allowed=str(list(shape)), got=got[:200]
    )


def write_outputs(tensors: Sequence[NamedTensor], wanted: Mapping[str, bool]) -> tuple[list[dict[str, Any]], bytes]:
    """Outputs as a response has them, and the bytes behind its JSON.

    Args:
        tensors: What there is.
        wanted: Name of each output that is wanted, in order, and whether as bytes.

    Returns:
        Both; the bytes are empty where no output is wanted so.

    Raises:
        RequestError: When there is no such output.
    """
    by_name = {tensor.name: tensor for tensor in tensors}
    told, behind = [], bytearray()
    for name, as_bytes in wanted.items():
        if name not in by_name:
            raise RequestError(
                tr("There is no output {name}.", name=repr(name[:100])), allowed=", ".join(by_name), got=repr(name[:100])
            )
        tensor = by_name[name]
        output: dict[str, Any] = {"name": name, "datatype": tensor.datatype, "shape": list(tensor.shape)}
        if as_bytes:
            content = _to_bytes(tensor)
            output["parameters"] = {"binary_data_size": len(content)}
            behind += content
        elif tensor.datatype == "BYTES":
            output["data"] = [element.decode("utf-8") for element in tensor.values]
        else:
            output["data"] = np.asarray(tensor.values).ravel().tolist()
        told.append(output)
    return told, bytes(behind)


def _to_bytes(tensor: NamedTensor) -> bytes:
    if tensor.datatype == "BYTES":
        return b"".join(struct.pack("<I", len(element)) + element for element in tensor.values)
    return np.ascontiguousarray(tensor.values, np.dtype(_TYPES[tensor.datatype])).tobytes()
