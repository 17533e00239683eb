"""A machine that decodes in one way or the other, for as long as a test runs."""

import pytest

from anatomia.base import machine as machines
from anatomia.base.compiled import can_compile
from anatomia.base.machine import Machine


def decoding(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Decode as the fixture's parameter says, "eager" or "native"; without a compiler only the first can be."""
    if request.param == "native" and not can_compile():
        pytest.skip("no C++ compiler here")
    monkeypatch.setattr(
        machines, "_applied", Machine("test", 1, 0, 1.0, 1.0, "", "0", "cpu", "float32", 1, request.param)
    )
    return str(request.param)
