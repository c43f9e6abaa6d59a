"""Every file of an output: the output itself, and what stands beside it."""
