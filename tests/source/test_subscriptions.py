"""What is a reply; that it is waited for, test_connection.py shows."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastingest.model.feed import Subscription
from fastingest.model.message_conditions import parse_message_condition
from fastingest.source.subscriptions import NoReply, Subscriber, parts_where, says


@pytest.mark.parametrize(
    ("message", "condition"),
    [
        (b'{"id": 1}', "id=1"),
        (b'{"id": 1}', "$.id=1"),
        (b' {"id" : 1 } \n', "id=0,1"),
        (b'{"id": 1.0}', "id=1.0"),
        (b'{"id": "1"}', "id=1"),
        (b'{"ok": true}', "ok=true"),
        (b'{"error": null}', "error=null"),
        (b'{"a": {"b": [0, {"c": "\\u00e9"}]}}', "a.b[1].c=é"),
        (b'[[1, "x"], 2]', "[0][1]=x"),
        (b'{"id": 2, "id": 1}', "id=1"),
        (b'{"e": ""}', "e="),
        (b'{"id": [ ]}', "id=[]"),
        (b'{"id": {}}', "$.id"),
        (b"ready", "$=ready"),
        (b'[[1], {"T": "x"}, {"T": "ok"}]', "[*].T=ok"),
        (b'{"a": [{"b": [1]}, {"b": [2]}]}', "$.a[*].b[0]=2"),
        (b'["x", "y"]', "$[*]=y"),
        (b'["x", "y"]', "$[-1]^=y"),
        (b'[{"T": "ok"}, {"T": "no"}]', "$[*].T!=ok"),
        (b'[{"T": "ok"}, {"code": 402}]', "$[*].code exists"),
        (b'{"a": [{"b": [1, 3]}, {"b": [2]}]}', "$.a[*].b[-1]=3"),
    ],
)
def test_a_condition_holds(message: bytes, condition: str) -> None:
    assert says(message, [parse_message_condition(condition)])


@pytest.mark.parametrize(
    ("message", "condition"),
    [
        (b'{"id": 2}', "id=1"),
        (b'{"id": 1.0}', "id=1"),
        (b'{"id": [1]}', "id=[1]"),
        (b'{"id": {"a": 1}}', "id={}"),
        (b'{"data": {"id": 1}}', "id=1"),
        (b'{"id": 1', "id=1"),
        (b'{"id": 1} {', "id=1"),
        (b"[1]", "id=1"),
        (b"[1]", "[1]=1"),
        (b'{"id": 1}', "[0]=1"),
        (b'{"id": 1}', "id.x=1"),
        (b"", "id=1"),
        (b'{"id": "\xff"}', "id=1"),
        (b"[" * 100_000, "[0][0]=1"),
        (b"[" * 100_000, "[*][0]=1"),
        (b"[]", "$[*].T=ok"),
        (b"[]", "$[*].T absent"),
        (b'["y", "x"]', "$[-1]=y"),
        (b'[{"T": "ok"}, {"T": "ok"}]', "$[*].T!=ok"),
        (b'{"T": "ok"}', "$[*].T=ok"),
        (b'[[{"T": "ok"}]]', "$[*].T=ok"),
        (b'[{"T": "\xff"}]', "$[*].T=ok"),
    ],
)
def test_a_condition_does_not_hold(message: bytes, condition: str) -> None:
    assert not says(message, [parse_message_condition(condition)])


def test_all_conditions_on_elements_must_hold_of_the_same_one() -> None:
    texts = ("$[*].T=error", "$[*].code=402", "$[0].v=1")
    conditions = [parse_message_condition(text) for text in texts]
    assert says(b'[{"v":1}, {"T":"error","code":402}]', conditions)
    assert not says(b'[{"v":1}, {"T":"error","code":407}, {"T":"ok","code":402}]', conditions)
    assert not says(b'[{"v":2}, {"T":"error","code":402}]', conditions)
    both = [parse_message_condition(text) for text in ("$.a[*]=1", "$.b[*]=2")]
    assert says(b'{"a":[0,1], "b":[2]}', both)
    assert not says(b'{"a":[0,1], "b":[1]}', both)


def test_all_conditions_must_hold() -> None:
    conditions = [parse_message_condition("id=1"), parse_message_condition("ok=true")]
    assert says(b'{"ok": true, "id": 1}', conditions)
    assert not says(b'{"ok": false, "id": 1}', conditions)
    assert says(b"anything", [])


@given(st.binary())
def test_no_message_is_an_error(message: bytes) -> None:
    assert not says(message, [parse_message_condition("a.b[0]=x")])


def test_a_long_subscription_is_shortened() -> None:
    said = str(NoReply(Subscription('{"key":\n "${KEY}"}' + "x" * 1000, (), 2.5)))
    assert said == 'no reply for 2.5s to the subscription {"key": "***"}' + "x" * 65 + "…"


LOGIN = Subscription('{"key":"${KEY}"}', ())


def asking(*symbols: str) -> Subscription:
    return Subscription("{}", (), symbols=symbols)


@pytest.mark.parametrize(
    ("subscriptions", "refused", "is_refused"),
    [
        ([asking("A")], [0], True),
        ([asking("A"), asking("B")], [0], False),
        ([asking("A"), asking("B")], [0, 1], True),
        ([LOGIN, asking("A")], [0], True),
        ([LOGIN, asking("A")], [1], True),  # the login alone brings nothing
        ([LOGIN, asking("A"), asking("B")], [2], False),
        ([LOGIN], [0], True),
        ([LOGIN, asking("A")], [], False),
        ([], [], False),
    ],
)
def test_nothing_comes_without_a_login_or_anything_beside_it(
    subscriptions: list[Subscription], refused: list[int], is_refused: bool
) -> None:
    subscriber = Subscriber(
        *(cast(Any, None), cast(Any, None)),  # nothing is sent, nor waited for
        [(each, each.text) for each in subscriptions],
        refusals_in=lambda _: [],
        is_paused=lambda: False,
    )
    for number in refused:
        subscriber.refuse((), number, has_rows=False)
    assert subscriber.is_refused is is_refused


# An array may bring a reply, and something else


def of_elements(message: bytes) -> tuple[bool, bool]:
    """Whether a message is the reply and no more, and whether it is waited for no longer."""
    talk = Talk([], {})
    talk.subscriber = Subscriber(
        *(cast(Any, talk), cast(Any, talk)),
        [(Subscription("sub", (parse_message_condition("$[*].s=ok,no"),)), "sub")],
        refusals_in=lambda message: parts_where(message, [parse_message_condition("$[*].s=no")]),
        is_paused=lambda: False,
    )

    async def run() -> tuple[bool, bool]:
        asking = asyncio.create_task(talk.subscriber.run())
        await asyncio.sleep(0)
        assert talk.awaited is not None
        taken = talk.awaited[0](message)
        is_over = talk.awaited[1].done()
        asking.cancel()
        return taken, is_over

    try:
        return talk.loop.run_until_complete(run())
    finally:
        talk.loop.close()


@pytest.mark.parametrize(
    ("message", "is_reply_alone", "is_waited_for"),
    [
        (b'[{"s": "ok"}]', True, True),  # whoever asks ends the wait
        (b' [{"s":"ok","n":1}, {"s":"ok","n":2}] ', True, True),
        (b'[{"s":"ok"}, {"s":"no"}]', False, False),
        (b'[{"p":1.5}, {"s":"ok"}]', False, False),
        (b'[{"s":"no"}]', False, True),
        (b'[{"s":"no"}, {"p":1.5}]', False, True),
        (b'[{"p":1.5}]', False, True),
        (b'{"s":"ok"}', False, True),
    ],
)
def test_a_reply_in_an_array_costs_nothing_of_what_else_is_in_it(
    message: bytes, is_reply_alone: bool, is_waited_for: bool
) -> None:
    assert of_elements(message) == (is_reply_alone, not is_waited_for)


def test_one_symbol_of_a_list_is_not_all_of_it_whoever_refuses_it() -> None:
    """Where the subscription itself says what a refusal is, and the refusal names a symbol."""
    subscriber = Subscriber(
        *(cast(Any, None), cast(Any, None)),  # nothing is sent, nor waited for
        [(each, each.text) for each in [asking("A", "B")]],
        refusals_in=lambda _: [],
        is_paused=lambda: False,
    )
    assert subscriber.refuse(["B"], 0, has_rows=False).subscription == 0
    assert not subscriber.is_refused
    subscriber.refuse(["A"], 0, has_rows=False)
    assert subscriber.is_refused


# What is refused is sent again; by a clock that jumps to whatever is next


class Jumping(asyncio.SelectorEventLoop):
    """A loop in which nobody waits: its clock goes on at once to when something is due."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        select = self._selector.select  # type: ignore[attr-defined]

        def look(timeout: float | None) -> Any:
            assert timeout is not None, "nothing would ever happen again"
            self.now += timeout
            return select(0)

        self._selector.select = look  # type: ignore[attr-defined]

    def time(self) -> float:
        return self.now


