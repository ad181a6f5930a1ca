"""The saved graph and its other formats answer like the network, pixel for pixel and weight for weight."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ml_models import formats, imaging, synthetic
from ml_models.data import DataError
from ml_models.imaging import model_input
from ml_models.recipes import Network

TENSORFLOW = [
    pytest.mark.tensorflow,
    # TensorFlow's converter names its own interpreter, which is on its way out.
    pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated"),
]
SIZE = 32


def rows(*tops: tuple[int, float]) -> formats.Floats:
    """Probabilities with this much at this place, the rest spread evenly."""
    found = np.empty((len(tops), 8))
    for row, (place, value) in zip(found, tops, strict=True):
        row[:] = (1.0 - value) / 7
        row[place] = value
    return found


def test_parity_counts_the_same_top_class_and_the_clear_ones_apart() -> None:
    reference = rows((0, 0.9), (1, 0.8), (2, 0.13), (3, 0.7))
    other = rows((0, 0.8), (1, 0.8), (3, 0.13), (3, 0.7))
    figures = formats.parity(reference, other)
    assert figures == {
        "n": 4,
        "same_top": 0.75,
        "same_top_clear": 1.0,
        "n_clear": 3,
        "largest_difference": pytest.approx(0.1),
    }
    assert formats.meets_floors("tflite_int8", figures | {"same_top": 0.95})
    assert not formats.meets_floors("tflite_int8", figures)
    assert not formats.meets_floors("tflite_float16", figures)


def test_a_tool_that_fails_is_told_in_a_sentence() -> None:
    with pytest.raises(DataError, match="It did not work: no luck"):
        formats._call(["bash", "-c", "echo no luck >&2; exit 3"], "It did not work")


@pytest.fixture(scope="module", params=[kind for kind in Network if kind.is_linear])
def network_and_graph(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Any, Any, Path]:
    """A tiny network with weights of its own, folded and saved."""
    from ml_models import network, saving
    from ml_models.backend import keras, tf

    keras.utils.set_random_seed(4)
    model = network.build(request.param, 8, SIZE)
    rng = np.random.default_rng(4)
    for layer in saving._layers(model):
        if isinstance(layer, keras.layers.BatchNormalization):
            n = layer.gamma.shape[0]
            layer.set_weights(
                [
                    rng.uniform(0.5, 1.5, n),
                    rng.normal(0, 0.2, n),
                    rng.normal(0, 0.2, n),
                    rng.uniform(0.5, 1.5, n),
                ]
            )
    pixels = inputs()
    before = np.asarray(model(pixels.astype(np.float32), training=False))
    saving.fold_and_round(model)
    after = np.asarray(model(pixels.astype(np.float32), training=False))
    assert after == pytest.approx(before, abs=0.02 * float(np.abs(before).max()))
    path = tmp_path_factory.mktemp("graph") / "saved_model"
    saving.save_model(model, SIZE, 0.8, path)
    return model, tf.saved_model.load(str(path)), path


def inputs() -> formats.Inputs:
    return np.stack([model_input(synthetic.lesion(seed, (80, 60)), SIZE) for seed in range(6)])


class TestGraph:
    pytestmark = TENSORFLOW

    def test_all_weights_are_half_precision(self, network_and_graph: tuple[Any, Any, Path]) -> None:
        from ml_models import saving
        from ml_models.backend import keras

        for layer in saving._layers(network_and_graph[0]):
            folded = isinstance(layer, keras.layers.BatchNormalization)
            for weight in [layer.beta.numpy()] if folded else layer.get_weights():
                assert np.array_equal(weight, weight.astype(np.float16).astype(np.float32))

    def test_a_graph_is_stored_in_half_precision_and_read_back(
        self, network_and_graph: tuple[Any, Any, Path], tmp_path: Path
    ) -> None:
        from ml_models import saving
        from ml_models.backend import tf

        model, graph, path = network_and_graph
        half = tmp_path / "half"
        shutil.copytree(path, half)
        saving.halve(half)
        sizes = [(each / "saved_model.pb").stat().st_size for each in (path, half)]
        assert sizes[1] < 0.6 * sizes[0]
        expected, given = (
            each.signatures["serving_default"](images=inputs())
            for each in (graph, tf.saved_model.load(str(half)))
        )
        for name in saving.OUTPUTS:
            assert np.array_equal(expected[name], given[name])
        kind = Network(model.name)
        for each in (path, half):
            again = saving.read_back(each, kind, SIZE, 8)
            for mine, other in zip(model.get_weights(), again.get_weights(), strict=True):
                assert np.array_equal(mine, other)

    def test_the_mean_of_the_map_is_the_calibrated_logit(
        self, network_and_graph: tuple[Any, Any, Path]
    ) -> None:
        model, graph, _ = network_and_graph
        given = graph.signatures["serving_default"](images=inputs())
        logits = np.asarray(model(inputs().astype(np.float32), training=False)) / 0.8
        means = given["activation_map"].numpy().mean(axis=(1, 2))
        assert means == pytest.approx(logits, abs=1e-3)
        powers = np.exp(means - means.max(axis=1, keepdims=True))
        expected = powers / powers.sum(axis=1, keepdims=True)
        assert given["probabilities"].numpy() == pytest.approx(expected, abs=1e-4)
        assert given["embedding"].shape == (6, 1280)

    def test_a_graph_and_its_tflite_answer_from_all_sides(
        self, network_and_graph: tuple[Any, Any, Path], tmp_path: Path
    ) -> None:
        from ml_models import network, saving
        from ml_models.backend import tf

        model = network_and_graph[0]
        saving.save_model(model, SIZE, 0.8, tmp_path / "eight", views=8)
        graph = tf.saved_model.load(str(tmp_path / "eight"))
        given = graph.signatures["serving_default"](images=inputs())
        logits = np.asarray(network.predictor(model, 8)(inputs())) / 0.8
        assert given["activation_map"].numpy().mean(axis=(1, 2)) == pytest.approx(logits, abs=1e-3)
        light = tmp_path / "float16.tflite"
        light.write_bytes(formats._float16(tmp_path / "eight"))
        probabilities = formats.run_tflite(light, inputs())
        assert probabilities == pytest.approx(given["probabilities"].numpy(), abs=1e-3)

    def test_bytes_give_what_pixels_give(self, network_and_graph: tuple[Any, Any, Path]) -> None:
        from ml_models import saving
        from ml_models.backend import tf

        graph = network_and_graph[1]
        for seed, shape in enumerate([(600, 450), (450, 600), (64, 64), (200, 150)]):
            image = synthetic.lesion(seed, shape)
            data = tf.constant(imaging.encode(image))
            off = np.abs(saving._input(data, SIZE).numpy().astype(int) - model_input(image, SIZE))
            assert off.max() <= 1
            assert (off > 0).mean() < 0.01
            by_bytes = graph.signatures["serve_bytes"](data=data[None])["probabilities"].numpy()
            by_pixels = graph.signatures["serving_default"](images=model_input(image, SIZE)[None])
            assert by_bytes == pytest.approx(by_pixels["probabilities"].numpy(), abs=0.02)

    def test_tflite_answers_like_the_graph(
        self, network_and_graph: tuple[Any, Any, Path], tmp_path: Path
    ) -> None:
        _, graph, path = network_and_graph
        reference = graph.signatures["serving_default"](images=inputs())["probabilities"].numpy()
        formats.convert_tflite(path, tmp_path, [each[None] for each in inputs()])
        half = formats.run_tflite(tmp_path / formats.TFLITE["float16"], inputs())
        assert half == pytest.approx(reference, abs=1e-3)
        whole = formats.run_tflite(tmp_path / formats.TFLITE["int8"], inputs())
        assert np.abs(whole - reference).mean() < 0.02
        assert whole.sum(axis=1) == pytest.approx(np.ones(len(whole)), abs=0.02)
        sizes = {kind: (tmp_path / name).stat().st_size for kind, name in formats.TFLITE.items()}
        assert sizes["int8"] < 0.7 * sizes["float16"]
