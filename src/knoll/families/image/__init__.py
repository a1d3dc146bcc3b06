"""Image classification: pictures in one folder per class, and a small convolutional network."""
