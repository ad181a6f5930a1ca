"""What the computer looked at: stored with the result, drawn without TensorFlow, for who sees the picture."""

from collections.abc import Callable
from io import BytesIO

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from PIL import Image

from accounts.models import User
from accounts.relations import share
from diagnosis import tasks
from diagnosis.models import Analysis
from ml_models.taxonomy import CODES, Urgency
from tests.conftest import StandInEngine, assessment

Submit = Callable[..., Analysis]
Browse = Callable[[User], Client]
MAPS = {code: [[0.0, 4.0], [-2.0, 1.0]] for code in CODES}


@pytest.fixture
def explained(alice: User, submit: Submit, engine: StandInEngine) -> Analysis:
    engine.answer = assessment(maps=MAPS)
    analysis = submit(alice)
    tasks.analyse(analysis.pk)
    analysis.refresh_from_db()
    return analysis


def test_the_maps_are_stored_with_the_result(explained: Analysis) -> None:
    assert explained.activation == MAPS


def test_the_page_shows_the_likeliest_kind_first_and_says_what_it_is(
    alice: User, explained: Analysis, browse: Browse
) -> None:
    page = browse(alice).get(explained.get_absolute_url()).content.decode()
    assert "Where in the picture the computer looked" in page
    assert "neither an outline of the spot nor a reason" in page
    assert page.index("overlay/mel/") < page.index("overlay/nv/")
    assert page.count("overlaid__map") == len(CODES)


def test_a_doctor_reads_of_the_picture_and_a_patient_of_their_own(
    alice: User, chen: User, explained: Analysis, browse: Browse
) -> None:
    share(patient=alice, doctor=chen)
    for person, whose in ((alice, "your"), (chen, "the")):
        page = browse(person).get(explained.get_absolute_url()).content.decode()
        assert page.count(f"Coloured places on {whose} picture: what speaks for") == len(CODES)


def test_the_layer_is_coloured_where_something_speaks_for_the_kind(
    alice: User, explained: Analysis, browse: Browse
) -> None:
    answer = browse(alice).get(f"/analyses/{explained.public_id}/overlay/mel/")
    assert answer["Content-Type"] == "image/png"
    assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox"
    layer = Image.open(BytesIO(answer.content))
    assert (layer.mode, layer.width) == ("RGBA", layer.height)
    strongest, nothing = layer.getpixel((layer.width - 1, 0)), layer.getpixel((0, layer.height - 1))
    assert isinstance(strongest, tuple)
    assert isinstance(nothing, tuple)
    assert strongest[3] > 100 > nothing[3] == 0


def test_a_kind_that_does_not_exist_has_no_layer(alice: User, explained: Analysis, browse: Browse) -> None:
    assert browse(alice).get(f"/analyses/{explained.public_id}/overlay/xyz/").status_code == 404


def test_who_may_not_see_the_picture_may_not_see_the_layer(
    bob: User, chen: User, eve: User, explained: Analysis, browse: Browse
) -> None:
    url = f"/analyses/{explained.public_id}/overlay/mel/"
    assert Client().get(url).status_code == 302
    for person in (bob, chen, eve):
        assert browse(person).get(url).status_code == 404


@pytest.mark.parametrize(
    "answer",
    [
        assessment(),
        assessment(urgency=Urgency.CANNOT_ASSESS, reasons=("uncertain",), maps=MAPS),
    ],
    ids=["a release whose maps failed their test", "a result that is none"],
)
def test_where_a_map_would_mislead_the_page_shows_none(
    alice: User, submit: Submit, engine: StandInEngine, browse: Browse, answer: object
) -> None:
    engine.answer = answer  # type: ignore[assignment]
    analysis = submit(alice)
    tasks.analyse(analysis.pk)
    assert "overlaid__map" not in browse(alice).get(analysis.get_absolute_url()).content.decode()


def test_without_a_map_there_is_no_layer(
    alice: User, submit: Submit, engine: StandInEngine, browse: Browse
) -> None:
    analysis = submit(alice)
    tasks.analyse(analysis.pk)
    analysis.refresh_from_db()
    assert analysis.activation is None
    assert browse(alice).get(f"/analyses/{analysis.public_id}/overlay/mel/").status_code == 404


def test_only_what_has_a_result_is_explained(alice: User, submit: Submit, explained: Analysis) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Analysis.objects.filter(pk=submit(alice, 5).pk).update(activation=MAPS)
