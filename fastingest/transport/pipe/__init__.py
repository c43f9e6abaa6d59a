"""A pipe between two processes of one machine, and how its ends are handed over."""
