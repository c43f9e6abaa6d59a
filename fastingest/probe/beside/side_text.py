"""What stands beside the tables in a proposed file: what is asked for, and what is said to that."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from textwrap import wrap

from fastingest.config.spec import Message
from fastingest.config.symbols import Symbols
from fastingest.model.feed import Feed
from fastingest.model.message_conditions import Groups
from fastingest.probe.beside.known_symbols import known_symbols
from fastingest.probe.beside.symbols import Placed, placed
from fastingest.probe.listen import Sample
from fastingest.probe.proposal import Proposal
from fastingest.probe.toml_text import WIDTH, array, quoted
from fastingest.units import format_duration

__all__ = ["asked_for", "message_text", "said_lines", "symbols_lines"]


def asked_for(sample: Sample, proposal: Proposal) -> Placed:
    """The URL and the subscriptions, with their replies, and places for symbols if possible."""
    feed = _with_replies(sample.feed, proposal)
    return placed(feed, _symbols_of(sample, proposal)) or _as_given(feed)


def _with_replies(feed: Feed, proposal: Proposal) -> Feed:
    """The feed with the replies that are proposed."""
    if not proposal.side.replies:
        return feed
    pairs = zip(feed.subscriptions, proposal.side.replies, strict=True)
    return replace(
        feed,
        subscriptions=tuple(replace(each, reply=reply) for each, reply in pairs),
    )


def _symbols_of(sample: Sample, proposal: Proposal) -> set[str]:
    """The symbols for which there may be places: the feed's own, or else those of the data."""
    if sample.whole is not None:
        return set()  # the file is about some of them only
    own = set(sample.feed.symbols)
    return own or known_symbols(proposal, sample.messages)


def _as_given(feed: Feed) -> Placed:
    """The feed with its symbols where they are."""
    messages = tuple(
        Message(
            each.text,
            None if each.reply is None else tuple(map(str, each.reply)),
            each.timeout,
            tuple(tuple(map(str, group)) for group in each.refused),
        )
        for each in feed.subscriptions
    )
    return Placed(Symbols(), feed.url, messages)


def message_text(message: Message) -> str:
    """A subscription as it is written in a file."""
    if message.reply is None and not message.refused:
        return quoted(message.text)
    parts = [f"send = {quoted(message.text)}"]
    if message.reply is not None:
        parts.append(f"reply = {_group(message.reply)}")
    if message.timeout != Message.timeout:
        parts.append(f"timeout = {quoted(format_duration(message.timeout))}")
    if message.refused:
        parts.append(f"refused = {_array(map(_group, message.refused))}")
    return f"{{{', '.join(parts)}}}"


def symbols_lines(symbols: Symbols) -> Iterator[str]:
    """The symbols that stand in places, and how; nothing where there are none."""
    if not symbols.default:
        return
    yield "# --symbols says what to ask for in their place."
    names = ", ".join(map(quoted, symbols.default))
    if len(names) < WIDTH - 20:
        yield f"symbols.default = [{names}]"
    else:
        lines = wrap(f"{names},", WIDTH - 4, break_long_words=False, break_on_hyphens=False)
        yield from ("symbols.default = [", *(f"    {line}" for line in lines), "]")
    if symbols.each != Symbols.each:
        yield f"symbols.each = {quoted(symbols.each)}"
    if symbols.join != Symbols.join:
        yield f"symbols.join = {quoted(symbols.join)}"
    if symbols.case:
        yield f"symbols.case = {quoted(symbols.case)}"


def said_lines(feed: Feed, proposal: Proposal) -> Iterator[str]:
    """What the server says beside the rows, and what is said to that."""
    side = proposal.side
    if feed.refused or any(each.refused for each in feed.subscriptions):
        yield from _groups("refused", feed.refused)
    else:
        if side.guessed and side.refused:
            first = "The first" if len(side.refused) == 1 else f"The first {len(side.refused)}"
            yield f"# {first} came; what follows is a guess."
        elif side.guessed:
            yield "# No refusal has come: this is a guess at what one is like."
        yield from _groups("refused", (*side.refused, *side.guessed))
    if feed.retry_refused:
        yield f"retry-refused = {quoted(format_duration(feed.retry_refused))}"
    yield from _groups("reconnect", feed.reconnect)
    answers = feed.answers or side.answers
    yield from array(
        "answer",
        (
            f"{{when = {_array(map(_group, each.when))}, send = {quoted(each.send)}}}"
            for each in answers
        ),
    )
    if feed.remember is not None:
        when = _array(map(_group, feed.remember.when))
        yield f"remember = {{when = {when}, key = {quoted(str(feed.remember.key))}}}"
    yield from array("ignore", map(quoted, dict.fromkeys((*feed.ignore, *proposal.ignore))))


def _groups(key: str, groups: Groups) -> Sequence[str]:
    if len(groups) == 1:
        return array(key, (quoted(str(each)) for each in groups[0]))
    return array(key, map(_group, groups))


def _group(group: Iterable[object]) -> str:
    return _array(quoted(str(each)) for each in group)


def _array(texts: Iterable[str]) -> str:
    """An array on one line."""
    return f"[{', '.join(texts)}]"
