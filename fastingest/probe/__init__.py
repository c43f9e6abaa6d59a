"""Looking at a feed that nobody has described: what it sends, and what to capture of it.

:mod:`~fastingest.probe.listen` connects and keeps what comes for some seconds,
:mod:`~fastingest.probe.proposal` finds the tables in it, and :mod:`~fastingest.probe.text` writes
them down, as a file for ``--config``. Its tables are made by :mod:`fastingest.probe.tables`; what
stands beside them there (replies, refusals, pings, symbols) is found by
:mod:`fastingest.probe.beside`. All but the first are free of I/O.
"""
