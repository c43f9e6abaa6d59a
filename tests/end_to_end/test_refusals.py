"""The real command against venues that refuse, or ask for something."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tests.end_to_end.command import Command, wait_until
from tests.peers.venue import (
    Client,
    Desk,
    Rate,
    Step,
    Venue,
    accept,
    drop,
    every,
    hear,
    send,
    stream,
)

QUICK = ["--reconnect-initial", "50ms", "--reconnect-max", "100ms", "--flush-interval", "50ms"]
ROW = '{"e":"t","s":"{symbol}","p":1.5}'


def config(folder: Path, url: str, more: str) -> list[str]:
    """The arguments for a feed whose rows have a symbol and a price."""
    path = folder / "feed.toml"
    path.write_text(
        f'name = "venue"\nurl = "{url}"\ncolumns = ["s", "p:float"]\nwhere = ["$.e=t"]\n{more}\n',
        encoding="utf-8",
    )
    return ["--config", str(path), "--out", str(folder / "o.csv"), *QUICK]


def ledger_of(folder: Path) -> dict[str, Any]:
    (line,) = (folder / "o.csv.ledger.jsonl").read_text("utf-8").splitlines()
    ledger: dict[str, Any] = json.loads(line)
    return ledger


def refusals(command: Command) -> list[dict[str, Any]]:
    return [entry for entry in command.events if entry["event"] == "refused by the feed"]


def symbols_in(folder: Path) -> set[str]:
    lines = (folder / "o.csv").read_text("utf-8").splitlines()
    return {line.partition(",")[0] for line in lines[1:]}


def subscribing(*symbols: str) -> str:
    """A feed that asks for each symbol alone, and waits for the reply."""
    return f"""
