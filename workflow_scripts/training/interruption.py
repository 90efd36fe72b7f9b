"""Handles interruptions: on SIGTERM or SIGUSR1 a job saves a checkpoint and exits with the code `NOT_FINISHED`."""

import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

logger = logging.getLogger(__name__)

NOT_FINISHED = 75
"""Exit code of a job that saved a checkpoint and wants to be run again (EX_TEMPFAIL of sysexits.h)."""

SIGNALS = (signal.SIGTERM, signal.SIGUSR1)


class NotFinished(SystemExit):
    """Ends the program with `NOT_FINISHED`."""

    def __init__(self) -> None:
        super().__init__(NOT_FINISHED)


@dataclass
class Interruption:
    """Whether the job was asked to stop."""

    requested: bool = False

    def stop_if_requested(self) -> None:
        if self.requested:
            raise NotFinished


@contextmanager
def noticed_interruption() -> Iterator[Interruption]:
    """Turn the signals into a flag while the block runs."""
    interruption = Interruption()

    def notice(number: int, frame: FrameType | None) -> None:
        logger.warning("%s received: the job saves a checkpoint and ends", signal.Signals(number).name)
        interruption.requested = True

    before = {number: signal.signal(number, notice) for number in SIGNALS}
    try:
        yield interruption
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
