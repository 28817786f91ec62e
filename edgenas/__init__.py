"""edgenas: hardware-aware neural architecture search for mobile and edge devices."""

__version__ = "0.1.0"
__all__ = ["__version__"]
