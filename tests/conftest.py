"""Settings of all tests."""

import os

from hypothesis import settings

# Shared machines are slow now and then: no test asserts a time. In CI the examples are the same in every run.
settings.register_profile("edgenas", deadline=None, derandomize=os.environ.get("CI") == "true")
settings.load_profile("edgenas")
