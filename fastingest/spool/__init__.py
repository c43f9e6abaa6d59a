"""What the writer has not acknowledged yet: in memory, then on disk."""
