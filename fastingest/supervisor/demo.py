"""The process of a demo exchange: it says where it listens, as a child of the supervisor does."""

from __future__ import annotations

from fastingest.demo import exchange
from fastingest.demo.settings import DemoSettings
from fastingest.runtime.control import Listening, encode
from fastingest.transport.pipe.wiring import PipeEnd

__all__ = ["main"]


def main(settings: DemoSettings, control: PipeEnd) -> None:
    """Run an exchange until the supervisor is gone; the target of its process.

    :param control: to the supervisor.
    :raises OSError: no port can be had.
    """
    exchange.main(settings, _Lifeline(control))


class _Lifeline:
    """The control connection, as the exchange uses it."""

    def __init__(self, control: PipeEnd) -> None:
        self._control = control

    def fileno(self) -> int:
        """Its descriptor, which can be read when the supervisor is gone."""
        return self._control.fileno()

    def send(self, port: int, /) -> None:
        """Say where the exchange listens."""
        self._control.send_bytes(encode(Listening(port)))
