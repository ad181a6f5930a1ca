"""`make bench`: how much of the bare network's speed is left for a patient, in one run on the same images.

It starts the product beside the real one, with data of its own in a temporary folder, once for each broker.
"""

import argparse
import contextlib
import datetime
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_models import imaging, synthetic
from ml_models.engines import Run, engines
from ml_models.runtime import Engine, default_release, release_path
from ml_models.taxonomy import ImageType

ROOT = Path(__file__).resolve().parent.parent
SIZE = (600, 450)  # HAM10000's
REDIS = "redis://127.0.0.1:6379/6"
AIM_RATIO = 0.6  # through the queue, of the bare network one image at a time
AIM_SECONDS = 1.5  # from upload to result, 95th percentile, on an idle machine
READY_SECONDS = 180
ENGINE_BATCHES = (1, 8, 32)
TOGETHER = (1, 2, 4, 8)  # jobs that wait together and would be examined as one
_RATES = (
    "DERMA_API_RATE",
    "DERMA_API_RATE_PER_ADDRESS",
    "DERMA_UPLOAD_RATE",
    "DERMA_UPLOAD_RATE_PER_ADDRESS",
)
LONGEST_DELAY = 0.020  # by which no job may be held up for the sake of another


def say(text: str = "") -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def jpeg(seed: int) -> bytes:
    out = BytesIO()
    synthetic.lesion(seed, SIZE).save(out, "JPEG", quality=92)
    return out.getvalue()


