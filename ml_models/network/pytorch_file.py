"""Reads tensors out of a file that PyTorch wrote before its version 1.6, without PyTorch.

Such a file is a row of pickles (a number, a version, facts of the machine, the tensors, the keys of their
storages), then each storage's length and bytes. Whatever else a pickle may name is refused, so nothing of the
file is ever run.
"""

import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_models.data import DataError

MAGIC = 0x1950A86A20F9469CFC6C
_TYPES = {"FloatStorage": "<f4", "LongStorage": "<i8"}


def read_tensors(path: Path) -> dict[str, NDArray[Any]]:
    """The tensors by name, in the file's order. Raises DataError for any other file."""
    storages: dict[str, NDArray[Any]] = {}
    try:
        with path.open("rb") as file:
            if _Unpickler(file, storages).load() != MAGIC:
                raise ValueError("unknown format")
            for _ in range(2):
                _Unpickler(file, storages).load()
            tensors = _Unpickler(file, storages).load()
            for key in _Unpickler(file, storages).load():
                storage = storages[key]
                length, content = int.from_bytes(file.read(8), "little"), file.read(storage.nbytes)
                if length != len(storage) or len(content) != storage.nbytes:
                    raise ValueError("a tensor is incomplete")
                storage[:] = np.frombuffer(content, dtype=storage.dtype)
            return dict(tensors)
    except (pickle.UnpicklingError, EOFError, LookupError, ValueError, TypeError, AttributeError) as error:
        raise DataError(f"{path} is no file of PyTorch tensors: {error}.") from error


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: Any, storages: dict[str, NDArray[Any]]) -> None:
        super().__init__(file)
        self.storages = storages

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor
        if module == "torch" and name in _TYPES:
            return _TYPES[name]
        raise pickle.UnpicklingError(f"{module}.{name} is not expected in it")

    def persistent_load(self, pid: Any) -> NDArray[Any]:
        _, kind, key, _, length, _ = pid
        return self.storages.setdefault(key, np.zeros(length, dtype=kind))


def _tensor(storage: NDArray[Any], offset: int, shape: Any, strides: Any, *_: Any) -> NDArray[Any]:
    """A view into its storage, which is filled after all tensors are known."""
    last = offset + sum((length - 1) * stride for length, stride in zip(shape, strides, strict=True))
    if not 0 <= offset <= last < len(storage) or min(strides, default=0) < 0:
        raise ValueError("a tensor is larger than its storage")
    return np.lib.stride_tricks.as_strided(
        storage[offset:], shape, [stride * storage.itemsize for stride in strides]
    )
