"""ltr finds lottery tickets, and says how sure it is of them."""

__version__ = "0.1.0"
