"""From a model version to the champion: gate, decision (`decide.py`), slot, InferenceService,
promotion or rollback."""
