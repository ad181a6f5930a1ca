"""The embedded broker: kombu's filesystem transport, made safe for several processes.

A message is one file in `data_folder_in/<queue>/`. Its name is its place in the queue, and it has that name
only once it is complete: it is written under another one and renamed. Taking a message is a rename too, so
it succeeds for one consumer. A message in progress exists in memory alone and dies with its process: the job
is the row in the database, and the sweep rings again.

All folders must be on one file system, because a rename does not cross its border.
"""

import itertools
import os
import time
import uuid
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

from kombu import transport as kombu_transport
from kombu.exceptions import ChannelError
from kombu.log import get_logger
from kombu.transport import filesystem, virtual
from kombu.utils.json import dumps, loads

logger = get_logger(__name__)

ALIAS = "derma-files"
SUFFIX = ".msg"
UNREADABLE = "unreadable"
KEPT_UNREADABLE = 100
FORGOTTEN_AFTER = 600.0  # seconds until a file that a killed process left half-way is deleted
COMPLAIN_EVERY = 30.0  # seconds between two log lines about the same broken folder


class Binding(NamedTuple):
    """What kombu keeps of a queue bound to an exchange."""

    routing_key: str
    pattern: str
    queue: str


class MessageName(NamedTuple):
    """A message's file name: when it came, which of that nanosecond, and after when nobody wants it."""

    arrived: int
    tail: str
    expires: int  # ns since the epoch; 0: never

    @classmethod
    def new(cls, expires_in: float | None) -> "MessageName":
        now = time.time_ns()
        expires = now + int(expires_in * 1e9) if expires_in is not None else 0
        return cls(now, f"{next(_count):08x}{uuid.uuid4().hex[:12]}", expires)

    @classmethod
    def parse(cls, name: str) -> "MessageName | None":
        arrived, _, rest = name.removesuffix(SUFFIX).partition("-")
        tail, _, expires = rest.partition("-")
        if name.endswith(SUFFIX) and arrived.isdecimal() and expires.isdecimal():
            return cls(int(arrived), tail, int(expires))
        return None

    def __str__(self) -> str:
        return f"{self.arrived:020d}-{self.tail}-{self.expires}{SUFFIX}"

    @property
    def is_expired(self) -> bool:
        return 0 < self.expires < time.time_ns()


_count = itertools.count()


def _safe(name: str) -> str:
    """`name` as one path segment; no name leaves its folder."""
    segment = quote(name, safe="@")
    if not segment.strip("."):
        raise ChannelError(f"{name!r} cannot name a queue or an exchange.")
    return segment


@contextmanager
def _unavailable() -> Iterator[None]:
    """A broken folder is to the sender what a broken connection is: try again, then give up."""
    try:
        yield
    except OSError as error:
        raise ConnectionError(f"The broker's folder cannot be used: {error}") from error


def _expires_in(payload: dict[str, Any]) -> float | None:
    """Seconds that the sender gave the message, from AMQP's `expiration` in milliseconds as text."""
    expiration = payload.get("properties", {}).get("expiration")
    return None if expiration is None else int(expiration) / 1000


