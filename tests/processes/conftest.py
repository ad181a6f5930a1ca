"""One running platform for all tests that leave it whole."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes.platform import Platform
from tests.processes.proxy import Proxy

HERE = Path(__file__).parent
# Minutes of mostly waiting: each of these on an xdist worker of its own.
LONG = ("test_kills", "test_launching")


def pytest_itemcollected(item: pytest.Item) -> None:
    """The others share a platform, so one xdist worker runs them all, in a row; and all look into /proc."""
    if HERE in item.path.parents:
        stem = item.path.stem
        item.add_marker(pytest.mark.processes)
        item.add_marker(pytest.mark.xdist_group(stem if stem in LONG else "processes"))
        if sys.platform != "linux":
            item.add_marker(pytest.mark.skip(reason="these tests find processes through /proc"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """First: what takes longest begins at once."""
    items.sort(key=lambda item: HERE not in item.path.parents)


@pytest.fixture(scope="package")
def broker_proxy() -> Iterator[Proxy | None]:
    """What stands between the platform and Redis, to take it away; None with the embedded broker."""
    with Proxy.before_redis() as proxy:
        yield proxy


@pytest.fixture(scope="package")
def running(tmp_path_factory: pytest.TempPathFactory, broker_proxy: Proxy | None) -> Iterator[Platform]:
    env = {"REDIS_URL": broker_proxy.url} if broker_proxy else {}
    with Platform(tmp_path_factory.mktemp("platform"), env=env) as platform:
        yield platform


@pytest.fixture
def platform(running: Platform) -> Platform:
    """The shared platform, recovered from what the last test did to it."""
    running.wait_ready()
    return running
