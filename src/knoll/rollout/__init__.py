"""From a model version to the champion: gate, canary, evidence, promotion or rollback."""
