"""What people are shown, derived as values: nothing here prints, and nothing knows a terminal."""
