from __future__ import annotations

import pytest

from fastingest import OptionError
from fastingest.trial.options import TrialOptions


@pytest.mark.parametrize(
    ("show", "said"),
    [
        (-1, "--show: -1 is out of range; it must be at least 0"),
        (10_001, "--show: 10001 is out of range; it must be at most 10000"),
    ],
)
def test_a_number_out_of_range_is_refused(show: int, said: str) -> None:
    with pytest.raises(OptionError) as refused:
        TrialOptions(show=show)
    assert str(refused.value) == said
