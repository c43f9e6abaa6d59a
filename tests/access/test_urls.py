from __future__ import annotations

import pytest

from fastingest import OptionError
from fastingest.access.urls import check_proxy, check_url, check_written_url, parse_header


def test_a_header_line_is_split_at_its_first_colon() -> None:
    assert parse_header("Authorization: Bearer a:b") == ("Authorization", "Bearer a:b")


def test_a_header_s_value_may_be_another_than_the_one_written() -> None:
    assert parse_header("X-Key: ${KEY}", " secret ") == ("X-Key", "secret")
    with pytest.raises(OptionError) as refused:
        parse_header("X-Key: ${KEY}", "sec\nret")
    assert refused.value.problem == "the value of 'X-Key' holds a character that no header may"


@pytest.mark.parametrize(
    ("written", "url", "problem"),
    [
        ("wss://${HOST}/", "wss://a b/", "'wss://***/' holds a space or a control character;"),
        ("wss://${HOST}/", "wss://[::1/", "'wss://***/' is malformed"),
        ("wss://[::1/", "wss://[::1/", "'wss://[::1/' is malformed: Invalid IPv6 URL"),
        ("${URL}", "https://host", "'***' must begin with ws://, wss:// or demo://"),
        ("wss://host/${PATH}", "wss://host/#x", "'wss://host/***' has a fragment"),
        ("wss://u:p@host:0/", "wss://u:p@host:0/", "'wss://***@host:0/': port 0 is no port"),
    ],
)
def test_what_is_no_url_is_shown_without_its_secrets(written: str, url: str, problem: str) -> None:
    with pytest.raises(OptionError) as refused:
        check_url(written, url)
    assert refused.value.option == "url"
    assert refused.value.problem.startswith(problem)
    assert (written == url) or "malformed:" not in refused.value.problem


@pytest.mark.parametrize(
    "url",
    [
        *("${URL}", "${SCHEME}://host", "wss://${HOST}/?k=${KEY}"),
        *("wss://${HOST}:${PORT}/", "wss://host:${PORT}", "wss://host:9${PORT}/${PATH}"),
        *("wss://${USER}:${KEY}@${HOST}:${PORT}/", "wss://[${HOST}]:${PORT}/"),
        *("wss://[fe80::${HOST}]/", "ws://${A}${B}.${HOST}:${A}${B}?a"),
    ],
)
def test_a_url_with_secrets_is_taken_as_far_as_it_can_be_told(url: str) -> None:
    check_written_url(url)


@pytest.mark.parametrize(
    "url",
    [
        *("http://${HOST}/", "wss://host/#${KEY}", "host", ""),
        *("wss://${HOST}:x${PORT}/", "wss://${HOST}:99999${PORT}/", "wss://[${HOST}/"),
    ],
)
def test_what_no_secret_can_make_a_url_is_refused_as_it_is_written(url: str) -> None:
    with pytest.raises(OptionError):
        check_written_url(url)


@pytest.mark.parametrize("proxy", ["http://h", "https://u:p@h:1", "socks4://h", "socks5://[::1]:9"])
def test_a_proxy_is_of_one_of_four_kinds(proxy: str) -> None:
    check_proxy(proxy, proxy)


@pytest.mark.parametrize("proxy", ["ftp://h", "http://", "http://h:x", "http://h h", "h:80", ""])
def test_what_is_no_proxy_is_shown_without_its_secrets(proxy: str) -> None:
    with pytest.raises(OptionError) as refused:
        check_proxy("${PROXY}", proxy)
    assert str(refused.value) == (
        "--proxy: '***' must be http://, https://, socks4:// or socks5:// and a host, or off"
    )
