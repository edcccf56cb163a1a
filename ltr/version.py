"""Version of ltr."""

__version__ = "0.1.0"