class Channel(filesystem.Channel):  # type: ignore[misc]  # kombu publishes no types
    """One process's or thread's view of the folders."""

    def __init__(self, connection: "Transport", **kwargs: Any) -> None:
        super().__init__(connection, **kwargs)
        self._seen: dict[str, deque[str]] = {}
        self._complained = 0.0
        self._tidied = 0.0

    @property
    def messages(self) -> Path:
        return Path(self.data_folder_in)

    @property
    def taken(self) -> Path:
        return Path(self.processed_folder)

    def _put(self, queue: str, payload: dict[str, Any], **kwargs: Any) -> None:
        """Make the message visible, whole or not at all. ConnectionError if the folder cannot be written."""
        folder = self.messages / _safe(queue)
        name = str(MessageName.new(_expires_in(payload)))
        unfinished = self.taken / f"{name}.unfinished"
        with _unavailable():
            self._tidy(folder)
            unfinished.write_text(dumps(payload))
            os.replace(unfinished, folder / name)

    def _get(self, queue: str) -> dict[str, Any]:
        """Take the oldest message. Empty if there is none, also while the folder is gone or unreadable."""
        folder = self.messages / _safe(queue)
        for name in self._candidates(queue, folder):
            try:
                taken = self._take(folder / name)
            except OSError as error:
                self._complain(error)
                break
            if taken is not None and (payload := self._read(taken)) is not None:
                return payload
        raise Empty

    def _take(self, message: Path) -> Path | None:
        """Where the message now is, ours alone; None if another consumer was quicker."""
        taken = self.taken / message.name
        try:
            os.rename(message, taken)
        except FileNotFoundError:
            if not message.exists():
                return None
            # Somebody removed the folder while we ran.
            self.taken.mkdir(parents=True, exist_ok=True)
            os.rename(message, taken)
        return taken

    def _candidates(self, queue: str, folder: Path) -> Iterator[str]:
        """Names in order of arrival. The folder is listed again only when the last list is used up."""
        seen = self._seen.setdefault(queue, deque())
        if not seen:
            seen.extend(self._names(folder))
        while seen:
            yield seen.popleft()

    def _names(self, folder: Path) -> list[str]:
        try:
            return sorted(name for name in os.listdir(folder) if name.endswith(SUFFIX))
        except FileNotFoundError:
            return []
        except OSError as error:
            self._complain(error)
            return []

    def _read(self, taken: Path) -> dict[str, Any] | None:
        """The message in a file that is ours alone, or None if it is expired or is none."""
        name = MessageName.parse(taken.name)
        if name is not None and name.is_expired:
            taken.unlink(missing_ok=True)
            return None
        try:
            payload: dict[str, Any] = loads(taken.read_bytes())
            # What kombu does with it next, done here, because there an error would end the worker.
            self.Message(payload, channel=self)
            payload["properties"]["delivery_info"]["routing_key"]
        except FileNotFoundError:
            return None
        except Exception as error:
            self._set_aside(taken, error)
            return None
        taken.unlink(missing_ok=True)
        return payload

    def _set_aside(self, taken: Path, error: Exception) -> None:
        folder = self.taken / UNREADABLE
        logger.error("An unreadable message is set aside in %s: %s (%r)", folder, taken.name, error)
        try:
            folder.mkdir(exist_ok=True)
            os.replace(taken, folder / taken.name)
            for name in sorted(os.listdir(folder))[:-KEPT_UNREADABLE]:
                (folder / name).unlink(missing_ok=True)
        except OSError as problem:
            self._complain(problem)

    def _complain(self, error: OSError) -> None:
        now = time.monotonic()
        if not self._complained or now - self._complained > COMPLAIN_EVERY:
            self._complained = now
            logger.error("The broker's folder cannot be read, still trying: %s", error)

    def _tidy(self, folder: Path) -> None:
        """Make the folders; now and then delete what expired unread and what a killed process left."""
        folder.mkdir(parents=True, exist_ok=True)
        self.taken.mkdir(parents=True, exist_ok=True)
        now = time.time()
        if now - self._tidied < FORGOTTEN_AFTER / 60:
            return
        self._tidied = now
        for text in self._names(folder):
            name = MessageName.parse(text)
            if name is not None and name.is_expired:
                (folder / text).unlink(missing_ok=True)
        for text in os.listdir(self.taken):
            name = MessageName.parse(text.removesuffix(".unfinished"))
            if name is not None and now - name.arrived / 1e9 > FORGOTTEN_AFTER:
                (self.taken / text).unlink(missing_ok=True)

    def _size(self, queue: str) -> int:
        return len(self._names(self.messages / _safe(queue)))

    def _purge(self, queue: str) -> int:
        folder = self.messages / _safe(queue)
        self._seen.pop(queue, None)
        count = 0
        for name in self._names(folder):
            try:
                (folder / name).unlink()
            except FileNotFoundError:
                continue
            count += 1
        return count

    def _has_queue(self, queue: str, **kwargs: Any) -> bool:
        return (self.messages / _safe(queue)).is_dir()

    def _new_queue(self, queue: str, **kwargs: Any) -> None:
        with _unavailable():
            self._tidy(self.messages / _safe(queue))

    def _binding(self, exchange: str, routing_key: str, pattern: str, queue: str) -> Path:
        text = "&".join(quote(part or "", safe="@") for part in (routing_key, pattern, queue))
        return Path(self.control_folder) / _safe(exchange or "amq.default") / text

    def _queue_bind(self, exchange: str, routing_key: str, pattern: str, queue: str) -> None:
        file = self._binding(exchange, routing_key, pattern, queue)
        with _unavailable():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()

    def get_table(self, exchange: str) -> list[Binding]:
        folder = Path(self.control_folder) / _safe(exchange or "amq.default")
        try:
            names = sorted(os.listdir(folder))
        except FileNotFoundError:
            return []
        return [Binding(*map(unquote, name.split("&"))) for name in names if name.count("&") == 2]

    def _delete(
        self, queue: str, exchange: str, routing_key: str, pattern: str, *args: Any, **kwargs: Any
    ) -> None:
        self._purge(queue)
        self._binding(exchange, routing_key, pattern, queue).unlink(missing_ok=True)


class Transport(filesystem.Transport):  # type: ignore[misc]  # kombu publishes no types
    """`derma-files://`; the folders come from the transport options."""

    Channel = Channel
    driver_name = ALIAS
    connection_errors = (*filesystem.Transport.connection_errors, ConnectionError)
    polling_interval = 0.05
    # While a job runs the next message waits for its acknowledgement: seen late, it leaves the worker idle.
    polling_interval_busy = 0.01

    def __init__(self, client: Any, **kwargs: Any) -> None:
        super().__init__(client, **kwargs)
        # kombu shares one table of declared queues in the process; then a queue is not declared again after
        # its folder was removed and a new connection was made.
        self.state = virtual.BrokerState()

    def establish_connection(self) -> "Transport":
        """ConnectionError if the folders cannot be made, which is this broker's way to be down."""
        options = self.client.transport_options
        with _unavailable():
            for key in ("data_folder_in", "processed_folder", "control_folder"):
                Path(options[key]).mkdir(parents=True, exist_ok=True)
                if not os.access(options[key], os.R_OK | os.W_OK | os.X_OK):
                    raise PermissionError(f"{options[key]} is not writable")
        connection: Transport = super().establish_connection()
        return connection

    def drain_events(self, connection: "Transport", timeout: float | None = None) -> None:
        """Deliver one message; TimeoutError after `timeout` seconds without one."""
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            try:
                self.cycle.get(self._deliver, timeout=timeout)
            except Empty:
                pass
            else:
                return
            pause = self.polling_interval
            if not all(channel.qos.can_consume() for channel in self.channels):
                pause = self.polling_interval_busy
            if end is not None:
                left = end - time.monotonic()
                if left <= 0:
                    raise TimeoutError
                pause = min(pause, left)
            time.sleep(pause)


def register() -> None:
    """Make `derma-files://` known to kombu; safe to call more than once."""
    kombu_transport.TRANSPORT_ALIASES[ALIAS] = f"{__name__}:Transport"
