"""Help pages in the user's language: the English ones that the command line makes, with every text looked up."""

import re
from typing import TYPE_CHECKING, Any

from anatomia.messages import preferred_language
from anatomia.sentences import help_text

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions

KINDS = {"PATH": "ŚCIEŻKA", "STR": "TEKST", "INT": "LICZBA", "FLOAT": "UŁAMEK", "CHOICE": "WYBÓR"}
"""What stands for a value after an option's name."""
DEFAULTS = {"False": "nie", "True": "tak"}
USAGE = {"COMMAND": "POLECENIE", "[OPTIONS]": "[OPCJE]", "[ARGS]": "[ARGUMENTY]", "[ARGS...]": "[ARGUMENTY...]"}


class Formatter:
    """Draws help as cyclopts does; in Polish with the texts of polish.toml. What that lacks stays English."""

    def __call__(self, console: "Console", options: "ConsoleOptions", panel: Any) -> None:
        """Draw one panel: commands or parameters."""
        from cyclopts.help import DefaultFormatter

        if preferred_language() == "pl":
            title = str(panel.title)
            panel = panel.copy(title=help_text(title) or title, entries=[_entry(entry) for entry in panel.entries])
        DefaultFormatter()(console, options, panel)

    def render_usage(self, console: "Console", options: "ConsoleOptions", usage: Any) -> None:
        """Draw the line that shows how a command is called."""
        from cyclopts.help import DefaultFormatter
        from rich.text import Text

        if preferred_language() == "pl":
            said = " ".join(USAGE.get(word, _kind(word)) for word in str(usage).split())
            console.print(Text(f"Użycie: {said}\n", "bold"))
        else:
            DefaultFormatter().render_usage(console, options, usage)

    def render_description(self, console: "Console", options: "ConsoleOptions", description: Any) -> None:
        """Draw what a command does, with its examples."""
        console.print(_polish(description) if preferred_language() == "pl" else description)


def _entry(entry: Any) -> Any:
    """One row of a panel in Polish. What cyclopts would say of a parameter in English is said here instead."""
    from rich.text import Text

    said = _polish(entry.description, short=True)
    if entry.choices:
        said.append(Text(f"[do wyboru: {', '.join(entry.choices)}]", "cyclopts.choices"))
    if entry.default is not None:
        said.append(Text(f"[domyślnie: {DEFAULTS.get(entry.default, entry.default)}]", "cyclopts.default"))
    if entry.required:
        said.append(Text("[wymagane]", "cyclopts.required"))
    changes = {"description": said, "choices": None, "default": None, "required": False}
    if getattr(entry, "metavar", None):  # which entries have from cyclopts 5 on
        changes["metavar"] = _kind(entry.metavar)
    return entry.copy(**changes)


def _kind(word: str) -> str:
    return re.sub(r"[A-Z]+", lambda match: KINDS.get(match[0], match[0]), word)


def _polish(description: Any, short: bool = False) -> Any:
    """A description in Polish: all of it, or its first paragraph."""
    from cyclopts.help import InlineText

    english = str(getattr(description.primary_renderable, "markup", ""))
    polish = (help_text(english.partition("\n")[0]) or english).strip()
    whole = not short
    return InlineText.from_format(polish if whole else polish.partition("\n\n")[0], "markdown", force_empty_end=whole)
