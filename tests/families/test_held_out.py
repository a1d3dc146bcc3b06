"""The held-out part: it stays where it is while the data grows."""

from hypothesis import given
from hypothesis import strategies as st

from knoll.families.held_out import held_out


def test_a_file_stays_on_its_side_while_the_data_grows() -> None:
    """A candidate trained on more data is not scored on the training data of the champion."""
    keys = [f"cat/{index}.png" for index in range(1000)]
    before = held_out(keys[:300], ["cat"] * 300, 0.2)
    after = held_out(keys, ["cat"] * 1000, 0.2)
    assert after[:300] == before
    assert 150 < sum(after) < 250


@given(
    st.lists(
        st.tuples(st.text(max_size=5), st.sampled_from("abc")), unique_by=lambda pair: pair[0], max_size=40
    ),
    st.floats(0.01, 0.99),
)
def test_each_class_is_on_both_sides(pairs: list[tuple[str, str]], fraction: float) -> None:
    """However small a class of two or more is, it is learnt and tested."""
    keys, labels = [key for key, _ in pairs], [label for _, label in pairs]
    sides = held_out(keys, labels, fraction)
    for label in set(labels):
        mine = [side for side, other in zip(sides, labels, strict=True) if other == label]
        assert any(mine)
        assert len(mine) < 2 or not all(mine)


@given(
    st.lists(
        st.tuples(st.text(max_size=5), st.sampled_from("abc"), st.booleans()),
        unique_by=lambda row: row[0],
        max_size=40,
    ),
    st.floats(0.01, 0.99),
)
def test_bad_files_that_are_left_out_move_no_other_file(
    rows: list[tuple[str, str, bool]], fraction: float
) -> None:
    """Unless one side of its class would be empty."""
    keys, labels = [row[0] for row in rows], [row[1] for row in rows]
    before = dict(zip(keys, held_out(keys, labels, fraction), strict=True))
    good = [(key, label) for key, label, good in rows if good]
    kept = held_out([key for key, _ in good], [label for _, label in good], fraction)
    for label in set(labels):
        after = {key: side for (key, other), side in zip(good, kept, strict=True) if other == label}
        if after != {key: before[key] for key in after}:
            assert len({before[key] for key in after}) == 1
