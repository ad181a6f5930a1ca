"""Label files of several data sets become one vocabulary and the views that it allows."""

from pathlib import Path

import pytest

from ml_models.data import DataError
from ml_models.labels import place, read_labels
from ml_models.taxonomy import VIEWS


def write(folder: Path, text: str) -> Path:
    path = folder / "labels.csv"
    path.write_text(text, encoding="utf-8")
    return path


def names(views: tuple[object, ...]) -> list[str]:
    return [view.name for view in VIEWS if view in views]


def test_dx8_comes_before_dx(tmp_path: Path) -> None:
    labels = read_labels(write(tmp_path, "image_id,dx,dx8\na,akiec,scc\nb,nv,nv\n"))
    assert labels.rows == (("a", "scc"), ("b", "nv"))
    assert names(labels.views) == ["8", "7", "4", "3", "2"]


def test_akiec_allows_every_view_but_the_eight_classes(tmp_path: Path) -> None:
    labels = read_labels(write(tmp_path, "image,dx\na,akiec\nb,mel\n"))
    assert names(labels.views) == ["7", "4", "3", "2"]
    places = {view.name: place(view, "akiec") for view in labels.views}
    assert places == {"7": "akiec", "4": None, "3": None, "2": "suspicious"}


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("melanoma", "mel"),
        ("nevus", "nv"),
        ("seborrheic_keratosis", "bkl"),
        ("ACK", "ak"),
        ("BCC", "bcc"),
        ("MEL", "mel"),
        ("NEV", "nv"),
        ("SCC", "scc"),
        ("SEK", "bkl"),
        ("BOD", "scc"),
        (" Mel ", "mel"),
    ],
)
def test_names_of_other_data_sets(tmp_path: Path, name: str, code: str) -> None:
    assert read_labels(write(tmp_path, f"image_id,diagnosis\na,{name}\n")).rows == (("a", code),)


def test_one_hot_with_eight_classes(tmp_path: Path) -> None:
    rows = ["a,1.0,0.0,0,0,0,0,0,0,0", "b,0,0,0,0,0,0,0,1,0", "c,0,0,0,0,0,0,0,0,1"]
    text = "\n".join(["image,MEL,NV,BCC,AK,BKL,DF,VASC,SCC,UNK", *rows])
    labels = read_labels(write(tmp_path, text))
    assert [label for _, label in labels.rows] == ["mel", "scc", "unk"]
    assert names(labels.views) == ["8", "7", "4", "3", "2"]
    assert {place(view, "unk") for view in VIEWS} == {None}


def test_one_hot_with_seven_classes_never_claims_eight(tmp_path: Path) -> None:
    text = "image,MEL,NV,BCC,AKIEC,BKL,DF,VASC\na,0,1,0,0,0,0,0\n"
    assert names(read_labels(write(tmp_path, text)).views) == ["7", "4", "3", "2"]


def test_rows_are_chosen_by_columns(tmp_path: Path) -> None:
    path = write(tmp_path, "image_id,dx,split,sex\na,nv,test,male\nb,mel,test,female\nc,df,train,male\n")
    assert [row[0] for row in read_labels(path, ["split=test"]).rows] == ["a", "b"]
    assert [row[0] for row in read_labels(path, ["split=test", "sex=male"]).rows] == ["a"]


@pytest.mark.parametrize(
    ("text", "where", "complaint"),
    [
        ("image_id,dx\na,wart\n", [], "unknown class code 'wart'"),
        ("image_id,dx\na,\n", [], "unknown class code ''"),
        ("name,dx\na,nv\n", [], "no column image_id or image"),
        ("image_id,age\na,7\n", [], "has no label"),
        ("image_id,dx\n", [], "No row"),
        ("", [], "no column image_id or image"),
        ("image_id,dx\na,nv\n", ["split=test"], "column"),
        ("image_id,dx\na,nv\n", ["dx"], "column=value"),
        ("image_id,dx\na,nv\n", ["dx=mel"], "No row"),
        ("image_id,dx\n,nv\n", [], "has no image_id"),
        ("image,MEL,NV\na,1,1\n", [], "exactly one"),
        ("image,MEL,NV\na,0,0\n", [], "exactly one"),
        ("image,MEL,NV\na,yes,0\n", [], "exactly one"),
    ],
)
def test_a_wrong_file_gets_one_sentence(tmp_path: Path, text: str, where: list[str], complaint: str) -> None:
    with pytest.raises(DataError, match=complaint) as caught:
        read_labels(write(tmp_path, text), where)
    assert "\n" not in str(caught.value)


def test_a_missing_or_binary_file_gets_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_labels(tmp_path / "none.csv")
    (tmp_path / "binary.csv").write_bytes(b"image_id,dx\n\xff\xfe\x00")
    with pytest.raises(DataError, match="not a CSV file"):
        read_labels(tmp_path / "binary.csv")
