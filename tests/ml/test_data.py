"""Records, the in-memory cache, the sampler and the fingerprint."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ml_models import data
from ml_models.imaging import canonicalise, model_input
from ml_models.taxonomy import CODES


def test_without_data_the_sentence_says_how_to_get_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("DERMA_DATA", raising=False)
    with pytest.raises(data.DataError, match="DERMA_DATA"):
        data.data_root()
    with pytest.raises(data.DataError, match=r"metadata\.csv"):
        data.data_root(tmp_path)


@pytest.mark.real_images
def test_splits_share_no_lesion(real_data: Path) -> None:
    splits = {name: data.read_records(real_data, name) for name in ("train", "val", "test")}
    assert [len(records) for records in splits.values()] == [7481, 1029, 1505]
    lesions = [{record.lesion_id for record in records} for records in splits.values()]
    assert not lesions[0] & lesions[1]
    assert not lesions[0] & lesions[2]
    assert not lesions[1] & lesions[2]


def test_unknown_classes_and_missing_files_are_told(small_data: Path, tmp_path: Path) -> None:
    (tmp_path / "ham10000").mkdir()
    metadata = tmp_path / "ham10000" / "metadata.csv"
    text = (small_data / "ham10000" / "metadata.csv").read_text()
    metadata.write_text(text)
    with pytest.raises(data.DataError, match="is missing"):
        data.read_records(tmp_path, "train")
    metadata.write_text(text.replace(",ak,train", ",wart,train", 1))
    with pytest.raises(data.DataError, match="'wart'"):
        data.read_records(tmp_path, "train")
    with pytest.raises(data.DataError, match="no image in the split"):
        data.read_records(small_data, "validation")


def test_the_cache_holds_what_a_patients_upload_becomes(small_data: Path) -> None:
    records = data.read_records(small_data, "train")
    cache = data.load_cache(records, 32, alternates=True)
    assert len(cache) == len(records)
    assert len(cache.images) == len(records) + sum(record.alternate is not None for record in records)
    for index in (0, len(records) - 1):
        expected = model_input(canonicalise(records[index].path.read_bytes()), 32)
        assert np.array_equal(cache.images[index], expected)
        assert CODES[cache.labels[index]] == records[index].code
    twin = next(i for i, record in enumerate(records) if record.alternate is not None)
    alternate = records[twin].alternate
    assert alternate is not None
    expected = model_input(canonicalise(alternate.read_bytes()), 32)
    assert np.array_equal(cache.images[cache.alternate[twin]], expected)


def test_an_epoch_follows_the_square_root_and_uses_every_image_before_it_repeats_one() -> None:
    labels = np.repeat([4, 5], [100, 900])
    order = data.epoch_order(labels, power=0.5, seed=1, epoch=1)
    assert len(order) == 1000
    counts = np.bincount(labels[order], minlength=8)
    assert list(counts[[4, 5]]) == [250, 750]
    uses = np.bincount(order, minlength=1000)
    assert set(uses[:100]) == {2, 3}
    assert set(uses[100:]) == {0, 1}


def test_an_epoch_is_repeatable_and_the_next_one_differs() -> None:
    labels = np.repeat(np.arange(8), 30)
    first = data.epoch_order(labels, power=0.5, seed=1, epoch=1)
    assert np.array_equal(first, data.epoch_order(labels, power=0.5, seed=1, epoch=1))
    assert not np.array_equal(first, data.epoch_order(labels, power=0.5, seed=1, epoch=2))


def test_the_fingerprint_sees_content_and_labels_but_not_order_or_place(
    small_data: Path, tmp_path: Path
) -> None:
    records = data.read_records(small_data, "val")
    print_of_all = data.fingerprint(records)
    assert data.fingerprint(records[::-1]) == print_of_all
    moved = tmp_path / "elsewhere.jpg"
    moved.write_bytes(records[0].path.read_bytes())
    assert data.fingerprint([replace(records[0], path=moved), *records[1:]]) == print_of_all
    assert data.fingerprint([replace(records[0], code="df"), *records[1:]]) != print_of_all
    moved.write_bytes(b"other")
    assert data.fingerprint([replace(records[0], path=moved), *records[1:]]) != print_of_all
