"""Records, the in-memory cache, the sampler and the fingerprint."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ml_models import data
from ml_models.imaging import canonicalise, model_input
from ml_models.taxonomy import CODES, VIEWS


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


@pytest.mark.real_images
def test_the_leaking_split_is_read_as_published(real_data: Path) -> None:
    sides = [data.read_records(real_data, name, column="dermavision_split") for name in ("train", "val")]
    assert [len(records) for records in sides] == [8012, 2003]
    assert {record.lesion_id for record in sides[0]} & {record.lesion_id for record in sides[1]}


@pytest.mark.real_images
def test_isic_2017_shares_no_image_with_ham10000(real_data: Path) -> None:
    others = data.read_isic2017(real_data, "train")
    assert len(others) == 2000
    assert {record.code for record in others} == {"mel", "nv", "bkl"}
    assert all(record.stretched for record in others)
    own = {
        record.image_id for name in ("train", "val", "test") for record in data.read_records(real_data, name)
    }
    assert not own & {record.image_id for record in others}


def test_a_stretched_picture_gets_its_shape_back(tmp_path: Path) -> None:
    """A circle in a 4:3 frame, made square, is a circle again."""
    rows, columns = np.mgrid[:150, :200]
    circle = ((rows - 75) ** 2 + (columns - 100) ** 2 < 50**2)[:, :, None] * np.full(3, 255)
    frame = Image.fromarray(circle.astype(np.uint8))
    frame.resize((256, 256)).save(tmp_path / "a.png")
    record = data.Record("a", "a", "nv", "train", tmp_path / "a.png", None, stretched=True)
    bright = data.load_cache([record], 96, alternates=False).images[0, :, :, 0] > 127
    height, width = bright.any(axis=1).sum(), bright.any(axis=0).sum()
    assert abs(int(height) - int(width)) <= 2
    assert abs(int(height) - 64) <= 2


def test_people_are_read_where_they_are_known(tmp_path: Path) -> None:
    folder = tmp_path / "ham10000"
    (folder / "images").mkdir(parents=True)
    for name in ("a", "b"):
        (folder / "images" / f"{name}.jpg").write_bytes(b"")
    (folder / "metadata.csv").write_text(
        "lesion_id,image_id,dx8,split,age,sex,localization\n"
        "1,a,nv,train,45.0,male,back\n2,b,nv,train,,unknown,unknown\n"
    )
    known, unknown = data.read_records(tmp_path, "train")
    assert (known.age, known.sex, known.site) == (45.0, "male", "back")
    assert (unknown.age, unknown.sex, unknown.site) == (None, None, None)


def test_a_view_brings_its_own_labels(small_data: Path) -> None:
    three = next(view for view in VIEWS if view.name == "3")
    records = [r for r in data.read_records(small_data, "val") if three.of[r.code] is not None]
    cache = data.load_cache(records, 32, alternates=False, view=three)
    assert [three.classes[label] for label in cache.labels] == [three.of[record.code] for record in records]


def test_an_epoch_can_be_shorter_than_the_data() -> None:
    order = data.epoch_order(np.repeat([0, 1], [100, 300]), power=1.0, seed=1, epoch=1, length=200)
    assert len(order) == 200


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


HEADER = "lesion_id,image_id,dx8,split,age\n"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"lesion_id,image_id,dx,split\n1,a,nv,train\n", "lacks the column dx8"),
        (b"image_id,dx8,split\na,nv,train\n", "lacks the column lesion_id"),
        ((HEADER + "1,a,nv,train,old\n").encode(), "the age 'old'"),
        ((HEADER + "1,a,nv,train,ü\n").encode("latin-1"), "not a CSV file in UTF-8"),
        (b"", "lacks the column image_id, lesion_id, dx8, split"),
    ],
)
def test_metadata_that_cannot_be_used_are_told(tmp_path: Path, content: bytes, sentence: str) -> None:
    (tmp_path / "ham10000" / "images").mkdir(parents=True)
    (tmp_path / "ham10000" / "images" / "a.jpg").write_bytes(b"")
    (tmp_path / "ham10000" / "metadata.csv").write_bytes(content)
    with pytest.raises(data.DataError, match=sentence):
        data.read_records(tmp_path, "train")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "which this recipe needs"),
        ("image_id,split\na,train\n", "lacks the column diagnosis"),
        ("image_id,diagnosis,split\na,wart,train\n", "unknown diagnosis 'wart'"),
        ("image_id,diagnosis,split\na,nevus,train\n", "is missing"),
    ],
)
def test_isic2017_that_cannot_be_used_is_told(tmp_path: Path, content: str | None, sentence: str) -> None:
    (tmp_path / "isic2017").mkdir()
    if content is not None:
        (tmp_path / "isic2017" / "labels.csv").write_text(content)
    with pytest.raises(data.DataError, match=sentence):
        data.read_isic2017(tmp_path, "train")


def test_pictures_that_cannot_be_read_are_counted_and_the_first_is_named(
    small_data: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no picture")
    records = data.read_records(small_data, "val")
    spoiled = [replace(record, path=broken) for record in records[:2]]
    with pytest.raises(data.DataError, match=rf"2 of {len(records)} images cannot be used.*broken\.jpg"):
        data.load_cache([*spoiled, *records[2:]], 32, alternates=False)


def test_what_is_spread_keeps_its_order_and_its_ends() -> None:
    assert data.spread(range(10), 4) == [0, 3, 6, 9]
    assert data.spread(range(3), 4) == [0, 1, 2]
    assert data.spread([], 4) == []


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
