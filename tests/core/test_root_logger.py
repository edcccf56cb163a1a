"""The root logger is left as it was."""

import logging

import pytest
from absl import logging as absl_logging

from ltr.core import root_logger


def test_a_root_logger_without_handlers_stays_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.root, "handlers", [])
    with root_logger.left_alone():
        absl_logging.debug("by Orbax")
        assert logging.root.handlers
    assert not logging.root.handlers


def test_a_handler_of_the_program_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.root, "handlers", [mine := logging.NullHandler()])
    with root_logger.left_alone():
        absl_logging.debug("by Orbax")
    assert logging.root.handlers == [mine]
