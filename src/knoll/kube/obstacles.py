"""Why a Pod does not start, in plain words around those of the kubelet and the scheduler."""

__all__ = ["GAVE_UP", "STUCK", "UNSCHEDULABLE", "obstacle_words"]

UNSCHEDULABLE = "Unschedulable"
GAVE_UP = "ProgressDeadlineExceeded"  # of Knative, which forgets why
# of a container that waits, and will not start by itself
STUCK = {
    "ErrImagePull": "its image cannot be pulled (ErrImagePull)",
    "ImagePullBackOff": "its image cannot be pulled (ImagePullBackOff)",
    "ErrImageNeverPull": "its image is not on the node, and may not be pulled (ErrImageNeverPull)",
    "InvalidImageName": "the name of its image is wrong (InvalidImageName)",
    "CreateContainerConfigError": "its container cannot be set up (CreateContainerConfigError)",
    "CreateContainerError": "its container cannot be created (CreateContainerError)",
}
_WORDS = {
    **STUCK,
    UNSCHEDULABLE: "the scheduler finds no node for its Pod",
    "JobSuspended": "its Job is suspended",
    "NoRoom": "this machine has no room for it",
    "Unsupported": "this machine cannot run its Job",
}


def obstacle_words(reason: str, message: str) -> str:
    """What an obstacle means, then the message; an unknown reason as it is."""
    return ": ".join(part for part in (_WORDS.get(reason, reason), message) if part)
