"""The same network as TFLite and TensorFlow.js, and how far each answers like the SavedModel.

`tensorflowjs` needs an older TensorFlow than ours, so it lives in an environment of its own under `var/`,
which is made once; so does the runtime that the converted model is checked with, in Node.js.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_models.data import DataError
from ml_models.taxonomy import CODES

Floats = NDArray[np.float64]
Inputs = NDArray[np.uint8]

TFLITE = {"float16": "tflite/float16.tflite", "int8": "tflite/int8.tflite"}
TFJS = "tfjs"
NAMES = ("tflite_float16", "tflite_int8", "tfjs_float16")
TOOLS = Path("var") / "tensorflowjs"
CONVERTER = "tensorflowjs==4.22.0"
# The converter's own pin pulls in a protobuf that its TensorFlow cannot read; this one both can.
PROTOBUF = "protobuf==6.33.0"
RUNTIME = ("tfjs-core", "tfjs-converter", "tfjs-backend-cpu", "tfjs-backend-wasm")
RUNTIME_VERSION = "4.22.0"
FLOAT_OPERATIONS = 20
PARITY_IMAGES = 200
CLEAR_MARGIN = 0.05
# Least share of images with the same top class: of all, and of those whose two best are clearly apart.
FLOORS = {
    "tflite_float16": {"same_top": 0.995},
    "tflite_int8": {"same_top": 0.95, "same_top_clear": 0.98},
    "tfjs_float16": {"same_top": 0.995},
}


def convert_tflite(saved_model: Path, out: Path, samples: Iterable[Inputs]) -> None:
    """Writes both TFLite files; `samples`, network inputs uint8 [1, s, s, 3], set the ranges of int8.

    In the int8 file the first FLOAT_OPERATIONS convolutions and additions stay float32: they carry a tenth of
    the weights, and their rounding does most of the harm.
    """
    given = list(samples)
    for kind, name in TFLITE.items():
        path = out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_float16(saved_model) if kind == "float16" else _int8(saved_model, given))


def _converter_of(saved_model: Path) -> Any:
    from ml_models.backend import tf

    converter = tf.lite.TFLiteConverter.from_saved_model(str(saved_model), signature_keys=["serving_default"])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    return converter


def _float16(saved_model: Path) -> bytes:
    from ml_models.backend import tf

    converter = _converter_of(saved_model)
    converter.target_spec.supported_types = [tf.float16]
    content: bytes = converter.convert()
    return content


def _int8(saved_model: Path, samples: Sequence[Inputs]) -> bytes:
    from ai_edge_litert.interpreter import Interpreter

    from ml_models.backend import tf

    def converter(count: int | None = None) -> Any:
        made = _converter_of(saved_model)
        made.representative_dataset = lambda: ({"images": each} for each in samples[:count])
        return made

    # The names of the operations are those that the converter gives, so it runs once to learn them.
    whole = Interpreter(model_content=converter(1).convert())
    tensors = {tensor["index"]: tensor["name"] for tensor in whole.get_tensor_details()}
    operations = [
        tensors[operation["outputs"][0]]
        for operation in whole._get_ops_details()
        if operation["op_name"] in {"CONV_2D", "DEPTHWISE_CONV_2D", "ADD"}
    ]
    debugger = tf.lite.experimental.QuantizationDebugger(
        converter=converter(),
        debug_dataset=lambda: ({"images": each} for each in samples[:1]),
        debug_options=tf.lite.experimental.QuantizationDebugOptions(
            denylisted_nodes=operations[:FLOAT_OPERATIONS]
        ),
    )
    content: bytes = debugger.get_nondebug_quantized_model()
    return content


def convert_tfjs(saved_model: Path, out: Path, tools: Path = TOOLS) -> None:
    """Writes the TensorFlow.js graph model, weights as float16 in one file."""
    python = _converter(tools)
    _call(
        [
            *(str(python), "-m", "tensorflowjs.converters.converter", "--input_format=tf_saved_model"),
            *(
                "--output_format=tfjs_graph_model",
                "--signature_name=serving_default",
                "--saved_model_tags=serve",
            ),
            *("--quantize_float16=*", f"--weight_shard_size_bytes={64 * 2**20}"),
            *(str(saved_model), str(out / TFJS)),
        ],
        "The conversion to TensorFlow.js failed",
    )


def run_tflite(path: Path, inputs: Inputs) -> Floats:
    """Probabilities [n, 8] of a TFLite file, one image at a time, as a phone runs it."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path), num_threads=2)
    runner = interpreter.get_signature_runner("serving_default")
    rows = [runner(images=each[None])["probabilities"][0] for each in inputs]
    return np.array(rows, dtype=np.float64)


