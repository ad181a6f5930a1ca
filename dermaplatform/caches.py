"""The cache that all processes share, and counters in it that are right however many count at once."""

import math
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import wraps
from typing import Any, Protocol, cast

import redis
import structlog
from django.core.cache import caches
from django.core.cache.backends.base import BaseCache
from django.core.cache.backends.db import DatabaseCache
from django.core.cache.backends.redis import RedisCache
from django.db import InterfaceError, OperationalError, connections, router
from django.db.backends.base.base import BaseDatabaseWrapper
from redis.backoff import NoBackoff
from redis.retry import Retry

log = structlog.get_logger(__name__)

# One count in so many also takes away what has expired.
_CLEANED_EVERY = 500
# How long a count waits for somebody else who is writing to SQLite.
_PATIENCE = 250  # ms


class Counting(Protocol):
    """What rate limits need of a cache beyond Django's own interface."""

    def count(self, until: Mapping[str, float]) -> dict[str, int]:
        """Add one to each counter and return them. A counter may be forgotten after its time (epoch)."""


@contextmanager
def _short_of_patience(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """SQLite has one writer at a time: reading must not wait behind it only in order to be counted."""
    if connection.vendor != "sqlite":
        yield
        return
    usual = int(connection.settings_dict["OPTIONS"].get("timeout", 5) * 1000)
    connection.ensure_connection()
    connection.connection.execute(f"PRAGMA busy_timeout = {_PATIENCE}")
    try:
        yield
    finally:
        connection.connection.execute(f"PRAGMA busy_timeout = {usual}")


class TableCache(DatabaseCache):
    """Django's table of cached values. A count is one statement: nothing is read first."""

    _table: str

    def count(self, until: Mapping[str, float]) -> dict[str, int]:
        connection = connections[router.db_for_write(self.cache_model_class) or "default"]
        try:
            with _short_of_patience(connection):
                return self._count(connection, until)
        except (OperationalError, InterfaceError):
            if connection.in_atomic_block:
                raise
            # SQLite is being written to, or there is no database: then there is nothing to guess at either,
            # and health has to say so.
            log.warning("rate_not_counted")
            return dict.fromkeys(until, 0)

    def _count(self, connection: BaseDatabaseWrapper, until: Mapping[str, float]) -> dict[str, int]:
        keys = {self.make_key(key): key for key in sorted(until)}  # sorted, or two could wait for each other
        table = connection.ops.quote_name(self._table)
        values: list[Any] = []
        for made, key in keys.items():
            values += [
                made,
                connection.ops.adapt_datetimefield_value(datetime.fromtimestamp(until[key], UTC)),
            ]
        rows = ", ".join(["(%s, '1', %s)"] * len(keys))
        with connection.cursor() as cursor:
            cursor.execute(
                f"INSERT INTO {table} (cache_key, value, expires) VALUES {rows} "  # noqa: S608  (own names)
                f"ON CONFLICT (cache_key) DO UPDATE "
                f"SET value = CAST(CAST({table}.value AS integer) + 1 AS text) "
                "RETURNING cache_key, value",
                values,
            )
            counted = {keys[made]: int(value) for made, value in cursor.fetchall()}
            if random.randrange(_CLEANED_EVERY) == 0:
                now = connection.ops.adapt_datetimefield_value(datetime.now(UTC))
                cursor.execute(f"DELETE FROM {table} WHERE expires < %s", [now])  # noqa: S608
        return counted


class _Line:
    """Whether Redis is worth asking, known to all threads: a silent one must not slow down every request."""

    dead_until = 0.0
    pause = 5.0  # seconds


def _or_table(name: str) -> Any:
    """This method of Redis, or of the table while Redis does not answer."""
    own = cast(Callable[..., Any], getattr(RedisCache, name, None) or getattr(_Redis, name))

    @wraps(own)
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        if time.monotonic() >= _Line.dead_until:
            try:
                return own(self, *args, **kwargs)
            except (redis.RedisError, OSError) as error:
                _Line.dead_until = time.monotonic() + _Line.pause
                log.warning("shared_cache_not_reachable", error=type(error).__name__)
        return getattr(caches["table"], name)(*args, **kwargs)

    return method


class _Redis(RedisCache):
    """Django's, in a database that it shares with the broker."""

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        # A person waits: rather the table at once than Redis in a moment.
        options = {"retry": Retry(NoBackoff(), 0), **params.get("OPTIONS", {})}
        super().__init__(server, params | {"OPTIONS": options})

    def count(self, until: Mapping[str, float]) -> dict[str, int]:
        with self._cache.get_client(write=True).pipeline(transaction=False) as pipeline:
            for key, end in until.items():
                pipeline.incr(self.make_key(key))
                pipeline.expire(self.make_key(key), max(1, math.ceil(end - time.time())))
            return dict(zip(until, pipeline.execute()[::2], strict=True))

    def clear(self) -> None:
        """Forget what begins with our prefix. Django's would empty the database, messages included."""
        client = self._cache.get_client(write=True)
        found: Iterator[bytes] = client.scan_iter(match=self.make_key("*"))
        for key in found:
            client.delete(key)


class RedisOrTable(_Redis):
    """Redis, and while it does not answer the table: limits hold, and nobody is kept from signing in."""

    add = _or_table("add")
    get = _or_table("get")
    set = _or_table("set")
    touch = _or_table("touch")
    delete = _or_table("delete")
    get_many = _or_table("get_many")
    set_many = _or_table("set_many")
    delete_many = _or_table("delete_many")
    has_key = _or_table("has_key")
    incr = _or_table("incr")
    count = _or_table("count")


def counters() -> Counting:
    """The shared cache as what counts."""
    cache: BaseCache = caches["default"]
    return cast(Counting, cache)
