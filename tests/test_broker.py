"""The embedded broker: every message once, in order, whatever else lies in its folders."""

import logging
import multiprocessing
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from queue import Empty
from typing import Any

import pytest
from kombu import Connection, Exchange, Queue
from kombu.exceptions import ChannelError, OperationalError

from dermaplatform.broker import MessageName, register


def options(folder: Path) -> dict[str, str]:
    return {
        "data_folder_in": str(folder / "messages"),
        "data_folder_out": str(folder / "messages"),
        "processed_folder": str(folder / "taken"),
        "control_folder": str(folder / "control"),
    }


def connect(folder: Path) -> Any:
    register()
    return Connection("derma-files://", transport_options=options(folder))


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Any]:
    with connect(tmp_path) as connection:
        yield connection


def put(connection: Any, body: object, queue: str = "inference", **kwargs: Any) -> None:
    connection.Producer().publish(body, routing_key=queue, **kwargs)


def get(connection: Any, queue: str = "inference") -> Any:
    message = connection.default_channel.basic_get(queue, no_ack=True)
    return None if message is None else message.decode()


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def plant(folder: Path, content: bytes, queue: str = "inference", *, first: bool = True) -> Path:
    """A foreign file in the queue, before everything else unless told."""
    name = MessageName(1 if first else time.time_ns(), os.urandom(4).hex(), 0)
    path = folder / "messages" / queue / str(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_messages_come_in_order_of_arrival(connection: Any) -> None:
    for number in range(50):
        put(connection, {"number": number})
    assert [get(connection)["number"] for _ in range(50)] == list(range(50))
    assert get(connection) is None


def test_a_message_taken_leaves_no_file(connection: Any, tmp_path: Path) -> None:
    put(connection, "one")
    assert get(connection) == "one"
    assert files(tmp_path) == []


def test_queues_do_not_see_each_other(connection: Any) -> None:
    put(connection, "for the other", queue="default")
    assert get(connection, "inference") is None
    assert get(connection, "default") == "for the other"


def test_size_and_purge(connection: Any) -> None:
    channel = connection.default_channel
    for number in range(3):
        put(connection, number)
    assert channel.queue_declare("inference").message_count == 3
    assert channel.queue_purge("inference") == 3
    assert channel.queue_declare("inference").message_count == 0
    put(connection, "after")
    assert get(connection) == "after"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'{"body": "aGVs',
        b"\x00\xff\xfe garbage",
        b"[]",
        b"17",
        b'{"body": "aGVsbG8="}',
        b'{"body": "a", "properties": {"delivery_tag": "1", "body_encoding": "base64", "delivery_info": {}}}',
        b"[" * 100_000,
    ],
    ids=["empty", "half", "binary", "list", "number", "without properties", "bad base64", "too deep"],
)
def test_what_is_no_message_is_set_aside_and_logged(
    connection: Any, tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    planted = plant(tmp_path, content)
    put(connection, "behind it")
    with caplog.at_level(logging.ERROR):
        assert get(connection) == "behind it"
    assert files(tmp_path) == [f"taken/unreadable/{planted.name}"]
    assert "unreadable message" in caplog.text


def test_a_folder_with_a_message_name_does_not_block(connection: Any, tmp_path: Path) -> None:
    (tmp_path / "messages/inference" / str(MessageName(1, "a", 0))).mkdir(parents=True)
    put(connection, "behind it")
    assert get(connection) == "behind it"


def test_only_the_newest_unreadable_messages_are_kept(
    connection: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dermaplatform.broker.KEPT_UNREADABLE", 3)
    for _ in range(5):
        plant(tmp_path, b"", first=False)
    assert get(connection) is None
    assert len(files(tmp_path / "taken/unreadable")) == 3


def test_a_message_not_complete_yet_is_not_seen(connection: Any, tmp_path: Path) -> None:
    put(connection, "whole")
    name = str(MessageName.new(None))
    (tmp_path / "taken" / f"{name}.unfinished").write_bytes(b'{"body":')
    assert get(connection) == "whole"
    assert get(connection) is None


def test_what_a_killed_process_left_is_deleted_in_time(tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.mkdir()
    long_ago = MessageName(time.time_ns() - int(3600e9), "a", 0)
    (taken / str(long_ago)).write_bytes(b"{}")
    (taken / f"{long_ago}.unfinished").write_bytes(b"{")
    just_now = str(MessageName.new(None))
    (taken / just_now).write_bytes(b"{}")
    with connect(tmp_path) as connection:
        put(connection, "next")
    assert files(taken) == [just_now]


def test_an_expired_message_is_not_delivered(connection: Any, tmp_path: Path) -> None:
    put(connection, "stale", expiration=0.001)
    put(connection, "fresh", expiration=60)
    time.sleep(0.01)
    assert get(connection) == "fresh"
    assert files(tmp_path) == []


def test_expired_messages_do_not_fill_the_queue_of_a_stopped_worker(tmp_path: Path) -> None:
    for _ in range(20):
        with connect(tmp_path) as connection:
            put(connection, "tick", expiration=0.001)
        time.sleep(0.002)
    assert len(files(tmp_path / "messages")) <= 2


@pytest.mark.parametrize(
    "name", ["../outside", "/etc/queue", "a/b", "ä ö&=%", "inference@host.celery.pidbox"]
)
def test_no_queue_name_leaves_the_folder(connection: Any, tmp_path: Path, name: str) -> None:
    put(connection, "in", queue=name)
    assert all(file.startswith("messages/") and file.count("/") == 2 for file in files(tmp_path))
    assert get(connection, name) == "in"


@pytest.mark.parametrize("name", [".", ".."])
def test_names_of_folders_are_refused(connection: Any, name: str) -> None:
    with pytest.raises(ChannelError, match="cannot name"):
        connection.default_channel._put(name, {"properties": {}})


def test_bindings_are_shared_between_processes_and_can_be_removed(tmp_path: Path) -> None:
    news = Exchange("news & more", type="fanout")
    with connect(tmp_path) as first, connect(tmp_path) as second:
        for name in ("one", "two/2"):
            Queue(name, exchange=news)(first.default_channel).declare()
        news(second.default_channel).declare()
        second.Producer(exchange=news).publish("hello")
        assert [get(first, name) for name in ("one", "two/2")] == ["hello", "hello"]
        first.default_channel.queue_delete("one")
        second.Producer(exchange=news).publish("again")
        assert [get(first, name) for name in ("one", "two/2")] == [None, "again"]


def test_an_unacknowledged_message_returns_when_the_consumer_closes(tmp_path: Path) -> None:
    with connect(tmp_path) as connection:
        put(connection, "job")
        assert connection.default_channel.basic_get("inference").decode() == "job"
    with connect(tmp_path) as connection:
        assert get(connection) == "job"


def test_a_consumer_waits_and_gets_the_messages_soon(connection: Any, tmp_path: Path) -> None:
    waited: list[float] = []

    def send() -> None:
        with connect(tmp_path) as other:
            for _ in range(5):
                time.sleep(0.3)
                put(other, time.monotonic())

    sender = threading.Thread(target=send)
    sender.start()
    with connection.Consumer(
        Queue("inference"), on_message=lambda message: waited.append(time.monotonic() - message.decode())
    ):
        for _ in range(5):
            connection.drain_events(timeout=60)
        with pytest.raises(TimeoutError):
            connection.drain_events(timeout=0.1)
    sender.join()
    assert len(waited) == 5
    assert sorted(waited)[2] < 0.5  # a busy machine may stumble over one or two
    assert connection.transport.polling_interval <= 0.05


def test_a_broker_that_is_down_is_an_operational_error_and_comes_back(tmp_path: Path) -> None:
    folder = tmp_path / "broker"
    with connect(folder) as connection, connect(folder) as consumer:
        put(connection, "before")
        consumer.connect()
        folder.rename(tmp_path / "away")
        folder.write_text("not a folder")
        retry = {"max_retries": 2, "interval_start": 0, "interval_step": 0.05}
        with pytest.raises(OperationalError):
            put(connection, "lost", retry=True, retry_policy=retry)
        with pytest.raises(OperationalError), connect(folder) as late:
            late.ensure_connection(max_retries=1, interval_start=0, interval_step=0)
        assert get(consumer) is None
        folder.unlink()
        (tmp_path / "away").rename(folder)
        put(connection, "after", retry=True, retry_policy=retry)
        assert [get(consumer), get(consumer), get(consumer)] == ["before", "after", None]


def test_folders_removed_under_a_consumer_are_made_again(connection: Any, tmp_path: Path) -> None:
    put(connection, "one")
    (tmp_path / "taken").rmdir()
    assert get(connection) == "one"
    (tmp_path / "messages/inference").rmdir()
    with pytest.raises(Empty):
        connection.default_channel._get("inference")
    put(connection, "two")
    assert get(connection) == "two"


def produce(folder: Path, producer: int, count: int) -> None:
    with connect(folder) as connection:
        for number in range(count):
            put(connection, [producer, number])
            if number % 10 == 0:
                plant(folder, b"" if number % 20 else b"\x80garbage", first=False)


def consume(folder: Path, results: "multiprocessing.Queue[list[Any]]", stop: Any) -> None:
    got = []
    with connect(folder) as connection:
        while not (stop.is_set() and connection.default_channel._size("inference") == 0):
            body = get(connection)
            if body is None:
                time.sleep(0.01)
            else:
                got.append(body)
    results.put(got)


def test_every_message_reaches_exactly_one_of_several_processes(tmp_path: Path) -> None:
    producers, consumers, count = 4, 3, 100
    context = multiprocessing.get_context("spawn")
    results: multiprocessing.Queue[list[Any]] = context.Queue()
    stop = context.Event()
    senders = [context.Process(target=produce, args=(tmp_path, n, count)) for n in range(producers)]
    takers = [context.Process(target=consume, args=(tmp_path, results, stop)) for _ in range(consumers)]
    for process in (*takers, *senders):
        process.start()
    for process in senders:
        process.join(240)
        assert process.exitcode == 0
    stop.set()
    taken = [results.get(timeout=240) for _ in takers]
    for process in takers:
        process.join(240)
        assert process.exitcode == 0
    flat = sorted(tuple(body) for got in taken for body in got)
    assert flat == [(producer, number) for producer in range(producers) for number in range(count)]
    for got in taken:
        for producer in range(producers):
            mine = [number for sender, number in got if sender == producer]
            assert mine == sorted(mine)
    assert len(files(tmp_path / "taken/unreadable")) == producers * count // 10
