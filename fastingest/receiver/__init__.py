"""The receiver process: frames → rows → batches, and whatever keeps the feed connected."""
