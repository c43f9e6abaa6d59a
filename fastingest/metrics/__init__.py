"""The counters that all processes share."""
