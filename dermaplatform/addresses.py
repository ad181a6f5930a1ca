"""Where a request comes from, and where our own pages are."""

from ipaddress import IPv6Address, ip_address
from urllib.parse import urljoin

from django.conf import settings
from django.http import HttpRequest


def client_address(request: HttpRequest) -> str | None:
    """The address of whoever sent this request; None if it cannot be known, as behind a Unix socket.

    Each of our own proxies (DERMA_TRUSTED_PROXIES) adds the address it was called from at the end of
    X-Forwarded-For, so the last ones are true. Whatever stands before them may be invented by the client.
    """
    peer = _address(request.META.get("REMOTE_ADDR", ""))
    proxies = settings.DERMA_TRUSTED_PROXIES
    if not proxies:
        return peer
    named = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
    if len(named) < proxies:  # it has not come through all of them: only the connection itself is sure
        return peer
    return _address(named[-proxies]) or peer


def _address(text: str) -> str | None:
    """An address as the database takes it, without a port or a zone; None if it is none."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return str(address)


def absolute(path: str) -> str:
    """The full address of a path of ours, for mails: they are written where there is no request."""
    site: str = settings.SITE_URL
    return urljoin(site, path)
