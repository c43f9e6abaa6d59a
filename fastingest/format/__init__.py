"""Batch → bytes of the output. The only room that knows polars.

polars reads ``POLARS_MAX_THREADS`` once, when it is imported. One thread writes a batch faster than
several share it, and a pool's memory is not needed.
"""

import os

os.environ.setdefault("POLARS_MAX_THREADS", "1")