class Talk:
    """A subscriber, with what it sends, and a venue that answers each text at once.

    :param answers: what is said to each text, each time that it is sent; in the end the last again
        and again. A refusal is ``no``, and the symbols that it names.
    :param symbols: those that it may name.
    """

    def __init__(
        self,
        subscriptions: Sequence[Subscription],
        answers: dict[str, list[list[str]]],
        symbols: Sequence[str] = (),
        *,
        every: float = 0.0,
    ) -> None:
        self.sent: list[tuple[float, str]] = []
        self.granted: list[tuple[float, int, tuple[str, ...]]] = []
        self._answers = answers
        self._symbols = symbols
        self.awaited: tuple[Any, asyncio.Future[None]] | None = None
        self.loop = Jumping()
        self.subscriber = Subscriber(
            cast(Any, self),
            cast(Any, self),
            [(each, each.text) for each in subscriptions],
            refusals_in=lambda message: [None] if message.startswith(b'"no') else [],
            is_paused=lambda: False,
            every=every,
            retry_after=5.0,
            granted=lambda number, symbols: self.granted.append(
                (self.loop.now, number, tuple(symbols))
            ),
        )

    def send(self, kind: Any, text: str) -> None:
        self.sent.append((self.loop.now, text))
        there = self._answers.get(text, [[]])
        for message in there.pop(0) if len(there) > 1 else there[0]:
            self.loop.call_soon(self._say, message)

    def _say(self, message: str) -> None:
        if message.startswith("no"):
            symbols = [each for each in self._symbols if each in message.split()]
            self.subscriber.refuse(symbols, None, has_rows=False)
            return
        is_it, reply = self.awaited or (lambda _: False, self.loop.create_future())
        if is_it(f'"{message}"'.encode()) and not reply.done():
            reply.set_result(None)

    def wait_for(self, is_it: Any) -> asyncio.Future[None]:
        self.awaited = is_it, self.loop.create_future()
        return self.awaited[1]

    def run(self, seconds: float) -> None:
        """Subscribe, and go on for so long."""

        async def talk() -> None:
            await self.subscriber.run()
            await self.subscriber.retry()

        async def bounded() -> None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(talk(), seconds)

        try:
            self.loop.run_until_complete(bounded())
        finally:
            self.loop.close()


