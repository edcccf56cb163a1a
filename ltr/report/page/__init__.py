"""`ltr report`: one self-contained page of one run or several, in HTML."""

from ltr.report.page.render import Subject, page

__all__ = ["Subject", "page"]
