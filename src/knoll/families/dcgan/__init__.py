"""A deep convolutional GAN that makes pictures of 56×56 pixels, after Radford et al.,
https://arxiv.org/abs/1511.06434."""

from knoll.families.base import Family, less, more
from knoll.families.dcgan.config import DcganConfig
from knoll.families.dcgan.data import DcganData
from knoll.families.dcgan.export import DcganExport
from knoll.families.dcgan.learning import DcganLearning
from knoll.families.dcgan.networks import SIDE, SameConvTranspose, build_discriminator, build_generator

__all__ = ["SIDE", "Dcgan", "DcganConfig", "SameConvTranspose", "build_discriminator", "build_generator"]


class Dcgan(DcganData, DcganLearning, DcganExport, Family[DcganConfig]):
    """The family `dcgan`. A batch is (pixels as uint8 (B, 3, 56, 56),)."""

    name = "dcgan"
    task = "unconditional-image-generation"
    metrics = (less("frechet_pixels", 0), more("diversity", 0))
