"""The program's version, for all who say it: the package, and the requests that it sends."""

__all__ = ["__version__"]

__version__ = "0.1.0"
