"""The one exception for what a user can put right: one sentence that says what was given, what was
expected and what to do.  The command line prints it without a traceback; to Python it is a `ValueError`."""

__all__ = ["SaltusError"]


class SaltusError(ValueError):
    """A user's error, told in one sentence."""
