from __future__ import annotations

import asyncio
import base64
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from fastingest import OptionError, Options
from fastingest.access.endpoint import Endpoint, access_to, check_feed, proxy_to
from fastingest.model.feed import Answer, Feed, Heartbeat, Subscription, Table

SECRET = "pass/wörd:@"


@pytest.fixture(autouse=True)
def _variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", SECRET)
    monkeypatch.setenv("TOKEN", "abc+/=")
    monkeypatch.setenv("LINES", "a\nb")
    monkeypatch.delenv("MISSING", raising=False)


def feed(url: str = "wss://host/", **more: Any) -> Feed:
    return Feed("name", url, (Table(Path("out.csv")),), **more)


def read(feed: Feed) -> Endpoint:
    return asyncio.run(access_to(feed))


def basic(pair: str) -> tuple[str, str]:
    return "Authorization", "Basic " + base64.b64encode(pair.encode()).decode()


@pytest.mark.parametrize(
    ("url", "target", "pair"),
    [
        ("wss://me:pw@host:8443/x?a=b", "wss://host:8443/x?a=b", "me:pw"),
        ("wss://me:${KEY}@host/", "wss://host/", f"me:{SECRET}"),
        ("ws://m%20e:p%C3%A9%3A@[::1]:9/", "ws://[::1]:9/", "m e:pé:"),
        ("wss://${TOKEN}@host/", "wss://host/", "abc+/=:"),
        ("wss://me:p@w@host/", "wss://host/", "me:p@w"),
    ],
)
def test_user_info_becomes_a_header_and_is_no_part_of_the_url(
    url: str, target: str, pair: str
) -> None:
    access = read(feed(url, headers=("X-Key: a",)))
    assert access.url == target
    assert access.headers == (("X-Key", "a"), basic(pair))


def test_texts_get_their_secrets_and_the_values_are_told() -> None:
    access = read(
        feed(
            "wss://bücher.example:90/?t=${TOKEN}",
            headers=("X-Key: ${TOKEN}", "X-Other: a:b"),
            subscriptions=(Subscription("${KEY}"), Subscription("plain")),
            heartbeats=(Heartbeat("ping ${TOKEN}", 1.0),),
            answers=(Answer((), '{"pong":{$.ping},"key":"${KEY}"}'),),
            proxy="http://me:${KEY}@proxy",
        )
    )
    assert access == Endpoint(
        url="wss://xn--bcher-kva.example:90/?t=abc+/=",
        headers=(("X-Key", "abc+/="), ("X-Other", "a:b")),
        subscriptions=(SECRET, "plain"),
        heartbeats=("ping abc+/=",),
        answers=(f'{{"pong":{{$.ping}},"key":"{SECRET}"}}',),
        proxy=access.proxy,
        values=access.values,
    )
    assert {SECRET, "abc+/="} < access.values
    assert access.proxy is not None
    assert (access.proxy.user, access.proxy.password) == ("me", SECRET)


@pytest.mark.parametrize(
    ("written", "url"),
    [
        ("http://proxy", "http://proxy:80"),
        ("https://proxy:3128", "https://proxy:3128"),
        ("socks4://[::1]", "socks4://[::1]:1080"),
        ("socks5://me@proxy", "socks5://me:@proxy:1080"),
        ("socks5://me:${TOKEN}@proxy:99", "socks5://me:abc%2B%2F%3D@proxy:99"),
        ("http://me:${KEY}@proxy:99", "http://me:pass%2Fw%C3%B6rd%3A%40@proxy:99"),
    ],
)
def test_a_proxy_is_whole(written: str, url: str) -> None:
    proxy = read(feed(proxy=written)).proxy
    assert proxy is not None
    assert proxy.url == url


