"""Everything a person reads in Polish too: help pages, errors and notes. The English in the code is the key."""

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

from cyclopts import App

import anatomia
from anatomia import cli
from anatomia.sentences import HOLE, help_text, sentence, table

SOURCES = [path for place in anatomia.__path__ for path in sorted(Path(place).rglob("*.py"))]
SPEAKERS = {"UserError", "RefusedDialogue", "note", "fail"}


def template(node: ast.AST) -> str | None:
    """A string in the code with its values as numbered holes; None for anything else."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if not isinstance(node, ast.JoinedStr):
        return None
    parts, hole = [], 0
    for part in node.values:
        if isinstance(part, ast.Constant):
            parts.append(part.value)
        else:
            parts.append(f"{{{hole}}}")
            hole += 1
    return "".join(parts)


def said() -> Iterator[tuple[str, str]]:
    """Every sentence of an error or a note, and where it is said; none that is only values."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and node.args:
                name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                text = template(node.args[0]) if name in SPEAKERS else None
                if text is not None and re.search(r"\w", re.sub(HOLE, "", text)):
                    yield text, f"{path.name}:{node.lineno}"


def commands(app: App) -> Iterator[App]:
    """The program and every command of it."""
    yield app
    for name in app:
        if not name.startswith("-"):
            yield from commands(app[name])


def test_every_sentence_of_an_error_or_a_note_is_there_in_polish() -> None:
    missing = [f"{where}: {text}" for text, where in said() if text not in table()["sentences"]]
    assert not missing, "put these into anatomia/polish.toml, [sentences]:\n" + "\n".join(missing)


def test_no_polish_is_left_of_a_sentence_that_nobody_says() -> None:
    strings = {template(node) for path in SOURCES for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))}
    assert set(table()["sentences"]) <= strings


def test_the_polish_uses_no_value_that_the_english_lacks() -> None:
    for english, polish in {**table()["sentences"], **table()["libraries"]}.items():
        assert set(re.findall(HOLE, polish)) <= set(re.findall(HOLE, english)), english


def test_the_rules_that_emptied_a_corpus_are_named_in_polish() -> None:
    english = (
        "corpus.sources: no document (of 3) is left (unreadable 1, near_duplicate 2); loosen those rules or add sources"
    )
    assert "(nie do odczytania: 1, prawie duplikaty: 2)" in sentence(english)
    assert sentence("own_rule 1, language 2") == "own_rule 1, language 2"


def test_every_command_and_parameter_explains_itself_in_polish() -> None:
    missing = []
    for app in commands(cli.app):
        english = inspect.cleandoc(app.help)
        polish = help_text(english.partition("\n")[0]) or ""
        if english.count("`anatomia") != polish.count("`anatomia") or not polish:
            missing.append(english)
        arguments = app.assemble_argument_collection(parse_docstring=True) if app.default_command else []
        missing += [argument.parameter.help or argument.name for argument in arguments if argument.show]
    options = cli.app.meta.assemble_argument_collection(parse_docstring=True)
    missing += [argument.parameter.help or argument.name for argument in options if argument.show]
    missing = [english for english in missing if english not in table()["help"]]
    assert not missing, "put these into anatomia/polish.toml, [help]:\n" + "\n".join(missing)


def test_values_are_put_in_and_looked_up_themselves() -> None:
    english = "x.jsonl, record 3: unknown role 'bot'; known are: user, assistant"
    assert sentence(english) == "x.jsonl, rekord 3: nieznana rola 'bot'; znane: user, assistant"
    assert sentence(f"mine.toml: {english}") == f"mine.toml: {sentence(english)}"
    assert sentence("nobody: wrote this") == "nobody: wrote this"
    assert sentence("mine.toml: gone has no finished model yet; give its anatomia run again").startswith(
        "mine.toml: w gone"
    )