subscribe = {{send = '{{"sub":"{{symbol}}"}}', reply = ["$.e=ok", "$.s={{symbol}}"]}}
symbols = {json.dumps(symbols)}
refused = [["$.e=error"], ["$.success=false"]]
"""


def desk(**refused: str) -> Desk:
    return Desk(re.compile(r'"sub":"(\w+)"'), '{"e":"ok","s":"{symbol}"}', refused)


def refusing(times: int, words: str) -> Step:
    """Refuse what is asked for so often, then grant it."""

    async def step(client: Client) -> None:
        for number in range(1, times + 1):
            await client.until(lambda number=number: len(client.said) >= number)  # type: ignore[misc]
            await client.send(words)
        await client.until(lambda: len(client.said) > times)
        await client.send(
            '{"e":"ok","s":"BTC"}',
        )
        client.granted.append("BTC")

    return step


def has_symbols(folder: Path, *symbols: str) -> bool:
    return (folder / "o.csv").exists() and symbols_in(folder) >= set(symbols)


def test_a_bad_symbol_is_named_and_the_others_are_captured(tmp_path: Path) -> None:
    words = '{"e":"error","channel":"","data":{"message":"Incorrect channel: trades_luna"}}'
    with (
        Venue([accept(), stream(0.05, ROW)], desk=desk(LUNA=words)) as venue,
        Command(*config(tmp_path, venue.url, subscribing("BTC", "LUNA", "ETH"))) as command,
    ):
        wait_until(lambda: has_symbols(tmp_path, "BTC", "ETH"))
        summary = command.stop(3)
        assert len(venue.clients) == 1
    (refusal,) = refusals(command)
    assert (refusal["level"], refusal["said"], refusal["symbols"]) == ("warning", words, "LUNA")
    assert summary["refused"] == summary["feeds"][0]["refused"] == 1
    assert summary["gaps"] == 0
    ledger = ledger_of(tmp_path)
    assert ledger["refused"] == ledger["feeds"][0]["refused"] == 1
    last = command.events[-1]
    assert last["error"] == "CaptureIncomplete"
    assert last["event"].startswith("venue has refused 1 thing: the log has the words")


def test_what_comes_too_fast_is_refused_and_each_symbol_is_named(tmp_path: Path) -> None:
    symbols = [f"S{number}" for number in range(25)]
    with (
        Venue(
            [accept(), stream(0.05, ROW)],
            desk=desk(),
            messages=Rate(15, 3600.0),
            too_fast='{"error":"Exceeded msg rate","success":false}',
        ) as venue,
        Command(*config(tmp_path, venue.url, subscribing(*symbols))) as command,
    ):
        wait_until(lambda: has_symbols(tmp_path, *symbols[:15]))
        command.wait_for("refused by the feed", 2)
        command.stop(3)
        assert len(venue.clients) == 1
    named = [name for entry in refusals(command) for name in entry["symbols"].split()]
    assert named == symbols[15:]
    assert len(refusals(command)) == 2


def test_strict_ends_the_run_with_the_words(tmp_path: Path) -> None:
    arguments = subscribing("BTC", "LUNA", "ETH")
    with (
        Venue([accept(), stream(0.05, ROW)], desk=desk(LUNA='{"e":"error","m":"no"}')) as venue,
        Command(*config(tmp_path, venue.url, arguments), "--strict") as command,
    ):
        assert command.wait() == 2
        assert command.events[-1]["event"] == f'{venue.url}: it refuses: {{"e":"error","m":"no"}}'


def test_a_run_that_is_refused_all_of_it_at_first_ends_with_the_words(tmp_path: Path) -> None:
    refused = dict.fromkeys(("A", "B"), '{"e":"error","m":"no"}')
    with (
        Venue([accept()], desk=desk(**refused)) as venue,
        Command(*config(tmp_path, venue.url, subscribing("A", "B"))) as command,
    ):
        assert command.wait() == 2
        assert command.events[-1]["event"] == f'{venue.url}: it refuses: {{"e":"error","m":"no"}}'
        assert venue.clients[0].texts == ['{"sub":"A"}', '{"sub":"B"}']
    assert refusals(command)[0]["symbols"] == "A"


TOO_FAST = '{"e":"error","m":"rate limit exceeded"}'


def test_what_is_refused_is_asked_for_again_until_it_is_granted(tmp_path: Path) -> None:
    more = f'{subscribing("BTC")}retry-refused = "200ms"'
    with (
        Venue([accept(), refusing(2, TOO_FAST), stream(0.05, ROW)]) as venue,
        Command(*config(tmp_path, venue.url, more)) as command,
    ):
        wait_until(lambda: has_symbols(tmp_path, "BTC"))
        summary = command.stop(0)
        (client,) = venue.clients
    moments = [at for at, _ in client.said]
    assert client.texts == ['{"sub":"BTC"}'] * 3
    assert moments[1] - moments[0] >= 0.2
    assert moments[2] - moments[1] >= 0.4
    (refusal,) = refusals(command)
    assert refusal["said"] == TOO_FAST
    (granted,) = [each for each in command.events if each["event"] == "granted by the feed"]
    assert (granted["level"], granted["symbols"]) == ("info", "BTC")
    assert summary["refused"] == ledger_of(tmp_path)["refused"] == 2
    (gap,) = ledger_of(tmp_path)["gaps"]
    assert gap["reason"] == f"it refuses: {TOO_FAST}"


def test_what_is_never_granted_is_refused_at_the_end(tmp_path: Path) -> None:
    more = f'{subscribing("BTC", "LUNA")}retry-refused = "50ms"'
    words = '{"e":"error","m":"no LUNA"}'
    with (
        Venue([accept(), stream(0.05, ROW)], desk=desk(LUNA=words)) as venue,
        Command(*config(tmp_path, venue.url, more)) as command,
    ):
        venue.wait_for(lambda: bool(venue.clients) and len(venue.clients[0].said) >= 4)
        wait_until(lambda: has_symbols(tmp_path, "BTC"))
        command.stop(3)
        (client,) = venue.clients
    assert client.texts[:4] == ['{"sub":"BTC"}', *['{"sub":"LUNA"}'] * 3]
    assert len(refusals(command)) == 1
    assert command.events[-1]["event"].startswith("venue has refused 1 thing: the log has")


def test_all_may_be_refused_at_first_where_it_is_asked_for_again(tmp_path: Path) -> None:
    more = f'{subscribing("BTC")}retry-refused = "50ms"'
    with (
        Venue([accept()], desk=desk(BTC=TOO_FAST)) as venue,
        Command(*config(tmp_path, venue.url, more)) as command,
    ):
        venue.wait_for(lambda: bool(venue.clients) and len(venue.clients[0].said) >= 3)
        command.signal(15)
        assert command.wait() == 3
        assert len(venue.clients) == 1
    assert f"it refuses: {TOO_FAST}" in command.events[-1]["event"]


AUTH = '[{"T":"error","code":402,"msg":"auth failed"}]'
KEYS = {"APCA_API_KEY_ID": "key-7f3a", "APCA_API_SECRET_KEY": "secret-9b1c"}


def test_a_feed_that_cannot_log_in_says_why(tmp_path: Path) -> None:
    """Without a word of it in the feed's description: the sample is quoted."""
    more = """
subscribe = [
    {send = '["${APCA_API_KEY_ID}","${APCA_API_SECRET_KEY}"]', reply = ["$[0].T=success"]},
    {send = '{"sub":[{symbols}]}', reply = ["$[0].T=subscription"]},
]
symbols = ["A"]
"""
    with (
        Venue([accept(), hear(), send(AUTH)]) as venue,
        Command(*config(tmp_path, venue.url, more), environment=KEYS) as command,
    ):
        assert command.wait_for("ignored message")["said"] == AUTH
        lost = command.wait_for("no connection")
        no_rows = command.wait_for("no rows")
        command.signal(15)
        command.wait()
    assert re.fullmatch(
        rf"no reply for 10s to .*; the server said: {re.escape(AUTH)}", lost["reason"]
    )
    assert no_rows["said"] == AUTH
    assert "secret-9b1c" not in json.dumps(command.events)


