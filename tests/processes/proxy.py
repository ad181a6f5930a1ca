"""A TCP relay in front of Redis that a test can close or silence."""

import contextlib
import os
import select
import socket
import threading
from collections.abc import Iterator
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit


class Proxy:
    """Relays to `url`'s server. `refuse()`: nobody listens. `silence()`: nothing answers. `restore()`."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._target = (parts.hostname or "127.0.0.1", parts.port or 6379)
        self._listener = self._listen(0)
        self._port: int = self._listener.getsockname()[1]
        self.url = parts._replace(netloc=f"127.0.0.1:{self._port}").geturl()
        self._silent = False
        self._closed = False
        self._pairs: dict[socket.socket, socket.socket] = {}
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._relay, daemon=True)

    @classmethod
    @contextlib.contextmanager
    def before_redis(cls) -> Iterator["Proxy | None"]:
        url = os.environ.get("REDIS_URL")
        if not url:
            yield None
            return
        with cls(url) as proxy:
            yield proxy

    def refuse(self) -> None:
        with self._lock:
            self._listener.close()
            self._hang_up()

    def silence(self) -> None:
        """Packets vanish: connections stay open, new ones too, and nothing comes back."""
        self._silent = True

    def restore(self) -> None:
        with self._lock:
            if self._listener.fileno() < 0:
                self._listener = self._listen(self._port)
            self._hang_up()
            self._silent = False

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed = True
        self._thread.join(5)
        with self._lock:
            self._listener.close()
            self._hang_up()

    @staticmethod
    def _listen(port: int) -> socket.socket:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(128)
        return listener

    def _hang_up(self) -> None:
        for end in self._pairs:
            end.close()
        self._pairs.clear()

    def _relay(self) -> None:
        while not self._closed:
            with self._lock:
                open_ends = [end for end in (self._listener, *self._pairs) if end.fileno() >= 0]
            if self._silent or not open_ends:
                select.select([], [], [], 0.02)
                continue
            with contextlib.suppress(OSError, ValueError):
                ready, _, _ = select.select(open_ends, [], [], 0.05)
                with self._lock:
                    for end in ready:
                        self._serve(end)

    def _serve(self, end: socket.socket) -> None:
        if end is self._listener:
            client, _ = end.accept()
            server = socket.create_connection(self._target, timeout=5)
            self._pairs |= {client: server, server: client}
        elif end in self._pairs:
            other = self._pairs[end]
            try:
                data = end.recv(65536)
                if data:
                    other.sendall(data)
            except OSError:
                data = b""
            if not data:
                for one in (end, other):
                    self._pairs.pop(one, None)
                    one.close()
