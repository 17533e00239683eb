"""The one kind of error that is the user's to mend."""


class UserError(Exception):
    """Something the user can put right: a typo in a recipe, a missing file, a context that is too long.

    Its text is one line that names the thing, its value and the way out. The command line prints it without a
    traceback and exits with code 2.
    """
