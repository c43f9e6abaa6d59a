"""Starts the processes, starts them again, and says how a run ended.

``run`` is the way in. ``supervisor`` is the loop, and says why every order of deaths ends well.
What it decides is in modules that look at no clock: ``restarts`` and ``restart_policy`` (who is
started again, and when), ``writer_watchdog`` and ``progress`` (outputs that do not get on),
``ending`` (how long anything may take at the end). What it has done is in those that do:
``processes`` and ``children`` (the processes and their pipes), ``succession`` (others in their
place), ``shutdown`` (what is told to whom at the end), ``monitor`` (the run's numbers), ``account``
and ``accounts`` (what became of its rows), ``outcome`` (the error that it ends with).
"""
