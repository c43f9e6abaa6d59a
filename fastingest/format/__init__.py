"""Batch → bytes of the output. The only room that knows polars."""
