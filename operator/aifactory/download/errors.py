"""Why a download fails."""

from aifactory.api.conditions import Reason


class DownloadError(Exception):
    """A cause with its reason; `again` says that the same request may succeed later."""

    def __init__(self, reason: Reason, message: str, *, again: bool = False) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.again = again
