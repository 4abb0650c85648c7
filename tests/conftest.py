"""Settings that every test shares."""

from hypothesis import settings

# A busy machine must not fail a property for being slow, and a failure must repeat itself.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")
