"""Entry point of the trainer image: `knoll-trainer RUN`, inside a Job."""

import sys

from knoll.settings import read_settings
from knoll.train.trainer import train
from knoll.wiring.platform import service_platform

__all__ = ["main"]


def main() -> None:
    """Train the run that the only argument names, and exit as the Job's failure policy understands it."""
    if len(sys.argv) != 2:
        sys.exit("usage: knoll-trainer RUN")
    sys.exit(train(sys.argv[1], service_platform(read_settings())))


if __name__ == "__main__":
    main()