def run_tfjs(folder: Path, inputs: Inputs, tools: Path = TOOLS) -> Floats:
    """Probabilities [n, 8] of the TensorFlow.js model in its WebAssembly runtime, in Node.js."""
    runtime = _runtime(tools)
    script = Path(__file__).with_name("run_tfjs.cjs")
    with tempfile.TemporaryDirectory() as scratch:
        pixels, rows = Path(scratch) / "pixels.bin", Path(scratch) / "probabilities.json"
        pixels.write_bytes(inputs.tobytes())
        _call(
            ["node", str(script), str(folder.resolve()), str(pixels), str(inputs.shape[1]), str(rows)],
            "TensorFlow.js failed",
            NODE_PATH=str((runtime / "node_modules").resolve()),
        )
        result = np.array(json.loads(rows.read_text(encoding="utf-8")), dtype=np.float64)
    return result.reshape(-1, len(CODES))


def parity(reference: Floats, other: Floats) -> dict[str, Any]:
    """How alike two formats answer the same images: [n, 8] each."""
    ordered = np.sort(reference, axis=1)
    clear = ordered[:, -1] - ordered[:, -2] > CLEAR_MARGIN
    same = reference.argmax(axis=1) == other.argmax(axis=1)
    return {
        "n": len(reference),
        "same_top": round(float(same.mean()), 4),
        "same_top_clear": round(float(same[clear].mean()), 4) if clear.any() else None,
        "n_clear": int(clear.sum()),
        "largest_difference": round(float(np.abs(reference - other).max()), 6),
    }


def meets_floors(name: str, figures: dict[str, Any]) -> bool:
    """Whether a format's parity reaches what the format of that name must."""
    return all((figures[key] or 0.0) >= floor for key, floor in FLOORS[name].items())


def export_formats(
    made: Path, saved_model: Path, samples: Inputs, inputs: Inputs, reference: Floats
) -> dict[str, Any]:
    """Writes every format into the release folder `made` and compares each with the SavedModel.

    `samples` and `inputs` are network inputs uint8 [n, s, s, 3], `reference` the probabilities of `inputs`.
    Raises DataError where a format does not answer like the SavedModel.
    """
    convert_tflite(saved_model, made, (each[None] for each in samples))
    convert_tfjs(saved_model, made)
    runs: dict[str, tuple[str, Callable[[], Floats]]] = {
        "tflite_float16": (TFLITE["float16"], lambda: run_tflite(made / TFLITE["float16"], inputs)),
        "tflite_int8": (TFLITE["int8"], lambda: run_tflite(made / TFLITE["int8"], inputs)),
        "tfjs_float16": (f"{TFJS}/model.json", lambda: run_tfjs(made / TFJS, inputs)),
    }
    content = {}
    for name, (path, answer) in runs.items():
        figures = parity(reference, answer())
        print(f"{name}: {json.dumps(figures)}", flush=True)
        if not meets_floors(name, figures):
            raise DataError(f"The format {name} does not answer like the SavedModel: {figures}.")
        content[name] = {"file": path, "parity": figures, "floors": FLOORS[name]}
    return content


def _converter(tools: Path) -> Path:
    """The Python of the converter's environment, made where it is missing or was left half made."""
    folder, done = tools / "python", tools / "python" / ".complete"
    python = folder / "bin" / "python"
    if not done.is_file():
        print(f"Making {folder} for {CONVERTER}: some minutes, once.", flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        failed = "The environment of the TensorFlow.js converter could not be made"
        _call([sys.executable, "-m", "venv", str(folder)], failed)
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        _call([*install, CONVERTER], failed)
        _call([*install, "--no-deps", PROTOBUF], failed)
        done.touch()
    return python


def _runtime(tools: Path) -> Path:
    """The folder with TensorFlow.js for Node.js."""
    folder, done = tools / "node", tools / "node" / ".complete"
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise DataError("Node.js with npm is needed to check the TensorFlow.js model and was not found.")
    if not done.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text('{"private": true}\n', encoding="utf-8")
        packages = [f"@tensorflow/{name}@{RUNTIME_VERSION}" for name in RUNTIME]
        command = [
            "npm",
            "install",
            "--prefix",
            str(folder),
            "--no-audit",
            "--no-fund",
            "--silent",
            *packages,
        ]
        _call(command, "TensorFlow.js could not be installed")
        done.touch()
    return folder


def _call(command: list[str], failed: str, **environment: str) -> None:
    """Runs a tool silently; DataError with the end of what it said if it fails."""
    done = subprocess.run(  # noqa: S603  (tools of this module, no shell)
        command, capture_output=True, text=True, check=False, env={**os.environ, **environment}
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise DataError(f"{failed}: {said[-1] if said else f'exit code {done.returncode}'}")
