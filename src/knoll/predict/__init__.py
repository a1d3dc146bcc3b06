"""The predictor: it fetches a version, checks it, answers requests, and reports what it counts."""
