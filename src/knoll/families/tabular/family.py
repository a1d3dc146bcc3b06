"""The family of tables, made of its parts."""

from knoll.families.base import Family
from knoll.families.tabular.data import TabularData
from knoll.families.tabular.declaration import TabularConfig, TabularDeclaration
from knoll.families.tabular.export import TabularExport
from knoll.families.tabular.learning import TabularLearning

__all__ = ["Tabular"]


class Tabular(TabularDeclaration, TabularData, TabularLearning, TabularExport, Family[TabularConfig]):
    """The family `tabular`. A batch is (cells as float32 (B, C, 2), targets (B,)): class numbers, or numbers;
    and (B, S) numbers of the parts to which the rows belong, if there are slices."""
