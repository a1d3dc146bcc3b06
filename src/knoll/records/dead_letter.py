"""Where dead letters lie, and the wishes to replay them."""

from knoll.names import digest, join

__all__ = [
    "dead_letter_id",
    "dead_letter_uri",
    "dead_letters_uri",
    "death_uri",
    "replay_uri",
    "wanted_replay_uri",
    "wanted_replays_uri",
]


def dead_letters_uri(root: str) -> str:
    """Where all dead letters lie."""
    return join(root, "dead-letters", "")


def dead_letter_id(*identity: str | bytes) -> str:
    """Name of a dead letter, by what it holds and who did not take it: the same letter twice has the same
    name."""
    return digest(identity)[:20]


def dead_letter_uri(root: str, letter: str) -> str:
    """Where a dead letter lies: an object for each of its deaths and replays."""
    return join(root, "dead-letters", letter, "")


def death_uri(root: str, letter: str, death: str) -> str:
    """How a letter once died, with the letter; written once."""
    return join(root, "dead-letters", letter, f"death-{death}.json")


def replay_uri(root: str, letter: str, number: int) -> str:
    """That a letter was replayed; written once, when the broker has taken it."""
    return join(root, "dead-letters", letter, f"replay-{number:06d}.json")


def wanted_replays_uri(root: str) -> str:
    """Where all replays lie that somebody wants, apart from the letters, so that a look at each tick costs
    next to nothing."""
    return join(root, "replays", "")


def wanted_replay_uri(root: str, letter: str, number: int) -> str:
    """That somebody wants a letter replayed for the so-many-th time; removed when it was."""
    return join(root, "replays", f"{letter}.{number:06d}.json")
