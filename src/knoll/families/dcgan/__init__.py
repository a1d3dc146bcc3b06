"""A deep convolutional GAN that makes pictures of 56×56 pixels, after Radford et al.,
https://arxiv.org/abs/1511.06434."""
