"""Looking at a feed that nobody has described: what it sends, and what to capture of it.

:mod:`~fastingest.probe.listen` connects and keeps what comes for some seconds,
:mod:`~fastingest.probe.proposal` finds the tables in it, and :mod:`~fastingest.probe.text` writes
them down, as a file for ``--config``. What stands beside the tables there is found by
:mod:`~fastingest.probe.side_messages` (replies, refusals, pings), :mod:`~fastingest.probe.symbols`
and :mod:`~fastingest.probe.outputs`. All but the first are free of I/O.
"""
