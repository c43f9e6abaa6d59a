"""How long tests wait for what must come: longer than a busy machine takes, shorter than pytest."""

__all__ = ["LIMIT"]

LIMIT = 60.0
"""Seconds that any wait may take."""
