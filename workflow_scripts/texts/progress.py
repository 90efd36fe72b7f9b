"""Log the progress of a long reading."""

import logging
import time
from collections.abc import Callable

logger = logging.getLogger(__name__)

EVERY_SECONDS = 10.0


class Progress:
    """Logs one line every ten seconds: megabytes read, speed, and time left if the total is known."""

    def __init__(
        self, what: str, total_bytes: int | None = None, clock: Callable[[], float] = time.monotonic
    ):
        self.what, self.total = what, total_bytes
        self._clock = clock
        self._started = self._reported = clock()

    def at(self, bytes_read: int) -> None:
        now = self._clock()
        if now - self._reported < EVERY_SECONDS:
            return
        self._reported = now
        speed = bytes_read / (now - self._started)
        if self.total is None:
            logger.info("%s: %s MB read, %s MB/s", self.what, _megabytes(bytes_read), _megabytes(speed))
            return
        left = (self.total - bytes_read) / speed if speed else float("inf")
        logger.info(
            "%s: %s of %s MB read, %s MB/s, about %s left",
            self.what,
            _megabytes(bytes_read),
            _megabytes(self.total),
            _megabytes(speed),
            f"{left:.0f} s" if left < 120 else f"{left / 60:.0f} min",
        )


def _megabytes(size: float) -> str:
    return f"{size / 1e6:.0f}" if size >= 1e7 else f"{size / 1e6:.2g}"
