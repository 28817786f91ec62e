"""Settings of all tests."""

import os
import signal

import pytest
from hypothesis import settings

# Shared machines are slow now and then: no test asserts a time. In CI the examples are the same in every run.
settings.register_profile("edgenas", deadline=None, derandomize=os.environ.get("CI") == "true")
settings.load_profile("edgenas")

# A shell that starts tests in the background makes them deaf to Ctrl-C, which some of them press.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """No test reads or writes the user's cache; programs that tests start inherit this."""
    os.environ["EDGENAS_CACHE"] = str(tmp_path_factory.mktemp("edgenas-cache"))
