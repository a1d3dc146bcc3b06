"""Exit codes: the failure policy of a Job reads those of its Pods, and scripts read those of commands."""

__all__ = [
    "FAILURE",
    "INTERRUPTED",
    "KILLED",
    "NOT_FOUND",
    "PREEMPTED",
    "REJECTED",
    "SUCCEEDED",
    "TIMED_OUT",
    "UNAVAILABLE",
]

SUCCEEDED = 0

# of a Pod
REJECTED = 65  # EX_DATAERR of sysexits.h: the data or config is wrong and stays wrong
UNAVAILABLE = 75  # EX_TEMPFAIL of sysexits.h: try again
PREEMPTED = 143  # 128 + SIGTERM, as a shell reports it: the Pod was ended from outside
KILLED = 137  # 128 + SIGKILL: the kernel takes the memory back, or somebody kills the process

# of a command; a wrong command line ends with 2, as click has it
FAILURE = 1
TIMED_OUT = 3
NOT_FOUND = 4
INTERRUPTED = 130  # 128 + SIGINT, as a shell reports it
