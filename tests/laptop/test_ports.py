"""Ports for child processes: kept while free, and never one that the system may give to a connection."""

import random
import socket
from contextlib import ExitStack

import pytest

from knoll.errors import Unavailable
from knoll.laptop import ports
from knoll.laptop.ports import free_port, hold_port


def _number(held: socket.socket) -> int:
    return int(held.getsockname()[1])


def test_no_port_is_given_twice_while_it_is_held_and_none_that_connections_get() -> None:
    """A thousand at once, so that an unlucky choice would show."""
    with ExitStack() as stack:
        given = [_number(stack.enter_context(hold_port())) for _ in range(1000)]
    assert len(set(given)) == len(given)
    assert all(20_000 <= port < 30_000 for port in given)


def test_processes_whose_generators_have_one_seed_choose_other_ports() -> None:
    """As trainings of one seed do."""
    chosen = []
    for _ in range(2):
        random.seed(0)
        chosen.append([free_port() for _ in range(20)])
    assert chosen[0] != chosen[1]


def test_a_wanted_port_is_kept_while_it_is_free() -> None:
    """A program that listens there makes it another one."""
    with hold_port() as held:
        wanted = _number(held)
    with hold_port(wanted) as again:
        assert _number(again) == wanted
        again.listen()
        with hold_port(wanted) as other:
            assert _number(other) != wanted


def test_without_a_free_port_the_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """No port is tried for ever."""
    with hold_port() as held:
        monkeypatch.setattr(ports, "_PORTS", [_number(held)])
        monkeypatch.setattr(ports, "_TRIES", 1)
        with pytest.raises(Unavailable, match="is free") as error:
            hold_port()
    assert error.value.fix
