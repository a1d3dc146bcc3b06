"""From an upload to "this dataset is complete": notifications, rules, snapshots."""
