"""How far the download is, as Prometheus metrics of the pod."""

from threading import Lock

from prometheus_client import CollectorRegistry, Gauge


class Progress:
    """Counts of all files together; many threads add to them."""

    def __init__(self, files_total: int, bytes_total: int) -> None:
        self.registry = CollectorRegistry()
        self._lock = Lock()
        self.files = 0
        self.bytes = 0
        for name, text, value in (
            ("bytes", "Bytes of the model that have arrived.", lambda: self.bytes),
            ("files", "Files that are complete.", lambda: self.files),
            ("wanted_bytes", "Bytes of the model.", lambda: bytes_total),
            ("wanted_files", "Files of the model.", lambda: files_total),
        ):
            Gauge(f"aifactory_download_{name}", text, registry=self.registry).set_function(value)

    def add(self, count: int) -> None:
        """Bytes that have arrived, less than none when some have to be fetched again."""
        with self._lock:
            self.bytes += count

    def done(self) -> None:
        """One more file is complete."""
        with self._lock:
            self.files += 1
