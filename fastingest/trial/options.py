"""How much a trial shows. The rest of its settings are those of a run."""

from __future__ import annotations

import dataclasses

from fastingest.config.setting import check_range, setting

__all__ = ["TrialOptions"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrialOptions:
    """How much of what is found is shown.

    :raises OptionError: a value cannot be used.
    """

    show: int = setting(
        "Show so many rows of each table, so many rejects, and so many ignored messages.",
        10,
        limits=(0, 10_000),
    )

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            check_range(field, getattr(self, field.name))
