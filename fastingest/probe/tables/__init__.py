"""What of a feed's messages are rows: which tables take them, and as what columns."""
