"""Plain data that the other rooms hand on, and no I/O."""
