"""What people who rank may be called."""

import unicodedata
from collections.abc import Iterable

from anatomia.base.errors import UserError

LONGEST = 60  # characters

_UNSEEN = ("Cc", "Cf", "Cs", "Co", "Cn")
_JOINERS = "\u200c\u200d"  # parts of words in Persian and Indian scripts, and of emoji
_RESERVED = ("simulated:", "file:")  # how the names of those who are no people here begin


def annotator_name(given: str, known: Iterable[str] = ()) -> str:
    """A person's name as it is kept: composed (NFC), without blanks at its ends and with single ones inside.

    Somebody known who is written the same but for capitals is the same person: coming back as "ala" goes on as "Ala".

    Raises:
        UserError: it is empty, too long, has signs that are not written (a line break, a surrogate, a mark of
            direction), or is kept for simulated rankers and files.
    """
    name = " ".join(unicodedata.normalize("NFC", given).split())
    if any(unicodedata.category(sign) in _UNSEEN and sign not in _JOINERS for sign in name):
        raise UserError(f"the name {name[:LONGEST]!a} has signs that cannot be seen; write it with visible ones")
    if not any(unicodedata.category(sign)[0] in "LN" for sign in name):
        raise UserError(f"the name {name[:LONGEST]!r} has no letter or digit; give one that tells people apart")
    if len(name) > LONGEST:
        raise UserError(f"a name of {len(name)} signs is too long; give one of at most {LONGEST}")
    if name.casefold().startswith(_RESERVED):
        raise UserError(f"the name {name!r} is kept for those who are no people; give one without simulated: or file:")
    return next((other for other in sorted(known) if other.casefold() == name.casefold()), name)
