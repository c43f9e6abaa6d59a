"""Whether an output and its ledger agree."""
