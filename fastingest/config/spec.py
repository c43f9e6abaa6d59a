"""A feed as it is described, before symbols and the command line are put into it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from fastingest.config.symbols import Symbols, has_place
from fastingest.config.toml_file import Key, TomlFile
from fastingest.errors import ConfigError, OptionError
from fastingest.model.feed import Answer, Heartbeat, Remember, Subscription
from fastingest.model.message_conditions import Groups, MessageCondition, parse_message_condition
from fastingest.model.schema import Schema

__all__ = ["ConfigFile", "FeedSpec", "Message", "TableSpec"]


@dataclass(frozen=True)
class Message:
    """A subscription, into which symbols may have to be put.

    :param text: what to send.
    :param reply: the conditions of its reply, as text. None: nothing is waited for.
    :param timeout: seconds to wait for it.
    :param refused: groups of conditions of what refuses it, as text.
    :param per_message: how many symbols ``{symbols}`` stands for at most: for more, it is sent
        several times. None: for any number.
    """

    text: str
    reply: tuple[str, ...] | None = None
    timeout: float = Subscription.timeout
    refused: tuple[tuple[str, ...], ...] = ()
    per_message: int | None = None

    @property
    def has_place(self) -> bool:
        """Whether symbols can be put into it."""
        return any(map(has_place, self._texts))

    @property
    def _texts(self) -> tuple[str, ...]:
        return (self.text, *(self.reply or ()), *(text for group in self.refused for text in group))

    def subscriptions(self, how: Symbols, symbols: Sequence[str]) -> list[Subscription]:
        """What is sent for ``symbols``; without any, it is sent as it is."""
        if not symbols:
            return [self._subscription(lambda text: text, ())]
        parts: list[tuple[Callable[[str], str], tuple[str, ...]]]
        if any("{symbol}" in text for text in self._texts):
            parts = [(partial(how.fill, symbols=symbols, one=one), (one,)) for one in symbols]
        elif self.has_place:
            size = self.per_message or len(symbols)
            chunks = [tuple(symbols[at : at + size]) for at in range(0, len(symbols), size)]
            parts = [(partial(how.fill, symbols=chunk), chunk) for chunk in chunks]
        else:
            parts = [(partial(how.fill, symbols=symbols), ())]
        made = [self._subscription(fill, own) for fill, own in parts]
        if "{symbol}" in self.text or "{symbols}" not in self.text:
            return made
        return [replace(each, listed=how.listed(each.symbols), join=how.join) for each in made]

    def _subscription(self, fill: Callable[[str], str], symbols: tuple[str, ...]) -> Subscription:
        def conditions(texts: Sequence[str]) -> tuple[MessageCondition, ...]:
            return tuple(parse_message_condition(fill(text)) for text in texts)

        return Subscription(
            fill(self.text),
            None if self.reply is None else conditions(self.reply),
            self.timeout,
            tuple(map(conditions, self.refused)),
            symbols,
        )


@dataclass(frozen=True)
class TableSpec:
    """A table of a feed; see :class:`fastingest.model.feed.Table`.

    :param key: where it is in the file.
    :param out: the file that it names itself.
    :param name: what is put behind the stem of the feed's file otherwise; None: nothing.
    """

    schema: Schema
    key: Key = ()
    out: Path | None = None
    name: str | None = None


@dataclass(frozen=True)
class FeedSpec:
    """A feed; see :class:`fastingest.model.feed.Feed`. None and empty are what was not said.

    :param file: the file; None: it is from the command line alone.
    :param key: where it is in the file.
    :param out: the file of those of its tables that name none.
    :param per_connection: how many symbols are asked for on one connection at most: for more, it
        has several. None: any number.
    :param stale_after: 0.0: it never is.
    """

    tables: tuple[TableSpec, ...]
    url: str | None = None
    name: str | None = None
    file: TomlFile | None = None
    key: Key = ()
    out: Path | None = None
    headers: tuple[str, ...] = ()
    messages: tuple[Message, ...] = ()
    subscribe_every: float = 0.0
    per_connection: int | None = None
    heartbeats: tuple[Heartbeat, ...] = ()
    ignore: tuple[str, ...] = ()
    refused: Groups = ()
    retry_refused: float = 0.0
    reconnect: Groups = ()
    answers: tuple[Answer, ...] = ()
    remember: Remember | None = None
    symbols: Symbols = field(default_factory=Symbols)
    stale_after: float | None = None
    stale_by: str = ""
    when_stale: str = "warn"
    compression: str | None = None
    inflate: str = ""
    proxy: str | None = None
    connect_timeout: float | None = None
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None

    @property
    def has_place(self) -> bool:
        """Whether symbols can be put into it."""
        return has_place(self.url or "") or any(message.has_place for message in self.messages)

    @property
    def texts(self) -> tuple[str, ...]:
        """All texts that may hold secrets."""
        messages = (message.text for message in self.messages)
        beats = (heartbeat.text for heartbeat in self.heartbeats)
        answers = (answer.send for answer in self.answers)
        return (self.url or "", *self.headers, *messages, *beats, *answers, self.proxy or "")

    def error(self, option: str, problem: str, *more: str | int) -> OptionError | ConfigError:
        """What is wrong with it, said of the line where it stands, or else of the option."""
        if self.file is None:
            return OptionError(option, problem)
        return self.file.error((*self.key, *more), problem)


@dataclass(frozen=True)
class ConfigFile:
    """What a file for ``--config`` says, or that of a known feed.

    :param toml: where it is said.
    :param feeds: what it describes.
    :param settings: the options that it sets.
    :param setting_keys: where it does.
    """

    toml: TomlFile
    feeds: tuple[FeedSpec, ...]
    settings: dict[str, Any]
    setting_keys: dict[str, Key]
