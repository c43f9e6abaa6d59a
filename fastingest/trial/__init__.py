"""A configuration tried on recorded messages: no network, and nothing is written.

:mod:`~fastingest.trial.recorded` reads the messages, :mod:`~fastingest.trial.trial` says what
becomes of them, by what captures, and :mod:`~fastingest.trial.text` says it in words.
"""
