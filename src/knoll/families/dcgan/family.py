"""The DCGAN, made of its parts."""

from knoll.families.base import Family
from knoll.families.dcgan.data import DcganData
from knoll.families.dcgan.declaration import DcganConfig, DcganDeclaration
from knoll.families.dcgan.export import DcganExport
from knoll.families.dcgan.learning import DcganLearning

__all__ = ["Dcgan"]


class Dcgan(DcganDeclaration, DcganData, DcganLearning, DcganExport, Family[DcganConfig]):
    """The family `dcgan`. A batch is (pixels as uint8 (B, 3, 56, 56),)."""
