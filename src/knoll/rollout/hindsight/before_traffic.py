"""What another policy would have decided before the version had any traffic."""

from knoll.models import RolloutSpec
from knoll.rollout.comparison import read_comparison
from knoll.rollout.hindsight.ends import Hindsight, as_recorded, seconds_between, unknown
from knoll.rollout.hindsight.trials import PastTrial

__all__ = ["before_traffic"]


def before_traffic(trial: PastTrial, policy: RolloutSpec, min_agreement: float) -> Hindsight | None:
    """How the rollout would have ended without any traffic; None if it would have had some."""
    first, last = trial.first, trial.last
    if last.action == "Reject":
        is_allowed = last.cause == "signature" and policy.allow_signature_change
        return unknown(last, "it would have been tried") if is_allowed else as_recorded(last)
    until = next(iter(trial.in_traffic), last)
    compared = read_comparison(until.comparison)
    ready_at = compared.since if compared and compared.since else until.at
    waited = seconds_between(first.at, ready_at)
    if until.action == "Rollback":
        is_patient = until.cause == "deadline" and policy.progress_deadline > waited
        why = f"it would have had {policy.progress_deadline:g} s to become ready, and had {waited:.0f} s"
        return unknown(until, why) if is_patient else as_recorded(until)
    if waited > policy.progress_deadline:
        why = f"it was ready after {waited:.0f} s only, and would have had {policy.progress_deadline:g} s"
        return Hindsight("RolledBack", until.number, why)
    if compared and compared.falls_short(min_agreement) and not trial.is_approved:
        why = f"{compared.words}: the policy asks for agreement on {min_agreement:.0%}"
        return Hindsight("Held", until.number, why)
    return unknown(until, "it would have had traffic") if until.action == "Hold" else None
