"""How batches get from a receiver to the writer."""
