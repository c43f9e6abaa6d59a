from __future__ import annotations

from typing import Any

import pytest

from fastingest.model.jsonpath import JsonPath
from fastingest.probe.tables.columns import (
    is_quantity,
    name_of,
    names_of_positions,
    type_of,
    unique,
)
from fastingest.probe.tables.field_profile import FieldProfile, Steps

NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("name", "values", "kind"),
    [
        ("flag", [True, False, None], "bool"),
        ("trade_id", [1, 2**70], "int"),
        ("tradeId", [1], "int"),
        ("price", [145], "number"),
        ("price", [145.5], "float"),
        ("price", [145.5, 145], "number"),
        ("price", ["145.5", "-0.5", "7"], "decimal"),
        ("price", ["145.5", 145, 1.5], "decimal"),
        ("price", ["145.5", "", "NaN"], "decimal"),
        ("price", ["007"], "str"),
        ("price", ["1e5"], "str"),
        ("symbol", ["600519"], "str"),
        ("orderID", ["123456"], "str"),
        ("note", ["x", "y"], "str"),
        ("price", ["x", 1], None),
        ("flag", [True, 1], None),
        ("flag", [True, "true"], None),
        ("any", [None], None),
        ("any", [{"a": 1}, 1], None),
        ("any", [[1]], "json"),
        ("any", [["@", "I"], [], None], "json"),
        ("any", [["x" * 1000]], None),
        ("any", [[]], None),
        ("text", ["x" * 1001], None),
    ],
)
def test_the_type_takes_all_that_was_seen(name: str, values: list[Any], kind: str | None) -> None:
    assert type_of(FieldProfile(values), name, NOW) == kind


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("time", 1_000_000_000, "timestamp[s]"),
        ("timestamp", "1000000000.25", "timestamp[s]"),
        ("eventTime", 1_000_000_000_000, "timestamp[ms]"),
        ("time_us", 1_600_000_000_000_000, "timestamp[us]"),
        ("ts", "1600000000000000000", "timestamp[ns]"),
        # of any name, but near now
        ("x", 1_699_999_999, "timestamp[s]"),
        ("x", 1_700_000_000_123, "timestamp[ms]"),
        ("x", 1_600_000_000_123, "number"),
        # a letter that may mean a time; ten digits may be anything
        ("T", 1_600_000_000_123, "timestamp[ms]"),
        ("t", 1_600_000_000, "number"),
        ("t", 4_012_345_678, "number"),
        # a position says nothing, thirteen digits and a fraction do
        (1, 1_600_000_000_123, "timestamp[ms]"),
        (2, "1600000000.1234", "timestamp[s]"),
        (2, 1_600_000_000, "number"),
        # what its magnitude says
        ("tms", 1_700_000_000_123, "timestamp[ms]"),
        ("microtimestamp", "1700000000123456", "timestamp[us]"),
        ("create_time_ms", "1606292218213.4578", "timestamp[ms]"),
        ("x", 1_699_990_000_123_456_789, "timestamp[ns]"),
        ("order_id", 1_690_000_000_123, "int"),
        # no moments
        ("time", 12, "number"),
        ("time", 0, "number"),
        ("time", 5_000_000_000, "number"),
        ("time", -1_600_000_000_000.5, "float"),
    ],
)
def test_a_number_is_a_moment_by_its_name_or_by_being_near(
    name: str | int, value: Any, kind: str
) -> None:
    assert type_of(FieldProfile([value]), name, NOW) == kind


def test_a_moment_that_is_zero_at_times_is_a_number() -> None:
    assert type_of(FieldProfile([1_600_000_000_123, 0]), "fundingTime", NOW) == "number"


@pytest.mark.parametrize(
    ("text", "is_moment"),
    [
        ("2023-09-25T07:48:36Z", True),
        ("2023-09-25t07:48:36.925533123z", True),
        ("2023-09-25 07:48:36+05:30", True),
        ("2023-09-25T07:48:36", True),
        ("2023-09-25 07:48:36.5+0530", True),
        ("2023-02-30T07:48:36Z", False),
        ("2023-09-25T24:00:00Z", False),
        ("2023-09-25", False),
    ],
)
def test_iso_8601_is_a_moment_if_it_has_a_time_and_a_date_that_there_is(
    text: str, is_moment: bool
) -> None:
    assert type_of(FieldProfile([text]), "x", NOW) == ("timestamp[iso]" if is_moment else "str")


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        (["2023-09-25T07:48:36.5Z", "2023-09-25T07:48:36Z"], "timestamp[iso:3]"),
        (["2023-09-25T07:48:36.123456Z", "2023-09-25T07:48:36.5Z"], "timestamp[iso:6]"),
        (["2023-09-25T07:48:36.1234567Z", "2023-09-25T07:48:36.5Z"], "timestamp[iso:9]"),
        (["2023-09-25T07:48:36.123Z", "2023-09-25T07:48:36.500Z"], "timestamp[iso]"),
        (["1534614057.321597", "1534614057.3215"], "timestamp[s:6]"),
        (["1606292218213.45", "1606292218213.4578"], "timestamp[ms:9]"),
    ],
)
def test_times_of_varying_digits_have_a_fixed_number_that_is_wide_enough(
    texts: list[str], kind: str
) -> None:
    assert type_of(FieldProfile(texts), "time", NOW) == kind


