"""Frames → messages by RFC 6455: split and deflated messages, and the answers to control frames.

picows takes the bytes of a read apart into frames; what they mean together stands here. Nothing of
it knows a connection's state: a frame goes in, and a message, an answer or an error comes out. The
error is a :class:`picows.WSProtocolError`, which holds the code that picows closes with; after it
the connection is over.
"""

from __future__ import annotations

from collections.abc import Callable

import picows
from picows import WSCloseCode, WSFrame, WSMsgType, WSTransport

__all__ = ["MessageAssembler", "answer_close", "answer_ping", "check_control", "close_answer"]

# Bytes of answers that a server has not taken yet, from which on its pings are not answered. One
# that sends pings and reads nothing would fill the memory.
_MAX_UNSENT = 64 * 1024

# Close codes for programs to see, never for the wire (RFC 6455, section 7.4.1).
_NEVER_SENT = {1004, 1005, 1006, 1015}


class MessageAssembler:
    """Puts one connection's messages together (RFC 6455, section 5.4; RFC 7692, section 6).

    :param max_size: bytes of a split message.
    :param inflate_binary: what makes messages of binary ones; None: they are what they are.
    """

    def __init__(
        self, max_size: int, inflate_binary: Callable[[bytes], bytes] | None = None
    ) -> None:
        self._max_size = max_size
        self._inflate_binary = inflate_binary
        self._is_agreed = False  # whether messages may be deflated
        self._inflate: Callable[[bytes], bytes] = bytes
        self._split: bytearray | None = None  # the split message under way
        self._is_deflated = False  # whether that one is
        self._is_binary = False  # and whether it is binary
        self.inflated_bytes = 0
        """How much was inflated since whoever reads this has set it to 0."""

    def inflate_with(self, inflate: Callable[[bytes], bytes] | None) -> None:
        """How the messages of the next connection are inflated; None: they are not."""
        self._is_agreed = inflate is not None
        self._inflate = inflate or bytes

    def begin(self) -> None:
        """Start over with a new connection; half a message of the one before is none."""
        self._split = None

    @property
    def is_split(self) -> bool:
        """Whether a split message is under way."""
        return self._split is not None

    def put(self, frame: WSFrame) -> bytes | None:
        """Add a frame that is no control frame; the message that it completes. None: it does not.

        :raises picows.WSProtocolError: it cannot stand there, or the message is too large, or
            cannot be inflated.
        """
        kind = frame.msg_type
        begins = kind is WSMsgType.TEXT or kind is WSMsgType.BINARY
        if frame.rsv2 or frame.rsv3 or (frame.rsv1 and not (begins and self._is_agreed)):
            raise _reserved_bit()
        split = self._split
        if begins == (split is not None):
            raise picows.WSProtocolError(
                WSCloseCode.PROTOCOL_ERROR,
                "a continuation without a message to continue"
                if split is None
                else "a split message was interrupted by another",
            )
        if split is None:
            if frame.fin:
                is_binary = kind is WSMsgType.BINARY
                return self._whole(frame.get_payload_as_bytes(), frame.rsv1, is_binary)
            split, self._is_deflated = bytearray(), frame.rsv1
            self._is_binary = kind is WSMsgType.BINARY
            self._split = split
        split += frame.get_payload_as_bytes()
        if len(split) > self._max_size:
            raise picows.WSProtocolError(
                WSCloseCode.MESSAGE_TOO_BIG, f"a split message is over {self._max_size} bytes"
            )
        if not frame.fin:
            return None
        self._split = None
        return self._whole(bytes(split), self._is_deflated, self._is_binary)

    def _whole(self, payload: bytes, is_deflated: bool, is_binary: bool) -> bytes:
        if is_deflated:
            payload = self.inflated(payload)
        if is_binary and self._inflate_binary is not None:
            payload = self._inflate_binary(payload)
            self.inflated_bytes += len(payload)
        return payload

    def inflated(self, payload: bytes) -> bytes:
        """The message that a deflated one is.

        :raises picows.WSProtocolError: it cannot be inflated.
        """
        message = self._inflate(payload)
        self.inflated_bytes += len(message)
        return message


def check_control(frame: WSFrame) -> None:
    """See that a control frame has no reserved bit set: no extension of ours gives one a meaning.

    :raises picows.WSProtocolError: it has.
    """
    if frame.rsv1 or frame.rsv2 or frame.rsv3:
        raise _reserved_bit()


def answer_ping(transport: WSTransport, payload: bytes) -> None:
    """Send a pong, unless the server has not taken the pongs before (RFC 6455, section 5.5.3)."""
    if transport.underlying_transport.get_write_buffer_size() < _MAX_UNSENT:
        transport.send_pong(payload)


def answer_close(transport: WSTransport) -> None:
    """Answer the server's close frame, and disconnect (RFC 6455, section 5.5.1)."""
    handshake = transport.close_handshake
    received = handshake.recv.code if handshake and handshake.recv else None
    transport.send_close(close_answer(received))
    transport.disconnect()


def close_answer(received: WSCloseCode | None) -> WSCloseCode:
    """The code that answers a close frame: its own, where that may be sent.

    :param received: None where nothing is known of it.
    """
    if received is None or received is WSCloseCode.NO_INFO:
        return WSCloseCode.OK
    if not 1000 <= received.value < 5000 or received.value in _NEVER_SENT:
        return WSCloseCode.PROTOCOL_ERROR
    return received


def _reserved_bit() -> picows.WSProtocolError:
    return picows.WSProtocolError(WSCloseCode.PROTOCOL_ERROR, "a frame has a reserved bit set")
