"""Dead letters: events that no function took are kept, shown, and resent."""
