from fastingest.native._builders import ColumnBuilders
from fastingest.native.parse_plan import ParsePlan

class RowParser:
    ignored: int
    blanked: int
    remembered: dict[bytes, tuple[bytes | None, ...]]
    def __init__(self, plan: ParsePlan) -> None: ...
    @property
    def columns(self) -> ColumnBuilders: ...
    def parse(self, message: bytes) -> bool: ...
