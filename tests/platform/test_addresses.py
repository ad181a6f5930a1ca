"""Where a request comes from cannot be invented, and where our pages are is known without a request."""

from typing import Any

import pytest
from django.test import RequestFactory

from dermaplatform.addresses import absolute, client_address


@pytest.mark.parametrize(
    ("proxies", "peer", "forwarded", "address"),
    [
        (0, "192.0.2.1", "", "192.0.2.1"),
        (0, "192.0.2.1", "198.51.100.7", "192.0.2.1"),  # nobody of ours has said this
        (1, "10.0.0.1", "198.51.100.7", "198.51.100.7"),
        (1, "10.0.0.1", "203.0.113.9, 198.51.100.7", "198.51.100.7"),  # the first was invented
        (2, "10.0.0.1", "203.0.113.9, 198.51.100.7, 10.0.0.2", "198.51.100.7"),
        (2, "10.0.0.1", "198.51.100.7", "10.0.0.1"),  # it came around one of them
        (1, "10.0.0.1", "", "10.0.0.1"),
        (1, "10.0.0.1", "nonsense", "10.0.0.1"),
        (1, "10.0.0.1", "198.51.100.7:4711", "198.51.100.7"),
        (1, "10.0.0.1", "[2001:db8::7]:4711", "2001:db8::7"),
        (1, "10.0.0.1", "2001:DB8:0::7", "2001:db8::7"),
        (0, "::ffff:192.0.2.1", "", "192.0.2.1"),
        (0, "fe80::1%eth0", "", "fe80::1"),
        (0, "", "", None),  # a Unix socket
        (1, "", "198.51.100.7", "198.51.100.7"),
    ],
)
def test_the_address_of_a_client(
    *, rf: RequestFactory, settings: Any, proxies: int, peer: str, forwarded: str, address: str | None
) -> None:
    settings.DERMA_TRUSTED_PROXIES = proxies
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    assert client_address(rf.get("/", headers=headers, REMOTE_ADDR=peer)) == address


def test_a_path_becomes_an_address(settings: Any) -> None:
    settings.SITE_URL = "https://derma.example.org"
    assert absolute("/analyses/") == "https://derma.example.org/analyses/"
