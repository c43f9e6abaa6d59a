from __future__ import annotations

from typing import Any

import pytest

from fastingest import OptionError
from fastingest.probe.options import ProbeOptions


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"duration": 0.0}, "--duration: 0 seconds is out of range; write for example 5s"),
        ({"messages": 0}, "--messages: 0 is out of range; it must be from 1 to 1000000"),
    ],
)
def test_values_out_of_range_are_refused(values: dict[str, Any], said: str) -> None:
    with pytest.raises(OptionError) as refused:
        ProbeOptions(**values)
    assert str(refused.value) == said
