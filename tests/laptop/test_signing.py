"""The keys of a home: made once, and replaced by deleting the private one."""

import stat
from pathlib import Path

import pytest

from knoll.errors import Unavailable
from knoll.keys import read_signer, read_verify_keys
from knoll.laptop.signing import find_or_make_pair


def test_a_home_keeps_its_keys_for_its_owner_alone(tmp_path: Path) -> None:
    made = find_or_make_pair(tmp_path / "signing")
    assert find_or_make_pair(tmp_path / "signing") == made
    assert list(read_verify_keys(made.public)) == [read_signer(made.private).public.id]
    assert {stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "signing").iterdir()} == {0o600}


def test_who_deletes_the_private_key_gets_a_new_one_and_the_old_one_is_still_accepted(tmp_path: Path) -> None:
    old = find_or_make_pair(tmp_path)
    (tmp_path / "private.pem").unlink()
    new = find_or_make_pair(tmp_path)
    assert new.private != old.private
    assert new.public.startswith(old.public)
    assert len(read_verify_keys(new.public)) == 2
    (tmp_path / "public.pem").write_text(new.public.removeprefix(old.public))
    assert find_or_make_pair(tmp_path).public == new.public.removeprefix(old.public)


def test_a_key_of_your_own_is_taken_and_accepted(tmp_path: Path) -> None:
    """Also if the platform was killed between the two files."""
    mine = find_or_make_pair(tmp_path / "elsewhere").private
    (tmp_path / "private.pem").write_text(mine)
    assert list(read_verify_keys(find_or_make_pair(tmp_path).public)) == [read_signer(mine).public.id]


def test_a_spoilt_key_is_a_fault_and_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "private.pem").write_text("rubbish")
    with pytest.raises(Unavailable, match="no private key"):
        find_or_make_pair(tmp_path)
    assert (tmp_path / "private.pem").read_text() == "rubbish"