def test_a_reply_that_does_not_come_may_be_refused_for_one_symbol(tmp_path: Path) -> None:
    """That it refuses the others as well, the venue does not say."""
    said = '{"error":"unknown symbol B"}'
    more = """
subscribe = [{send = '{"sub":[{symbols}]}', reply = ["$.ok"], timeout = "200ms"}]
refused = ["$.error"]
symbols = ["A", "B"]
"""
    with (
        Venue([accept(), hear(), send(said)]) as venue,
        Command(*config(tmp_path, venue.url, more)) as command,
    ):
        reason = command.wait_for("no connection")["reason"]
        command.signal(15)
        command.wait()
    assert reason.startswith("no reply for 200ms to the subscription ")
    assert reason.endswith(f"; it refuses: {said}")


def test_a_feed_that_cannot_log_in_ends_the_run(tmp_path: Path) -> None:
    more = """
subscribe = [
    {send = '{"key":"${APCA_API_KEY_ID}"}', reply = ["$[0].T=success"], refused = ["$[0].T=error"]},
    {send = '{"sub":[{symbols}]}', reply = ["$[0].T=subscription"]},
]
symbols = ["A"]
"""
    with (
        Venue([accept(), hear(), send(AUTH)]) as venue,
        Command(*config(tmp_path, venue.url, more), environment=KEYS) as command,
    ):
        assert command.wait() == 2
        assert command.events[-1]["event"] == f"{venue.url}: it refuses: {AUTH}"
        assert venue.clients[0].texts == ['{"key":"key-7f3a"}']


def test_what_the_server_said_last_is_why_a_connection_was_no_use(tmp_path: Path) -> None:
    said = '{"type":"error","code":401,"data":"token is expired"}'
    with (
        Venue([accept(), send(said), drop()]) as venue,
        Command("--url", venue.url, "--out", tmp_path / "o.csv", *QUICK) as command,
    ):
        reason = command.wait_for("no connection")["reason"]
        command.signal(15)
        command.wait()
    assert reason.endswith(f"; the server said: {said}")


def test_a_server_that_asks_for_another_connection_gets_one(tmp_path: Path) -> None:
    ask = '{"type":"info","code":20051,"msg":"Stopping. Please try to reconnect"}'
    row = ROW.replace("{symbol}", "A")

    async def other_connection(client: Client) -> None:
        await client.until(lambda: client.has_left)

    first: list[Step] = [accept(), send(row, ask), every(0.1, '{"type":"hb"}')]
    with (
        Venue(first, [accept(), send(row), other_connection]) as venue,
        Command(
            *config(tmp_path, venue.url, 'reconnect = ["$.type=info", "$.code=20051"]'),
            *("--max-rows", 2),
        ) as command,
    ):
        summary = command.summary()
    assert summary["written"] == 2
    (gap,) = ledger_of(tmp_path)["gaps"]
    assert gap["reason"] == f"the server asked for another connection: {ask}"


def test_what_must_be_answered_is(tmp_path: Path) -> None:
    async def ping(client: Client) -> None:
        await client.send('{"ping":1000}')
        await client.until(lambda: '{"pong":1000}' in client.texts)

    with (
        Venue([accept(), ping, send(ROW)]) as venue,
        Command(
            *config(
                tmp_path,
                venue.url,
                """answer = {when = ["$.ping"], send = '{"pong":{$.ping}}'}""",
            ),
            *("--max-rows", 1),
        ) as command,
    ):
        assert command.summary()["written"] == 1
