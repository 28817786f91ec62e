"""Gaussian processes: kernels, fitting, and the scales on which they model."""
