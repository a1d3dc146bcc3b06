"""Tables: a class, or a number with its interval, from the columns of a row."""
