"""A small data set of generated images in the layout of the real one, and the engines that tests share."""

import csv
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ml_models import synthetic
from ml_models.data import ISIC2017_CODES
from ml_models.imaging import encode
from ml_models.runtime import Engine, default_release, release_path
from ml_models.taxonomy import BY_CODE, CODES


@pytest.fixture(scope="session")
def engine() -> Engine:
    return Engine.load(release_path(default_release()))


@pytest.fixture
def release_copy(tmp_path: Path) -> Path:
    """A copy of the default release that a test may spoil."""
    return Path(shutil.copytree(release_path(default_release()), tmp_path / "release"))


@pytest.fixture(scope="session")
def small_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve generated images of each class, some with a sharper twin, six in the manner of ISIC 2017, and
    twelve patchworks in the place of ordinary photos.
    """
    root = tmp_path_factory.mktemp("data")
    images, sharper = root / "ham10000" / "images", root / "ham10000" / "images_224"
    images.mkdir(parents=True)
    sharper.mkdir()
    with (root / "ham10000" / "metadata.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["lesion_id", "image_id", "dx", "dx8", "split", "age", "sex"])
        for number in range(12 * len(CODES)):
            code = CODES[number % len(CODES)]
            split = ("train", "train", "val", "test")[(number // len(CODES)) % 4]
            name = f"SYN_{number:04d}"
            person = (30 + 5 * (number % 9), "female") if number % 3 else ("", "unknown")
            writer.writerow([f"L{number}", name, BY_CODE[code].ham10000, code, split, *person])
            (images / f"{name}.jpg").write_bytes(encode(synthetic.lesion(number, (80, 60))))
            if number % 2:
                (sharper / f"{name}.jpg").write_bytes(encode(synthetic.lesion(number, (96, 96))))
    (root / "isic2017" / "images").mkdir(parents=True)
    with (root / "isic2017" / "labels.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image_id", "diagnosis", "split"])
        for number, diagnosis in enumerate([*ISIC2017_CODES] * 2):
            writer.writerow([f"ISIC_{number}", diagnosis, "train"])
            picture = encode(synthetic.lesion(1000 + number, (64, 64)))
            (root / "isic2017" / "images" / f"ISIC_{number}.jpg").write_bytes(picture)
    (root / "ood").mkdir()
    for number in range(12):
        patches = np.random.default_rng(number).integers(0, 256, size=(9, 12, 3), dtype=np.uint8)
        photo = Image.fromarray(patches).resize((120, 90), Image.Resampling.NEAREST)
        photo.save(root / "ood" / f"photo_{number:02}.png")
    return root


@pytest.fixture(scope="session")
def real_data() -> Path:
    folder = os.environ.get("DERMA_DATA")
    if not folder or not (Path(folder) / "ham10000" / "metadata.csv").is_file():
        pytest.skip("set DERMA_DATA to the folder with ham10000/ to run this on real images")
    return Path(folder)
