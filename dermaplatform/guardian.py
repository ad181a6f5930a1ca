"""Outlives the launcher for a moment: when the launcher is gone, it stops every process group it was told of.

It is run by its path, imports nothing of ours and does not bear the launcher's name, so that whatever kills
the launcher by name does not kill it too. On stdin: `+123` a group was started, `-123` it has ended.
The launcher's lock is inherited and so held until the last process has gone.
"""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterable

GRACE = 4.0  # seconds between asking and killing


def is_alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # macOS says this of a zombie
        return False
    return True


def kill_group(group: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def ask_to_stop(leader: int) -> None:
    """Only the leader is asked: it stops its children in the order that suits it."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(leader, signal.SIGTERM)


def stop_all(groups: Iterable[int]) -> None:
    groups = set(groups)
    for group in groups:
        ask_to_stop(group)
    end = time.monotonic() + GRACE
    while time.monotonic() < end and any(is_alive(group) for group in groups):
        time.sleep(0.05)
    for group in groups:
        kill_group(group)


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups = set()
    for line in sys.stdin:
        group = int(line[1:])
        if line.startswith("+"):
            groups.add(group)
        else:
            groups.discard(group)
    stop_all(groups)


if __name__ == "__main__":
    main()