@pytest.mark.parametrize(
    ("proxy", "variable", "url"),
    [
        (None, "socks5h://me:a%2Fb@there:99", "socks5://me:a%2Fb@there:99"),
        (None, "there", "http://there:80"),
        (None, "", None),
        ("http://here", "there", "http://here:80"),
        ("off", "there", None),
        ("OFF", "there", None),
        ("", "there", None),
    ],
)
def test_where_no_proxy_is_named_the_environment_does(
    monkeypatch: pytest.MonkeyPatch, proxy: str | None, variable: str, url: str | None
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", variable)
    access = read(feed(proxy=proxy))
    assert (access.proxy and access.proxy.url) == url
    assert ("a/b" in access.values) == ("a%2Fb" in (url or ""))
    assert proxy_to(feed(proxy=proxy), "ws://host/", access)[0] == (access.proxy if proxy else None)


def test_nothing_is_put_into_a_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://me:${KEY}@there")
    proxy = read(feed()).proxy
    assert proxy is not None
    assert proxy.password == "${KEY}"
    monkeypatch.setenv("HTTPS_PROXY", "ftp://me:s3cret@there")
    with pytest.raises(OptionError) as error:
        check_feed(feed())
    assert str(error.value).startswith(
        "--proxy: HTTPS_PROXY in the environment: 'ftp://***@there' must be http://"
    )


@pytest.mark.parametrize(
    ("more", "option", "says"),
    [
        ({"url": "wss://host/?k=${MISSING}"}, "url", "the environment variable MISSING is not set"),
        ({"url": "wss://host/${LINES}"}, "url", "'wss://host/***' holds a space or a control"),
        ({"url": "wss://host:${KEY}/"}, "url", "'wss://host:***/' is malformed"),
        ({"url": "wss://me:pa/ss@host/"}, "url", "'wss://***@host/' is malformed"),
        ({"url": "${KEY}"}, "url", "'***' must begin with ws://"),
        ({"url": "wss://a%3Ab:c@host/"}, "url", "may not hold a colon"),
        ({"url": "wss://a:b%0Ac@host/"}, "url", "hold what is no UTF-8 text"),
        ({"url": "wss://a:b%FF@host/"}, "url", "hold what is no UTF-8 text"),
        ({"url": "wss://a:b@host/", "headers": ("authorization: c",)}, "header", "keep one"),
        ({"headers": ("X: ${MISSING}",)}, "header", "variable MISSING is not set"),
        ({"headers": ("X: ${LINES}",)}, "header", "the value of 'X' holds a character"),
        ({"headers": ("X: ${KEY}",)}, "header", "the value of 'X' holds a character"),
        ({"subscriptions": (Subscription("${MISSING}"),)}, "subscribe", "MISSING is not set"),
        ({"heartbeats": (Heartbeat("${file:/no/where}", 1),)}, "heartbeat", "/no/where: No such"),
        ({"proxy": "http://me:${MISSING}@proxy"}, "proxy", "MISSING is not set"),
        ({"proxy": "http://me:pw@proxy:${KEY}"}, "proxy", "'http://***@proxy:***' must be"),
        ({"proxy": "socks5://me:${KEY}@proxy"}, "proxy", "must be ASCII"),
        ({"proxy": "ftp://me:pw@proxy"}, "proxy", "'ftp://***@proxy' must be http://"),
        ({"ca_file": Path("/no/where")}, "ca_file", "No such file"),
        ({"cert_file": Path("/no/where")}, "cert_file", "No such file"),
        ({"key_file": Path("/no/where")}, "key_file", "name its certificate"),
    ],
)
def test_what_cannot_be_connected_to_is_refused(
    more: dict[str, Any], option: str, says: str
) -> None:
    with pytest.raises(OptionError) as error:
        check_feed(feed(**more))
    assert error.value.option == option
    assert says in str(error.value)
    for secret in (SECRET, "pa/ss", "pw", "b%0Ac"):
        assert secret not in str(error.value)


def test_options_refuse_a_secret_that_is_not_there() -> None:
    with pytest.raises(OptionError, match="--header: the environment variable MISSING is not set"):
        Options(url=("wss://host/",), header=("X-Key: ${MISSING}",))
    with pytest.raises(OptionError, match="--url: the environment variable MISSING is not set"):
        Options(url=("wss://${MISSING}/",))
    options = Options(url=("wss://me:${KEY}@host/",))
    assert options.feeds[0].url == "wss://me:${KEY}@host/"  # as it was written


PYTHON = f"{sys.executable} -c"
COUNT = """'import sys; print(open(sys.argv[1], "a").write("x"), open(sys.argv[1]).read())'"""


def test_commands_are_run_at_each_connect_once_and_what_they_print_is_a_secret(
    tmp_path: Path,
) -> None:
    calls = tmp_path / "calls"
    command = f"${{command:{PYTHON} {COUNT} {calls}}}"
    described = feed(headers=(f"X-Token: {command}",), subscriptions=(Subscription(command),))
    for number in (1, 2):
        access = read(described)
        assert access.headers == (("X-Token", "1 " + "x" * number),)
        assert access.subscriptions == ("1 " + "x" * number,)
        assert access.values == {"1 " + "x" * number}


def test_all_texts_of_a_connect_have_one_time_which_is_no_secret() -> None:
    before = time.time_ns() // 10**6
    access = read(
        feed(
            "wss://host/?t=${now:ms}",
            headers=("T: ${now:s}", "U: ${now: us }"),
            subscriptions=(Subscription("${command:echo '${now:ms} ${now:ns}'}"),),
            heartbeats=(Heartbeat("${now:ms}", 1.0),),
        )
    )
    now = int(access.url.partition("=")[2])
    assert before <= now <= time.time_ns() // 10**6
    assert access.headers[0] == ("T", str(now // 1000))
    assert access.headers[1][1][:-3] == access.heartbeats[0] == str(now)
    inside, _, nanoseconds = access.subscriptions[0].partition(" ")
    assert inside == nanoseconds[:-6] == str(now)
    assert access.values == {access.subscriptions[0]}


def test_what_stands_in_a_command_is_read_first_and_never_becomes_another_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ODD", "a  'b\" $HOME; echo c")
    (tmp_path / "f").write_text("in a file")
    words = (
        f"""'import sys; print(sys.argv[1:], {{"a": {{}}}})' -${{ODD}}- ${{file:{tmp_path}/f}}"""
    )
    access = read(feed(subscriptions=(Subscription(f"${{command:{PYTHON} {words}}}"),)))
    assert access.subscriptions == (str(["-a  'b\" $HOME; echo c-", "in a file"]) + " {'a': {}}",)
    assert {"a  'b\" $HOME; echo c", "in a file"} < access.values


def test_a_command_may_stand_in_a_command_and_make_the_whole_url() -> None:
    url = "${command:echo wss://host/${shell:printf %s ${now:s} | wc -c | tr -d ' '}}?a=b"
    assert read(feed(url)).url == "wss://host/10?a=b"
    check_feed(feed(url, proxy="${command:echo http://proxy}"))
    proxy = read(feed(proxy="${command:echo http://proxy}")).proxy
    assert proxy is not None
    assert proxy.url == "http://proxy:80"


def test_a_check_runs_no_command(tmp_path: Path) -> None:
    made = tmp_path / "made"
    text = f"${{command:touch {made}}} ${{shell:touch {made}}}"
    check_feed(feed(f"wss://host/?t={text.replace('} ${', '}${')}", headers=(f"A: {text}",)))
    assert not made.exists()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("${command:}", "${command:} names no command"),
        ("${shell: }", "${shell:} names no command"),
        ("${command:''}", "begins with an empty word"),
        ("${command:echo 'a}", "has words that are not whole: No closing quotation"),
        ("${command:echo {}", "has no } behind it"),
        ("${command:fi-no-such-program x}", "'fi-no-such-program' is not there; install it"),
        ("${command:echo ${MISSING}}", "the environment variable MISSING is not set"),
        ("${command:echo ${now:h}}", "${now:h} names no unit; write ${now:s} or ${now:ms}"),
        ("${now:}", "${now:} names no unit"),
        ("${shell:echo ${TOKEN}}", "write $NAME or $(cat PATH) there"),
    ],
)
def test_what_can_be_no_command_is_refused_before_a_run(text: str, says: str) -> None:
    with pytest.raises(OptionError) as error:
        check_feed(feed(headers=(f"A: {text}",)))
    assert error.value.option == "header"
    assert says in error.value.problem


def test_a_command_that_fails_is_a_reason_without_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FI_OWN", "only the command reads it")
    said = "echo ignored >&2; echo got $1 and $FI_OWN >&2; exit 7"
    with pytest.raises(OptionError) as error:
        read(feed(headers=(f"A: ${{command:sh -c '{said}' - ${{TOKEN}}}}",)))
    assert error.value.option == "header"
    assert error.value.problem == "the command 'sh' ended with status 7: got *** and ***"
