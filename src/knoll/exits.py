"""Exit codes of the processes that run in Pods, and what a Job's failure policy makes of them."""

__all__ = ["PREEMPTED", "REJECTED", "SUCCEEDED", "UNAVAILABLE"]

SUCCEEDED = 0
REJECTED = 65  # EX_DATAERR of sysexits.h: the data or config is wrong and stays wrong
UNAVAILABLE = 75  # EX_TEMPFAIL of sysexits.h: try again
PREEMPTED = 143  # 128 + SIGTERM, as a shell reports it: whoever ended the Pod, the run is not to blame