@pytest.mark.parametrize(
    ("rows", "names"),
    [
        ([["1.5", "2"], ["1.6", "300"]], {0: "price", 1: "size"}),
        ([["1.5", "2", "0", "13"], ["1.6", "3", "0", "5"]], {0: "price", 1: "size"}),
        # what is below zero at times is no price
        ([[401597395, -0.5, 7245.5], [401597396, 0.25, 7245]], {0: "id", 1: "size", 2: "price"}),
        ([["1.5"]], {}),
    ],
)
def test_positions_are_named_after_what_they_hold(
    rows: list[list[Any]], names: dict[int, str]
) -> None:
    seen = FieldProfile(rows)
    columns = {
        index: (type_of(each, index, NOW) or "", each) for index, each in seen.positions.items()
    }
    assert names_of_positions(columns) == names


@pytest.mark.parametrize(
    ("steps", "values", "kind", "in_root", "name"),
    [
        (("lastTradeID",), [1], "int", False, "last_trade_id"),
        (("HTTPStatus",), [1], "int", False, "http_status"),
        (("last", "price"), [1.5], "float", False, "last_price"),
        (("data", "arg", "instId"), ["x"], "str", True, "inst_id"),
        (("$type",), ["x"], "str", False, "type"),
        (("s",), ["BTC"], "str", False, "symbol"),
        (("s",), [5], "number", False, "size"),
        (("S",), ["Buy", "Sell"], "str", False, "side"),
        (("p",), ["1.5"], "decimal", False, "price"),
        (("q",), ["1.5"], "decimal", False, "quantity"),
        (("v",), [5], "number", False, "volume"),
        (("v",), ["x"], "str", False, "v"),
        (("t",), [5], "timestamp[ms]", False, "time"),
        (("E",), [5], "timestamp[ms]", False, "event_time"),
        (("m",), [True], "bool", False, "m"),
        (("last", "p"), [1.5], "float", False, "last_p"),
        ((4,), ["x"], "str", False, "column_4"),
        ((4,), ["x"], "str", True, "message_4"),
        ((3,), ["XBT/USD"], "str", True, "symbol"),
        ((3,), ["b", "s"], "str", False, "side"),
        ((2,), ["1600000000.5"], "timestamp[s]", False, "time"),
        (("",), [1], "int", False, "column"),
        (("b", 0), ["1.5"], "decimal", False, "bid_price"),
        (("asks", 1), ["1.5"], "decimal", False, "ask_size"),
        (("users", 1), ["x"], "str", False, "users_1"),
        (("bbo", 0, "px"), ["1.5"], "decimal", False, "bbo_0_px"),
        (("größe",), [1], "int", False, "größe"),
    ],
)
def test_a_column_is_named_after_its_member(
    steps: Steps, values: list[Any], kind: str, in_root: bool, name: str
) -> None:
    assert name_of(steps, kind, FieldProfile(values), in_root=in_root) == name


def test_a_name_that_is_taken_gets_its_parent_or_a_number() -> None:
    taken = {"symbol", "price"}
    assert unique("symbol", taken, JsonPath(("arg", "symbol"), True)) == "arg_symbol"
    assert unique("symbol", taken, JsonPath(("arg", "symbol"), True)) == "symbol_2"
    assert unique("price", taken, JsonPath(("P",))) == "price_2"
    assert unique("price", taken, JsonPath(("p_",))) == "price_3"
    assert unique("size", taken, JsonPath(("size",))) == "size"
    assert taken == {"symbol", "price", "arg_symbol", "symbol_2", "price_2", "price_3", "size"}


@pytest.mark.parametrize(
    ("kind", "name", "measures"),
    [
        ("decimal", "price", True),
        ("number", 3, True),
        ("int", "tradeId", False),
        ("number", "sequence", False),
        ("timestamp[ms]", "time", False),
        ("str", "price", False),
        (None, "price", False),
    ],
)
def test_a_number_measures_something_unless_it_names_or_counts(
    kind: str | None, name: str | int, measures: bool
) -> None:
    assert is_quantity(kind, name) is measures
