"""The one exception that means: the user can put this right."""


class UserError(Exception):
    """A mistake of the user's or of their machine, not of the program.

    The message says what was wrong, what was expected, and what to do. Commands print it without a
    traceback.
    """
