"""The documentation tells the truth about settings, commands, metrics and links."""

import re
import shlex
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from anatomia import recipe, stages
from anatomia.base.settings import Settings
from anatomia.base.trackers import LogSettings
from anatomia.cli import app

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
RUN, SHOW = (
    ("run", "status", "report", "doctor", "chat", "complete", "compare", "rank"),
    (
        "tokens",
        "windows",
        "padding",
        "generation",
        "dialogue",
        "ranking",
        "reward",
        "training",
    ),
)
SHARED = {"world": "corpus", "model": "pretrain", "instructions": "finetune"}  # sections on other stages' pages


@cache
def sections() -> dict[str, type[Settings]]:
    return recipe.section_classes(stages.modules())


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


def rows(text: str) -> list[list[str]]:
    """The cells of the rows under `| key | default | meaning |`."""
    found, inside = [], False
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")] if line.startswith("|") else []
        if cells == ["key", "default", "meaning"]:
            inside = True
        elif not cells:
            inside = False
        elif inside and not set(cells[0]) <= set("-:"):
            found.append(cells)
    return found


def value(cell: str) -> Any:
    """What a cell says in TOML, or None where it says it in words."""
    try:
        return tomllib.loads(f"value = {cell.strip('`').replace(',', '') if cell[0].isdigit() else cell.strip('`')}")[
            "value"
        ]
    except tomllib.TOMLDecodeError:
        return None


def defaults(kind: type[recipe.BaseModel]) -> dict[str, Any]:
    """Each key of a section with its default, lists as lists."""
    return {
        field.alias or name: list(field.default) if isinstance(field.default, tuple) else field.default
        for name, field in kind.model_fields.items()
        if not isinstance(field.default, Settings)  # a section of its own
    }


def test_the_page_of_recipes_holds_every_key_with_its_default() -> None:
    text = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
    parts = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", text, re.M | re.S))
    told = {
        title.strip("`[]"): {cells[0].strip("`"): value(cells[1]) for cells in rows(part)}
        for title, part in parts.items()
    }
    wanted = {"Top of the file": defaults(recipe.Top), "log": defaults(LogSettings)}
    assert told == wanted | {name: defaults(kind) for name, kind in sections().items()}


@pytest.mark.parametrize("section", sorted(sections()))
def test_a_stage_page_names_every_key_and_no_wrong_default(section: str) -> None:
    text = (ROOT / "docs" / "stages" / f"{SHARED.get(section, section)}.md").read_text(encoding="utf-8")
    known = defaults(sections()[section])
    missing = [key for key in known if f"`{key}`" not in text and f"`{section}.{key}`" not in text]
    assert not missing
    for key, default, *_ in rows(text):
        table, _, name = key.strip("`").rpartition(".")
        if name in known and table in ("", section):
            assert value(default) == known[name], f"{section}.{name} = {default}"


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        place = page.parent / path if path else page
        assert place.exists(), f"{named(page)}: {target}"
        if anchor:
            titles = re.findall(r"^#+ (.+)$", place.read_text(encoding="utf-8"), re.M)
            slugs = {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
            assert anchor in slugs, f"{named(page)}: {target}"


def test_every_command_shows_how_it_is_used() -> None:
    for command in (*((name,) for name in RUN), *(("show", name) for name in SHOW)):
        help_text = app
        for word in command:
            help_text = help_text[word]
        assert f"- `anatomia {' '.join(command)}" in help_text.help, " ".join(command)
    assert {name for name in app if not name.startswith("-")} == {*RUN, "show"}
    assert {name for name in app["show"] if not name.startswith("-")} == set(SHOW)


def commands(page: Path) -> list[str]:
    """The lines of a page that call `anatomia`."""
    blocks = re.findall(r"```(?:sh|console)\n(.*?)```", page.read_text(encoding="utf-8"), re.S)
    lines = [line.removeprefix("$ ").strip() for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    return [line for line in lines if line.startswith("anatomia ")]


@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)], ids=named)
def test_commands_in_the_documentation_parse(page: Path) -> None:
    for line in commands(page):
        words = shlex.split(line.partition("<")[0] if " < " in line else line, comments=True)[1:]
        if words[0] == "--language":
            words = words[2:]
        if words[0] != "--help":
            app.parse_args(words, exit_on_error=False, print_error=False)


def test_what_the_makefile_and_the_bootstrap_offer_stands_first_in_the_readme() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    bootstrap = (ROOT / "bootstrap.py").read_text(encoding="utf-8")
    for name in ("README.md", "README.pl.md"):
        first = re.search(r"```sh\n(.*?)```", (ROOT / name).read_text(encoding="utf-8"), re.S)
        assert first is not None
        for word in ("run", "test"):
            assert f"make {word}" in first[1]
            assert f"\n{word}:" in makefile
            assert f'"{word}"' in bootstrap


@pytest.mark.parametrize("pair", [("README.md", "README.pl.md"), ("docs/guide.md", "docs/guide.pl.md")])
def test_both_languages_show_as_much(pair: tuple[str, str]) -> None:
    english, polish = ((ROOT / name).read_text(encoding="utf-8") for name in pair)
    assert len(re.findall(r"^##+ ", english, re.M)) == len(re.findall(r"^##+ ", polish, re.M))
    assert len(re.findall(r"^```\w", english, re.M)) == len(re.findall(r"^```\w", polish, re.M))


def test_every_metric_of_a_stage_is_named_on_its_page_and_in_the_table() -> None:
    table = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    for name in stages.ORDER:
        page = (ROOT / "docs" / "stages" / f"{name}.md").read_text(encoding="utf-8")
        headline = re.findall(r"{([\w.]+)%?}", " ".join(text for texts in headlines(name) for text in texts))
        for metric in headline:
            for part in metric.split("."):
                if part not in ("pl", "en"):
                    assert re.search(rf"`(…\.|last\.)?{part}`", page), f"{name}: {metric}"
                    assert re.search(rf"`(…\.|last\.)?{part}`", table), f"{name}: {metric}"


def headlines(stage: str) -> tuple[tuple[str, str], ...]:
    from anatomia.headlines import HEADLINES

    return HEADLINES.get(stage, ())
