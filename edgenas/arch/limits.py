"""Upper limits of a network's sizes, so that a typing error or a damaged file cannot fill the memory.

Each limit lies well above everything published for edge devices. A network at one limit, small otherwise, still fits
into a machine.
"""

from __future__ import annotations

# EfficientNet-L2 takes 800 pixels; 8,192 are a whole photograph.
RESOLUTION = 8192
# Multispectral cameras have some 200 bands.
IN_CHANNELS = 1024
# EfficientNet-L2 expands to 8,256 channels.
CHANNELS = 65_536
# A convolution of 31 x 31 has been published for servers; runtimes on devices are tuned for 3 to 7.
KERNEL = 15
# EfficientNet-L2 has 87 blocks, ResNet-1001 has 333.
BLOCKS = 1024
# ImageNet-21k has 21,843 classes.
CLASSES = 1_000_000
# A notation of so many blocks, written out.
NOTATION_LETTERS = 65_536
