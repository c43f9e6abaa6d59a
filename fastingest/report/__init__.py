"""What a run says of itself: its summary, in numbers, in text and as JSON; and what it warns of."""
