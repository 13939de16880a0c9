"""The operator as a process on this machine, against any API server."""

import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Self

# Kubernetes kills what did not end by itself within so many seconds.
_END_SECONDS = 30


class OperatorProcess:
    """`aifactory run` with a kubeconfig; logs go to `log`. Use as a context manager, or start and stop it."""

    def __init__(self, kubeconfig: Path, port: int, settings: Mapping[str, str] | None = None) -> None:
        self.port = port
        self.log = Path(tempfile.mkstemp(prefix="aifactory-operator-", suffix=".log")[1])
        self._environment = {
            **os.environ,
            "KUBECONFIG": str(kubeconfig),
            "AIFACTORY_PORT": str(port),
            "AIFACTORY_PROMETHEUS_URL": "http://127.0.0.1:9",
            "AIFACTORY_TICK": "1",
            **(settings or {}),
        }
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self.log.unlink(missing_ok=True)

    @property
    def pid(self) -> int:
        """Process id of the running operator."""
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        """It has not ended by itself."""
        return self._process is not None and self._process.poll() is None

    def start(self, timeout: float = 180) -> None:
        """Start it and wait until it answers on /healthz.

        Raises:
            RuntimeError: with the end of its log, if it does not.
        """
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "aifactory", "run"], env=self._environment, stdout=log, stderr=log
            )
        deadline = time.monotonic() + timeout
        while self._process.poll() is None and time.monotonic() < deadline:
            if self._answers():
                return
            time.sleep(0.1)
        self.kill()
        raise RuntimeError(f"the operator did not start:\n{self.log.read_text()[-3000:]}")

    def stop(self) -> int:
        """End it as Kubernetes would; the result is its exit status.

        Raises:
            RuntimeError: with the end of its log, if it has to be killed.
        """
        return self._end(signal.SIGTERM)

    def kill(self) -> int:
        """End it without warning."""
        return self._end(signal.SIGKILL)

    def metrics(self) -> str:
        """Its /metrics page."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=30) as answer:
            return str(answer.read().decode())

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    def _end(self, how: signal.Signals) -> int:
        if self._process is None:
            return 0
        if self._process.poll() is None:
            self._process.send_signal(how)
        try:
            return self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            problem = f"the operator did not end within {_END_SECONDS} s"
            raise RuntimeError(f"{problem}:\n{self.log.read_text()[-3000:]}") from None
