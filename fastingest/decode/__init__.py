"""Messages → batches. No I/O and no clock: bytes in, batches and rejects out."""
