"""Settings of all tests."""

import os

import pytest
from hypothesis import settings

# Shared machines are slow now and then: no test asserts a time. In CI the examples are the same in every run.
settings.register_profile("edgenas", deadline=None, derandomize=os.environ.get("CI") == "true")
settings.load_profile("edgenas")


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """No test reads or writes the user's cache; programs that tests start inherit this."""
    os.environ["EDGENAS_CACHE"] = str(tmp_path_factory.mktemp("edgenas-cache"))
