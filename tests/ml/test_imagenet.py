"""Weights that a body starts from, and the file of PyTorch's that some come in."""

import contextlib
import pickle
import sys
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from ml_models.data import DataError
from ml_models.recipes import Network

MAGIC = 0x1950A86A20F9469CFC6C
# Photos and their places among ImageNet's thousand classes: shark, ouzel, owl, frog, iguana, dinosaur, snake.
PHOTOS = {
    "n01491361": 3,
    "n01601694": 20,
    "n01622779": 24,
    "n01644900": 32,
    "n01677366": 39,
    "n01704323": 51,
    "n01735189": 57,
}


class Tensor:
    """What is pickled like a tensor: a view into a storage of numbers."""

    def __init__(self, values: np.ndarray[Any, Any]) -> None:
        self.values = values

    def __reduce__(self) -> Any:
        strides = tuple(stride // self.values.itemsize for stride in self.values.strides)
        rebuild = sys.modules["torch._utils"]._rebuild_tensor_v2
        return rebuild, (Storage(self.values), 0, self.values.shape, strides, False, OrderedDict())


class Storage:
    def __init__(self, values: np.ndarray[Any, Any]) -> None:
        self.numbers = np.ravel(values, order="K")


@contextlib.contextmanager
def names_of_pytorch() -> Iterator[ModuleType]:
    """Modules with what such a file refers to. Only while it is written: SciPy looks for them, too."""
    torch, utils = ModuleType("torch"), ModuleType("torch._utils")
    for module, name in (
        (torch, "FloatStorage"),
        (torch, "LongStorage"),
        (utils, "_rebuild_tensor_v2"),
    ):
        setattr(module, name, type(name, (), {"__module__": module.__name__}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "torch", torch)
        patch.setitem(sys.modules, "torch._utils", utils)
        yield torch


def write(path: Path, content: Any, *, magic: int = MAGIC, missing: int = 0) -> None:
    """The file that PyTorch wrote before its version 1.6; `missing` bytes are cut off at the end."""
    storages: dict[str, np.ndarray[Any, Any]] = {}

    class Pickler(pickle.Pickler):
        def persistent_id(self, each: Any) -> Any:
            if not isinstance(each, Storage):
                return None
            key = str(len(storages))
            storages[key] = each.numbers
            name = "FloatStorage" if each.numbers.dtype == np.float32 else "LongStorage"
            return "storage", getattr(torch, name), key, "cpu", len(each.numbers), None

    with names_of_pytorch() as torch, path.open("wb") as file:
        for part in (magic, 1001, {"little_endian": True}):
            pickle.dump(part, file, protocol=2)
        Pickler(file, protocol=2).dump(content)
        pickle.dump(sorted(storages), file, protocol=2)
        for key in sorted(storages):
            file.write(len(storages[key]).to_bytes(8, "little") + storages[key].tobytes())
    if missing:
        path.write_bytes(path.read_bytes()[:-missing])


def test_tensors_are_read_without_pytorch(tmp_path: Path) -> None:
    from ml_models.network.pytorch_file import read_tensors

    turned = np.arange(24, dtype=np.float32).reshape(2, 3, 4).transpose(2, 0, 1)
    given: dict[str, np.ndarray[Any, Any]] = {
        "b": turned,
        "a": np.array([7, 8, 9], dtype=np.int64),
        "scalar": np.array(5, dtype=np.int64),
    }
    tensors = OrderedDict((name, Tensor(each)) for name, each in given.items())
    write(tmp_path / "some.pth", tensors)
    found = read_tensors(tmp_path / "some.pth")
    assert list(found) == list(given)
    for name, each in given.items():
        assert found[name].dtype == each.dtype
        assert np.array_equal(found[name], each)


def test_nothing_but_tensors_is_unpickled(tmp_path: Path) -> None:
    from ml_models.network.pytorch_file import read_tensors

    ran = tmp_path / "ran"

    class Attack:
        def __reduce__(self) -> Any:
            return Path.touch, (ran,)

    path = tmp_path / "some.pth"
    whole = OrderedDict(a=Tensor(np.ones(3, dtype=np.float32)))
    cases: list[tuple[Any, dict[str, int], str]] = [
        (Attack(), {}, "is not expected in it"),
        (whole, {"magic": 1}, "unknown format"),
        (whole, {"missing": 5}, "incomplete"),
        (whole, {"missing": 15}, "incomplete"),
    ]
    for content, options, said in cases:
        write(path, content, **options)
        with pytest.raises(DataError, match=said):
            read_tensors(path)
    path.write_bytes(b"GIF89a")
    with pytest.raises(DataError, match="no file of PyTorch tensors"):
        read_tensors(path)
    assert not ran.exists()


@pytest.mark.parametrize(("strides", "offset", "length"), [((4, 1), 1, 8), ((9, 1), 0, 8), ((-1, 1), 4, 8)])
def test_a_tensor_stays_inside_its_storage(strides: tuple[int, int], offset: int, length: int) -> None:
    from ml_models.network.pytorch_file import _tensor

    storage = np.arange(length, dtype=np.float32)
    assert np.array_equal(_tensor(storage, 0, (2, 4), (4, 1)), storage.reshape(2, 4))
    with pytest.raises(ValueError, match="larger than its storage"):
        _tensor(storage, offset, (2, 4), strides)


@pytest.mark.tensorflow
class TestBodies:
    def test_weights_of_pytorch_find_their_layers(self, tmp_path: Path) -> None:
        """In the order of computing, kernels with the channels first, and a classifier at the end."""
        from ml_models import network

        model = network.build(Network.LITE, 8, 32)
        rng = np.random.default_rng(1)
        values = [
            rng.normal(size=weight.shape).astype(np.float32) for weight in model.get_layer("body").weights
        ]
        tensors: OrderedDict[str, Any] = OrderedDict()
        for number, (weight, value) in enumerate(zip(model.get_layer("body").weights, values, strict=True)):
            depthwise = "_depthwise/" in weight.path and value.ndim == 4
            moved = (
                value.transpose(*((2, 3, 0, 1) if depthwise else (3, 2, 0, 1))) if value.ndim == 4 else value
            )
            tensors[f"{number}"] = Tensor(np.ascontiguousarray(moved))
            if weight.path.endswith("moving_variance"):
                counted = np.array(3, dtype=np.int64)
                tensors[f"{number}.num_batches_tracked"] = Tensor(counted)
        for name in ("fc.weight", "fc.bias"):
            tensors[name] = Tensor(np.zeros(3, dtype=np.float32))
        write(tmp_path / "lite.pth", tensors)
        started = network.build(Network.LITE, 8, 32, weights=tmp_path / "lite.pth")
        for found, value in zip(started.get_layer("body").get_weights(), values, strict=True):
            assert np.array_equal(found, value)

    def test_the_weights_of_the_package_know_ordinary_photos(self, real_data: Path) -> None:
        from ml_models import imaging, network
        from ml_models.backend import keras
        from ml_models.network import imagenet
        from ml_models.network.pytorch_file import read_tensors

        pytest.importorskip(imagenet.PYTORCH_PACKAGE)
        path = imagenet.find(Network.LITE, real_data)
        assert path is not None
        tensors = read_tensors(path)
        model = network.build(Network.LITE, 1000, 224, weights=path)
        network.head(model).set_weights([tensors["_fc.weight"].T, tensors["_fc.bias"]])
        files = {next((real_data / "ood").glob(f"{name}*")): place for name, place in PHOTOS.items()}
        pixels = [imaging.model_input(imaging.canonicalise(file.read_bytes()), 224) for file in files]
        logits = keras.ops.convert_to_numpy(model(np.stack(pixels).astype(np.float32), training=False))
        assert list(logits.argmax(axis=1)) == list(files.values())

    def test_a_missing_package_is_told(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        from ml_models.network import imagenet

        monkeypatch.setattr(imagenet, "PYTORCH_PACKAGE", "no_such_package")
        with pytest.raises(DataError, match="no_such_package is missing"):
            imagenet.find(Network.LITE, tmp_path)
        assert imagenet.find(Network.FIVE_BLOCKS, tmp_path) is None
        assert (
            imagenet.find(Network.DEEP_HEAD, tmp_path / "data") == tmp_path / "weights" / imagenet.KERAS_FILE
        )
