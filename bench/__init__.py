"""Benchmarks: what fastingest takes for a row, and how it compares."""
