"""What every test shares."""

from __future__ import annotations

import pytest

from nanogan import NUMPY
from nanogan.backend import Backend


@pytest.fixture
def backend() -> Backend:
    """The backend that a test computes on. Go through backend.asarray and backend.to_host, never mix."""
    return NUMPY
