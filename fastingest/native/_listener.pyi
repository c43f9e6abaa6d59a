from picows import WSListener

from fastingest.native._parser import RowParser
from fastingest.source.documents import Documents
from fastingest.source.intake import Intake
from fastingest.source.listener import Listener

class NativeListener(WSListener):
    is_on: bool
    def __init__(
        self, listener: Listener, intake: Intake, parser: RowParser, max_message_size: int
    ) -> None: ...
    def take(self, message: bytes) -> None: ...
    def take_counts(self) -> tuple[int, int, int]: ...

class NativeDocumentListener(NativeListener):
    def __init__(
        self,
        listener: Listener,
        intake: Intake,
        parser: RowParser,
        max_message_size: int,
        documents: Documents,
    ) -> None: ...

def check() -> None: ...
