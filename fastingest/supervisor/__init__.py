"""Starts the processes, starts them again, and says how a run ended."""
