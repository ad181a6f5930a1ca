from ml_models.taxonomy import CLASSES, CODES, SUSPICIOUS, VIEWS, Group


def test_the_order_of_the_classes_is_fixed() -> None:
    assert CODES == ("ak", "bcc", "bkl", "df", "mel", "nv", "scc", "vasc")


def test_suspicious_means_malignant_or_pre_cancer() -> None:
    assert {"mel", "bcc", "scc", "ak"} == SUSPICIOUS
    assert {lesion.code for lesion in CLASSES if lesion.group is Group.PRE_CANCER} == {"ak"}


def test_views_are_the_published_ones() -> None:
    classes = {view.name: view.classes for view in VIEWS}
    assert classes == {
        "8": CODES,
        "7": ("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc"),
        "4": ("bcc", "bkl", "mel", "nv"),
        "3": ("bcc", "benign", "mel"),
        "2": ("suspicious", "benign"),
    }


def test_each_view_places_every_class_once_or_leaves_it_out() -> None:
    for view in VIEWS:
        assert set(view.of) == set(CODES)
        assert {target for target in view.of.values() if target} == set(view.classes)
    three = next(view for view in VIEWS if view.name == "3")
    assert [code for code, target in three.of.items() if target == "benign"] == ["bkl", "nv"]
    assert three.of["df"] is None
