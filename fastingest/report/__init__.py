"""What a run tells of itself: its summary, and what it has to warn of."""