def quantile(values: Sequence[float], q: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[q - 1]


def rate(step: Callable[[int], object], steps: int, images_a_step: int = 1) -> float:
    """Images a second; the first tenth warms up."""
    warm = max(1, steps // 10)
    for number in range(warm):
        step(number)
    started = time.perf_counter()
    for number in range(steps):
        step(number)
    return steps * images_a_step / (time.perf_counter() - started)


Inputs = NDArray[np.uint8]


def engine_rates(found: dict[str, Run], inputs: Inputs) -> dict[str, dict[int, float]]:
    """Images a second of each engine at each batch size, on pixels that are ready in memory."""

    def at(run: Run, batch: int) -> float:
        starts = len(inputs) - batch + 1
        return rate(lambda n: run(inputs[n % starts :][:batch]), max(8, len(inputs) // batch), batch)

    return {name: {batch: at(run, batch) for batch in ENGINE_BATCHES} for name, run in found.items()}


def stored_rates(engine: Engine, stored: Sequence[bytes]) -> dict[int, float]:
    """Images a second from stored file to result without a queue, so many at a time."""

    def at(together: int) -> float:
        def step(number: int) -> object:
            chosen = [stored[(number * together + each) % len(stored)] for each in range(together)]
            images = [imaging.canonicalise(data) for data in chosen]
            return engine.assess(images, [ImageType.DERMATOSCOPIC] * together)

        return rate(step, max(8, len(stored) // together), together)

    return {together: at(together) for together in TOGETHER}


def measure_bare(name: str, images: Sequence[bytes]) -> float:
    """Prints what the network takes without the product; images a second of the plain SavedModel."""
    engine = Engine.load(release_path(name))
    stored = [imaging.encode(imaging.canonicalise(data)) for data in images]
    inputs = np.stack([imaging.model_input(imaging.canonicalise(data), engine.card.size) for data in stored])
    rates = engine_rates(engines(release_path(name)), inputs)
    bare = rates["SavedModel"][1]
    for what, by_batch in rates.items():
        for batch, images_a_second in by_batch.items():
            line(f"{what}, batch of {batch}", images_a_second, bare)
    by_number = stored_rates(engine, stored)
    alone = 1 / by_number[1]
    for together, images_a_second in by_number.items():
        line(f"file to result, no queue, {together} at a time", images_a_second, bare)
        if together > 1:
            later = together / images_a_second - alone
            say(
                f"  {'':<36} the first waits {1000 * later:.0f} ms longer"
                f"{'' if later <= LONGEST_DELAY else ', which is too long'}"
            )
    return bare


class Product:
    """A running platform with its own data, and one of its patients."""

    def __init__(self, state_dir: Path, redis_url: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.url = f"http://127.0.0.1:{probe.getsockname()[1]}/"
        dropped = ("DATABASE_URL", "REDIS_URL", "SECRET_KEY")
        environment = {key: value for key, value in os.environ.items() if key not in dropped}
        environment |= {"DEBUG": "1", "DEMO": "1", "DERMA_STATE_DIR": str(state_dir)}
        environment |= {"PORT": self.url.rpartition(":")[2].strip("/")}
        # One account sends everything, and more than a person may.
        environment |= dict.fromkeys(_RATES, "1000000/s")
        self._redis_url = redis_url
        self._prefix = f"derma-bench-{uuid.uuid4().hex}:"
        if redis_url:
            environment |= {"REDIS_URL": redis_url, "REDIS_PREFIX": self._prefix}
        self._state_dir = state_dir
        self._console = (state_dir / "console.log").open("wb")
        self._launcher = subprocess.Popen(
            [sys.executable, "-m", "dermaplatform.launcher"],
            cwd=ROOT,
            env=environment,
            stdout=self._console,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._token = ""

    def sign_in(self) -> None:
        end = time.monotonic() + READY_SECONDS
        while self.send("GET", "api/v1/health/")[0] != 200:
            if time.monotonic() > end or self._launcher.poll() is not None:
                console = (self._state_dir / "console.log").read_text(errors="replace")
                raise SystemExit(f"The product did not start:\n{console}")
            time.sleep(0.5)
        account = json.dumps({"email": "alice@example.org", "password": "demo-derma-2026"}).encode()
        _, answer = self.send("POST", "_allauth/app/v1/auth/login", account)
        self._token = answer["meta"]["session_token"]

    def send(
        self, method: str, path: str, data: bytes | None = None, content_type: str = "application/json"
    ) -> tuple[int, Any]:
        """Status and JSON; status 0 while nobody answers."""
        headers = {"Content-Type": content_type, "X-Session-Token": self._token}
        request = urllib.request.Request(self.url + path, data, headers, method=method)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)
        except OSError:
            return 0, None

    def upload(self, image: bytes) -> str:
        mark = uuid.uuid4().hex
        head = f'--{mark}\r\nContent-Disposition: form-data; name="image"; filename="spot.jpg"\r\n\r\n'
        body = head.encode() + image + f"\r\n--{mark}--\r\n".encode()
        status, answer = self.send("POST", "api/v1/analyses/", body, f"multipart/form-data; boundary={mark}")
        if status != 202:
            raise SystemExit(f"An upload was answered with {status}: {answer}")
        return str(answer["id"])

    def finished_at(self, identifier: str) -> float:
        """Seconds since the epoch; waits until the result is there."""
        while True:
            _, answer = self.send("GET", f"api/v1/analyses/{identifier}/")
            if answer["status"] == "done":
                return datetime.datetime.fromisoformat(answer["finished_at"]).timestamp()
            if answer["status"] in ("failed", "rejected"):
                raise SystemExit(f"An analysis ended as {answer['status']}.")
            time.sleep(0.05)

    @contextlib.contextmanager
    def paused_worker(self) -> Iterator[None]:
        pid = json.loads((self._state_dir / "run" / "processes.json").read_text())["worker-inference"]
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def close(self) -> None:
        self._launcher.terminate()
        self._launcher.wait(30)
        self._console.close()
        if self._redis_url:
            import redis

            with redis.Redis.from_url(self._redis_url) as server:
                for key in server.scan_iter(f"{self._prefix}*"):
                    server.delete(key)


def queue_rate(product: Product, images: Sequence[bytes]) -> float:
    """Images a second of one worker that has a full queue before it, by the times of the results."""
    with product.paused_worker(), ThreadPoolExecutor(4) as pool:
        identifiers = list(pool.map(product.upload, images))
    # Asking for all while they are computed would slow them down: wait for the last, then ask.
    product.finished_at(identifiers[-1])
    times = sorted(product.finished_at(each) for each in identifiers)
    return (len(times) - 1) / (times[-1] - times[0])


def upload_to_result(product: Product, images: Sequence[bytes]) -> list[float]:
    """Seconds from the first byte sent to the stored result, one patient at a time."""
    seconds = []
    for image in images:
        started = time.time()
        seconds.append(product.finished_at(product.upload(image)) - started)
    return seconds


def redis_url() -> str:
    """The Redis to measure with, or nothing if there is none."""
    url = os.environ.get("REDIS_URL") or REDIS
    import redis

    try:
        with redis.Redis.from_url(url, socket_connect_timeout=1, socket_timeout=1) as client:
            client.ping()
    except (redis.RedisError, OSError):
        return ""
    return url


def line(what: str, images_a_second: float, bare: float) -> None:
    say(
        f"  {what:<36} {images_a_second:8.1f} images/s {1000 / images_a_second:7.1f} ms"
        f"   {images_a_second / bare:5.2f} x bare"
    )


def measure(broker: str, url: str, images: Sequence[bytes], latency: int, bare: float) -> bool:
    """Prints the figures of one broker; whether the aims are reached."""
    with tempfile.TemporaryDirectory(prefix="derma-bench-") as folder:
        product = Product(Path(folder), url)
        try:
            product.sign_in()
            through = queue_rate(product, images[latency:])
            line(f"worker through the queue, {broker}", through, bare)
            seconds = upload_to_result(product, images[:latency])
        finally:
            product.close()
    for q in (50, 95):
        value = quantile(seconds, q)
        say(
            f"  {f'upload to result, {broker}, {q}th pct':<45} {value * 1000:16.0f} ms"
            f"   {value * bare:5.1f} x the time of the bare network"
        )
    return through >= AIM_RATIO * bare and quantile(seconds, 95) <= AIM_SECONDS


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m dermaplatform.bench", description=__doc__)
    parser.add_argument("--images", type=int, default=200, help="images in the full queue (default 200)")
    parser.add_argument("--uploads", type=int, default=60, help="uploads timed one by one (default 60)")
    arguments = parser.parse_args()
    if arguments.images < max(ENGINE_BATCHES):
        parser.error(f"--images must be {max(ENGINE_BATCHES)} or more, which is the largest batch.")
    name = os.environ.get("DERMA_RELEASE") or default_release()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    say(f"{name}, generated images of {SIZE[0]} x {SIZE[1]} px, {os.cpu_count()} cores")
    load = os.getloadavg()[0]
    if load > 0.5:
        say(f"Something else is running (load {load:.1f}), so the figures will be low.")
    images = [jpeg(seed) for seed in range(arguments.images + arguments.uploads)]
    bare = measure_bare(name, images[: arguments.images])
    reached = measure("embedded broker", "", images, arguments.uploads, bare)
    if url := redis_url():
        reached = measure("Redis", url, images, arguments.uploads, bare) and reached
    else:
        say(f"  Redis does not answer at {REDIS}; set REDIS_URL to measure with it.")
    say(
        f"Aims, {AIM_RATIO} x bare through the queue and {AIM_SECONDS} s at the 95th percentile: "
        f"{'reached' if reached else 'missed'}"
    )
    say("Appointments, each database alone:")
    aims = subprocess.run([sys.executable, "-m", "appointments.bench"], cwd=ROOT, check=False)
    say(f"Aims of appointments: {'missed' if aims.returncode else 'reached'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
