"""The tiny task and network of the training's tests."""

from tests.train.conftest import data, make_model

__all__ = ["data", "make_model"]
