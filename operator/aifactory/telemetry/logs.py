"""Structured logs on standard error."""

import logging
from typing import Literal

from pythonjsonlogger.json import JsonFormatter

_TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def configure(level: str, style: Literal["json", "text"]) -> None:
    """Send all logs of the process to standard error in one style."""
    handler = logging.StreamHandler()
    formatter: logging.Formatter = logging.Formatter(_TEXT)
    if style == "json":
        formatter = JsonFormatter(
            "{levelname}{name}{message}",
            style="{",
            rename_fields={"levelname": "level", "name": "logger", "exc_info": "exception"},
            timestamp="time",
        )
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.getLogger("kopf").setLevel(max(logging.WARNING, root.level))
