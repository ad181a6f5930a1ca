"""Every route of the project, with what everybody gets there: the most valuable test of this house.

The table says it; a route that is not in it fails. Whatever is asked for is another person's: Alice's, or a
doctor's whom nobody has verified. In addition nobody is shown anything of Alice's unless they may see it, and
each time Dr Chen is, it is written down.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import BreakGlass, User
from diagnosis.models import Analysis
from tests.census import (
    METHODS,
    PEOPLE,
    SECRET,
    Answer,
    World,
    ask,
    make_world,
    read_table,
    routes,
    write_table,
)
from tests.census_table import OPEN_WITHOUT_SECOND_FACTOR, TABLE

EXPECTED = read_table(TABLE)
ROUTES = tuple(dict.fromkeys(routes()))
AREAS = ("accounts/", "admin/", "api/", "_allauth/", "")


def area_of(route: str) -> str:
    return next(area for area in AREAS if route.startswith(area))


@pytest.fixture
def world(
    *,
    settings: Any,
    submit: Callable[..., Analysis],
    alice: User,
    bob: User,
    chen: User,
    diaz: User,
    frey: User,
    eve: User,
) -> World:
    settings.DERMA_RATES = {}
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}  # no limits
    people = {"alice": alice, "bob": bob, "chen": chen, "diaz": diaz, "frey": frey, "eve": eve}
    return make_world(people, submit)


def test_every_route_is_in_the_table_and_nothing_else() -> None:
    listed = {route for route, _ in EXPECTED}
    assert set(ROUTES) - listed == set(), "Add the new routes to tests/census_table.py: who gets what there?"
    assert listed - set(ROUTES) == set(), "These are gone."
    missing = {(route, method) for route in listed for method in METHODS} - set(EXPECTED)
    assert missing == set()


def test_nobody_is_answered_with_a_failure() -> None:
    healthy = {statuses for (route, _), statuses in EXPECTED.items() if route != "api/v1/health/"}
    assert not any(status >= 500 for statuses in healthy for status in statuses)


@pytest.mark.parametrize("area", AREAS)
def test_who_gets_what(area: str, world: World) -> None:
    observed: dict[tuple[str, str], tuple[int, ...]] = {}
    told: list[str] = []
    for route in ROUTES:
        if area_of(route) != area:
            continue
        for method in METHODS:
            answers = {who: ask(world, route, method, who) for who in PEOPLE}
            observed[route, method] = tuple(answer.status for answer in answers.values())
            told += [
                f"{method} /{route}: {wrong}"
                for who, answer in answers.items()
                if (wrong := what_is_wrong(world, route, who, answer))
            ]
    different = {asked: statuses for asked, statuses in observed.items() if EXPECTED.get(asked) != statuses}
    expected = {asked: EXPECTED[asked] for asked in different if asked in EXPECTED}
    assert write_table(different) == write_table(expected)
    assert told == []


# Where an answer is about Alice even if it names nobody, such as an image.
OF_ALICE = (
    "analyses/<",
    "patients/<",
    "visits/<",
    "api/v1/analyses/<",
    "api/v1/patients/<",
    "api/v1/appointments/<",
)

# Urgent results that nothing has come of: administrators read whose they are, and are seen.
NAMED_TO_ADMINISTRATORS = {"eve": ("follow-ups/", "api/v1/follow-ups/")}


def what_is_wrong(world: World, route: str, who: str, answer: Answer) -> str:
    """Whether somebody saw more of Alice than they may, or saw something and nobody wrote it down."""
    alice = world.people["alice"]
    record = (SECRET, str(world.analysis.public_id))
    private = record if who == "eve" else (*record, alice.name, alice.email)
    # What was asked for is known to who asked, and stands on pages as the place to come back to.
    shown = [word for word in private if word.encode() in answer.body and word not in answer.address]
    if who == "alice":
        return "her own look was logged" if answer.events else ""
    if who == "chen":
        saw = shown or (answer.status == 200 and route.startswith(OF_ALICE))
        return "" if bool(saw) == bool(answer.events) else f"{who} saw {shown}, logged {answer.events} times"
    if answer.events and route not in NAMED_TO_ADMINISTRATORS.get(who, ()):
        return f"{who} is in the log"
    return f"{who} was shown {shown}" if shown else ""


# A broken glass

RECORD = (
    "patients/<public_id>/",
    "analyses/<public_id>/",
    "analyses/<public_id>/image/",
    "analyses/<public_id>/thumbnail/",
    "analyses/<public_id>/overlay/<code>/",
    "api/v1/patients/<public_id>/",
    "api/v1/analyses/<public_id>/",
    "api/v1/analyses/<public_id>/image/",
)


def break_glass(world: World, **fields: Any) -> BreakGlass:
    people = world.people
    return BreakGlass.objects.create(
        admin=people["eve"], patient=people["alice"], reason="Bleeding", **fields
    )


@pytest.mark.parametrize("route", RECORD)
def test_an_administrator_who_broke_the_glass_sees_and_is_seen(route: str, world: World) -> None:
    glass = break_glass(world, until=timezone.now() + timedelta(hours=1))
    answer = ask(world, route, "GET", "eve")
    assert (answer.status, answer.events > 0) == (200, True)
    BreakGlass.objects.filter(pk=glass.pk).update(closed_at=timezone.now())
    answer = ask(world, route, "GET", "eve")
    assert (answer.status, answer.events) == (404, 0)


# Without a second factor


@pytest.mark.parametrize("who", ["chen", "eve"])
def test_without_a_second_factor_all_but_the_way_to_it_is_closed(
    who: str, world: World, settings: Any
) -> None:
    settings.DERMA_REQUIRE_MFA = True
    opened = {
        route
        for route in ROUTES
        if not route.startswith("_allauth/") and ask(world, route, "GET", who).status == 200
    }
    assert opened <= OPEN_WITHOUT_SECOND_FACTOR
    closed = ask(world, "api/v1/patients/<public_id>/", "GET", who)
    assert (closed.status, b"mfa_required" in closed.body) == (403, True)


# The API and cookies


def test_a_browser_that_is_signed_in_is_nobody_to_the_api(
    world: World, browse: Callable[[User], Any], alice: User
) -> None:
    """So no page elsewhere can use the API in somebody's name."""
    client = browse(alice)
    for route in ROUTES:
        if route.startswith("api/v1/") and EXPECTED[route, "GET"][0] == 401:
            address = "/" + route.replace("<kind>", "care")
            for name in ("<public_id>", "<file_id>", "<request_id>"):
                address = address.replace(name, str(world.analysis.public_id))
            assert client.get(address).status_code == 401, route