def answered(text: str, *symbols: str) -> Subscription:
    """A list of symbols in one text, or one of them; the reply is any ok."""
    reply = (parse_message_condition("$=ok"),)
    return Subscription(text, reply, 3.0, symbols=symbols, listed=symbols)


def test_what_is_refused_is_sent_again_until_it_is_granted() -> None:
    talk = Talk(
        [answered("A", "A"), answered("B", "B")], {"A": [["no"], ["no"], ["ok"]], "B": [["ok"]]}
    )
    talk.run(100.0)
    assert talk.sent == [(0.0, "A"), (0.0, "B"), (5.0, "A"), (15.0, "A")]
    assert talk.granted == [(15.0, 0, ("A",))]
    assert talk.subscriber.refused_things == 0


def test_all_may_be_refused_and_sent_again() -> None:
    talk = Talk([answered("A", "A")], {"A": [["no"]]})
    talk.run(14.0)
    assert talk.sent == [(0.0, "A"), (5.0, "A")]
    assert talk.subscriber.is_refused
    assert not talk.subscriber.is_hopeless


def test_of_a_list_only_the_symbols_that_are_refused_are_sent_again() -> None:
    answers = {"A,B,C": [["no B", "ok", "no C"]], "B,C": [["ok", "no C"]], "C": [["ok"]]}
    talk = Talk([answered("A,B,C", "A", "B", "C")], answers, "ABC")
    talk.run(100.0)
    assert talk.sent == [(0.0, "A,B,C"), (5.0, "B,C"), (16.0, "C")]
    assert talk.granted == [(6.0, 0, ("B",)), (16.0, 0, ("C",))]


def test_where_no_reply_is_described_it_is_granted_when_it_is_not_refused_again() -> None:
    subscriptions = [Subscription("A", symbols=("A",)), Subscription("B", symbols=("B",))]
    talk = Talk(subscriptions, {"A": [["no A"], ["no"], []]}, "AB")
    talk.run(100.0)
    assert talk.sent == [(0.0, "A"), (0.0, "B"), (5.0, "A"), (15.0, "A")]
    assert talk.granted == [(20.0, 0, ("A",))]


def test_what_is_sent_again_is_paced_as_well() -> None:
    subscriptions = [answered(each, each) for each in "ABC"]
    talk = Talk(subscriptions, {each: [["no"], ["ok"]] for each in "ABC"}, every=2.0)
    talk.run(100.0)
    assert [at for at, _ in talk.sent] == [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]


def test_a_reply_that_does_not_come_the_second_time_costs_no_connection() -> None:
    talk = Talk([answered("A", "A")], {"A": [["no"], [], ["ok"]]})
    talk.run(100.0)
    assert talk.sent == [(0.0, "A"), (5.0, "A"), (18.0, "A")]
    assert talk.granted == [(18.0, 0, ("A",))]


def test_a_login_is_not_sent_again() -> None:
    talk = Talk([LOGIN, answered("A", "A")], {LOGIN.text: [["no"]]})
    talk.run(100.0)
    assert [text for _, text in talk.sent] == [LOGIN.text]
    assert talk.subscriber.is_hopeless


def test_secrets_of_a_narrowed_text_stay_in_it() -> None:
    subscription = Subscription(
        "${KEY} <A>;<B>;<C>", symbols=("A", "B", "C"), listed=("<A>", "<B>", "<C>"), join=";"
    )
    assert subscription.narrowed("s3cret <A>;<B>;<C>", {"C", "A"}) == "s3cret <A>;<C>"
    assert subscription.narrowed("s3cret <A>;<B>;<C>", ()) == "s3cret <A>;<B>;<C>"
    assert Subscription("x A", symbols=("A",)).narrowed("x A", {"A"}) == "x A"
