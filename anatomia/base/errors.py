"""The kinds of errors that are the user's to mend."""


class UserError(Exception):
    """Something the user can put right: a typo in a recipe, a missing file, a context that is too long.

    Its text is one line that names the thing, its value and the way out. The command line prints it without a
    traceback and exits with code 2.
    """


class DamagedFile(UserError, ValueError):
    """A file that was cut short or overwritten, told as what it is wherever nobody knows more to say of it."""
