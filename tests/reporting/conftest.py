"""A browser for the pages."""

import pytest

from tests.reporting.browser import chromium


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser
