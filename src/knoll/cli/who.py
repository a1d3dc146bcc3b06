"""Who uses the command line."""

import getpass

__all__ = ["user_name"]


def user_name() -> str:
    """Name of the user; "somebody" if the system does not know."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "somebody"
