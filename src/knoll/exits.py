"""Exit codes of the processes in our Pods. The failure policy of a Job reads them."""

__all__ = ["KILLED", "PREEMPTED", "REJECTED", "SUCCEEDED", "UNAVAILABLE"]

SUCCEEDED = 0
REJECTED = 65  # EX_DATAERR of sysexits.h: the data or config is wrong and stays wrong
UNAVAILABLE = 75  # EX_TEMPFAIL of sysexits.h: try again
PREEMPTED = 143  # 128 + SIGTERM, as a shell reports it: the Pod was ended from outside
KILLED = 137  # 128 + SIGKILL: the kernel takes the memory back, or somebody kills the process
