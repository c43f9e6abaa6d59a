from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fastingest.demo.settings import DemoSettings, parse


@pytest.mark.parametrize("url", ["demo://", "demo:///", "demo://?", "DEMO://", "demo:///?"])
def test_defaults(url: str) -> None:
    assert parse(url) == DemoSettings(
        rate=10_000, symbols=50, burst=10, drop_every=None, sequence=False, rows=None, seed=0
    )


def test_every_parameter() -> None:
    url = "demo://?rate=0.5&symbols=7&burst=1&drop-every=500ms&sequence=1&rows=12&seed=-3"
    assert parse(url) == DemoSettings(
        rate=0.5, symbols=7, burst=1, drop_every=0.5, sequence=True, rows=12, seed=-3
    )


@pytest.mark.parametrize(("text", "seconds"), [("30s", 30), ("10ms", 0.01), ("2m", 120)])
def test_drop_every_has_a_unit(text: str, seconds: float) -> None:
    assert parse(f"demo://?drop-every={text}").drop_every == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        *(
            ("rate", value, "above 0")
            for value in ("0", "-1", "10000001", "nan", "inf", "fast", "")
        ),
        *(("symbols", value, "from 1 to 10000") for value in ("0", "10001", "1.5", "")),
        *(("burst", value, "from 1") for value in ("0.9", "1001", "nan", "big")),
        *(("drop-every", value, "from 10ms") for value in ("30", "0s", "9ms", "2d", "soon", "")),
        *(("sequence", value, "0 or 1") for value in ("2", "yes", "true", "")),
        *(("rows", value, "from 1") for value in ("0", "-1", "1e3", "")),
        *(("seed", value, "whole number") for value in ("x", "0.5", str(2**64), "")),
    ],
)
def test_a_bad_value_is_named(name: str, value: str, allowed: str) -> None:
    with pytest.raises(ValueError, match=r"^the demo URL's parameter [^\n]*$") as caught:
        parse(f"demo://?seed=1&{name}={value}" if name != "seed" else f"demo://?seed={value}")
    assert f"parameter {name!r} is {value!r}, but must be " in str(caught.value)
    assert allowed in str(caught.value)


@pytest.mark.parametrize(
    ("url", "found"),
    [
        (
            "demo://?speed=1",
            "'speed' is unknown; it may be one of rate, symbols, burst, drop-every",
        ),
        ("demo://?drop_every=1s", "'drop_every' is unknown"),
        ("demo://?rate=1&rate=2", "'rate' is there twice"),
        ("demo://localhost?rate=1", "'localhost'"),
        ("demo://localhost:9000/", "'localhost:9000/'"),
        ("demo:///feed", "'/feed'"),
        ("demo://rate=1", "'rate=1'"),
        ("demo:", "does not begin with demo://"),
        ("ws://127.0.0.1/", "does not begin with demo://"),
    ],
)
def test_a_bad_url_is_named(url: str, found: str) -> None:
    with pytest.raises(ValueError, match=re.escape(found)):
        parse(url)


@given(st.text())
@example("[")
@example("?rate=%ff")
@example("?seed=" + "9" * 5000)
def test_any_text_is_read_or_refused_with_a_value_error(text: str) -> None:
    try:
        found = str(parse(f"demo://{text}"))
    except ValueError as error:
        found = str(error)
    assert found.startswith(("DemoSettings(", "the demo URL"))
