from __future__ import annotations

from functools import partial

import pytest

from tests.support.hearing import Listen, hear, native_parser


@pytest.fixture(params=["python", "native"], scope="module")
def listen(request: pytest.FixtureRequest) -> Listen:
    """All tests are run with both listeners."""
    if request.param == "native":
        native_parser()
    return partial(hear, native=request.param == "native")
