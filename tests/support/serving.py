"""What a well-behaved server of records does, for :class:`tests.peers.raw.RawServer`."""

from __future__ import annotations

from tests.peers.raw import CLOSE, RawConnection, Script

__all__ = ["answer_close", "record", "serve"]


def record(number: int) -> bytes:
    """A message that is a row, with this volume."""
    return b'{"symbol": "A", "price": 1.5, "volume": %d}' % number


def answer_close(connection: RawConnection) -> None:
    """Serve until the client closes, as a good server does."""
    while (received := connection.recv_frame(30)) is not None:
        if received[0] == CLOSE:
            connection.send_frame(CLOSE, received[1])
            return


def serve(*numbers: int) -> Script:
    """Send a record for each number, and stay."""

    def script(connection: RawConnection) -> None:
        connection.handshake()
        for number in numbers:
            connection.send_text(record(number))
        answer_close(connection)

    return script
