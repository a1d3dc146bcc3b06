"""A family must have what has no default."""

import pytest

from knoll.families.base import Family, FamilyConfig


def test_a_family_that_lacks_a_method_cannot_be_made() -> None:
    """Python names the methods that have no default."""

    class Half(Family[FamilyConfig]):
        name = "half"

    with pytest.raises(TypeError, match=r"build.*examples.*losses.*score"):
        Half()  # type: ignore[abstract]
