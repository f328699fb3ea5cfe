"""S3 clients: what storage tokens are for."""

import json
import threading
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from s3_access import refusal, s3_client

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from crusoe_simulator.server import Simulator

BUCKET = "data"
# A fraction of how long a test may take.
PROMPTLY = 30.0


def client_of(simulator: "Simulator", access_key_id: str, secret_key: str) -> "S3Client":
    """Return a client of the simulator."""
    return s3_client(str(simulator.s3_endpoint), access_key_id, secret_key)


class Writer:
    """A client that puts one object after the other, for as long as its block lasts.

    It looks for its credentials before every object, in a file as a workload finds them in a secret
    that is mounted, and writes the access key ID that it has used into another file.

    Args:
        simulator: Where the bucket is.
        folder: The folder with `credentials.json`, which holds `access_key_id` and `secret_key`.

    Attributes:
        used: The access key ID for each object.
        failures: What went wrong.
    """

    def __init__(self, simulator: "Simulator", folder: Path) -> None:
        self._simulator = simulator
        self._credentials = folder / "credentials.json"
        self._used = folder / "used"
        self._stop = threading.Event()
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._write_until_stopped)
        self.used: list[str] = []
        self.failures: list[str] = []

    def wait_for_more(self, objects: int = 3) -> None:
        """Return when so many objects more have been put, or have failed.

        Raises:
            TimeoutError: They have not, in time.
        """
        with self._news:
            wanted = len(self.used) + len(self.failures) + objects
            if not self._news.wait_for(
                lambda: len(self.used) + len(self.failures) >= wanted, PROMPTLY
            ):
                raise TimeoutError(f"{len(self.used)} objects, {self.failures}")

    def _write_until_stopped(self) -> None:
        clients: dict[str, S3Client] = {}
        while not self._stop.is_set():
            key: dict[str, str] = json.loads(self._credentials.read_text())
            name = key["access_key_id"]
            if name not in clients:
                clients[name] = client_of(self._simulator, name, key["secret_key"])
            code = refusal(
                lambda client=clients[name]: client.put_object(  # type: ignore[misc]
                    Bucket=BUCKET, Key=f"{len(self.used)}", Body=b"x"
                )
            )
            with self._news:
                if code:
                    self.failures.append(f"{name}: {code}")
                else:
                    self.used.append(name)
                    self._used.write_text(name)
                self._news.notify_all()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()
