from __future__ import annotations

import os

import pytest

from fastingest.access.environment import environment_proxy


@pytest.fixture(autouse=True)
def _nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name == "REQUEST_METHOD":
            monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("url", "variables", "name"),
    [
        ("wss://h/", {}, None),
        ("wss://h/", {"https_proxy": "p"}, "https_proxy"),
        ("wss://h/", {"HTTPS_PROXY": "p"}, "HTTPS_PROXY"),
        ("wss://h/", {"HTTPS_PROXY": "p", "https_proxy": "q"}, "https_proxy"),
        ("wss://h/", {"HTTPS_PROXY": " ", "ALL_PROXY": "q"}, "ALL_PROXY"),
        ("wss://h/", {"ALL_PROXY": "p", "HTTPS_PROXY": "q"}, "HTTPS_PROXY"),
        ("wss://h/", {"wss_proxy": "p", "https_proxy": "q"}, "wss_proxy"),
        ("wss://h/", {"HTTP_PROXY": "p", "ws_proxy": "q"}, None),
        ("ws://h/", {"HTTPS_PROXY": "p"}, None),
        ("ws://h/", {"HTTP_PROXY": "p"}, "HTTP_PROXY"),
        ("ws://h/", {"HTTP_PROXY": "p", "WS_PROXY": "q"}, "WS_PROXY"),
        ("ws://h/", {"HTTP_PROXY": "p", "REQUEST_METHOD": "GET"}, None),
        ("ws://h/", {"http_proxy": "p", "REQUEST_METHOD": "GET"}, "http_proxy"),
        ("ws://h/", {"all_proxy": "p"}, "all_proxy"),
        ("demo://", {"all_proxy": "p", "HTTP_PROXY": "p"}, None),
    ],
)
def test_the_scheme_says_which_variable_is_read(
    monkeypatch: pytest.MonkeyPatch, url: str, variables: dict[str, str], name: str | None
) -> None:
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    found = environment_proxy(url)
    assert (found and found[0]) == name
    if name is not None:
        assert found == (name, f"http://{variables[name]}")


@pytest.mark.parametrize(
    ("value", "proxy"),
    [
        ("proxy:3128", "http://proxy:3128"),
        ("me:pw@proxy", "http://me:pw@proxy"),
        ("HTTPS://Proxy", "https://Proxy"),
        ("socks5h://proxy:1080", "socks5://proxy:1080"),
        ("socks://proxy", "socks4://proxy"),
        ("ftp://proxy", "ftp://proxy"),
    ],
)
def test_a_value_may_be_as_short_as_it_is_elsewhere(
    monkeypatch: pytest.MonkeyPatch, value: str, proxy: str
) -> None:
    monkeypatch.setenv("ALL_PROXY", value)
    assert environment_proxy("wss://h/") == ("ALL_PROXY", proxy)


@pytest.mark.parametrize(
    ("said", "host", "is_direct"),
    [
        ("", "feed.example", False),
        ("*", "feed.example", True),
        ("feed.example", "feed.example", True),
        ("FEED.example", "Feed.Example.", True),
        ("example", "feed.example", True),
        (".example", "feed.example", True),
        ("*.example", "feed.example", True),
        (".feed.example", "feed.example", True),
        ("eed.example", "feed.example", False),
        ("a.feed.example", "feed.example", False),
        ("a, feed.example", "feed.example", True),
        ("a b\tfeed.example", "feed.example", True),
        ("feed.example:443", "feed.example", True),
        ("feed.example:444", "feed.example", False),
        ("feed.example:8443", "feed.example:8443", True),
        (",", "feed.example", False),
        (".", "feed.example", False),
        ("10.1.2.3", "10.1.2.3", True),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/16", "10.1.2.3", False),
        ("10.1.2.3:443", "10.1.2.3", True),
        ("2.3", "10.1.2.3", False),
        ("fe80::/10", "[fe80::1]", True),
        ("[fe80::1]", "[fe80::1]", True),
        ("[fe80::1]:443", "[fe80::1]", True),
        ("fe80::1", "[fe80::1]", True),
        ("fe80::/10", "10.1.2.3", False),
        ("", "localhost", True),
        ("", "127.0.0.1:9999", True),
        ("", "[::1]", True),
    ],
)
@pytest.mark.parametrize("name", ["no_proxy", "NO_PROXY"])
def test_hosts_are_left_out(
    monkeypatch: pytest.MonkeyPatch, name: str, said: str, host: str, is_direct: bool
) -> None:
    monkeypatch.setenv("ALL_PROXY", "proxy")
    monkeypatch.setenv(name, said)
    assert (environment_proxy(f"wss://{host}/") is None) == is_direct
