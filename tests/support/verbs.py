"""Each verb of `kn model`, by where the tests type it on a cluster."""

__all__ = ["READING", "STEERING", "WRITING"]

# with further words, and what the answer has. {run} is that of v000001, {champion} the version that serves
READING: dict[str, tuple[list[str], str]] = {
    "families": ([], "image-classifier"),
    "runs": (["digits"], "Succeeded"),
    "runs curve": (["{run}"], "loss"),
    "list": ([], "digits"),
    "data": (["digits"], "v000001"),
    "describe": (["digits"], "{champion}"),
    "versions": (["digits"], "v000001"),
    "card": (["digits", "v000001"], "accuracy"),
    "rollout": (["digits"], "champion"),
    "rollout status": (["digits"], "{champion}"),
    "dlq list": ([], ""),
    "why": (["digits", "v000001"], "Promote"),
    "verify": (["digits", "v000001"], "v000001"),
    "doctor": ([], ""),
    "gc": (["digits", "--dry-run"], ""),
}
# in tests/cluster/test_dead_letters.py or test_kn.py
WRITING = {"apply", "upload", "delete", "predict", "feedback", "events", "runs logs"} | {
    f"dlq {verb}" for verb in ("show", "replay", "drop")
}
STEERING = {
    f"rollout {verb}"
    for verb in ("pause", "resume", "promote", "abort", "undo", "retry", "approve", "reject", "replay")
}
