"""Series: how each goes on, with quantiles, from its history and the calendar."""
