"""From an upload to "this dataset is complete": notifications, rules (`landed.py`), looks, and the
opening of runs."""
