"""The report: whole, escaped, bilingual, self-contained, and tolerant of whatever a run lacks."""

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest
from mock_run import STAGES, build_run

from anatomia.base.artifact import read_artifact
from anatomia.base.errors import UserError
from anatomia.explain.gather import gather
from anatomia.explain.report import render, write_report

VOID = {"meta", "input", "br", "img", "link", "hr"}
SVG_VOID = {"path", "rect", "circle"}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def page(run: Path) -> str:
    write_report(run, run.parent / "report.html")
    return (run.parent / "report.html").read_text(encoding="utf-8")


class Reader(HTMLParser):
    """Checks that elements nest, and collects what the tests ask about."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: dict[str, list[str]] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in SVG_VOID | VOID, f"<{tag}/> is not allowed in HTML"
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.setdefault(self.open[-1] if self.open else "", []).append(data)


def parsed(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader


def test_page_is_well_formed_with_unique_ids(page: str) -> None:
    ids = [attributes["id"] for _, attributes in parsed(page).tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {*STAGES, "figures", "lineage"} <= set(ids)


def test_page_asks_for_nothing_outside_itself(page: str) -> None:
    reader = parsed(page)
    for tag, attributes in reader.tags:
        assert tag not in {"link", "iframe", "object", "embed", "base", "form", "img"}
        assert "src" not in attributes
        assert str(attributes.get("href", "#")).startswith("#")
    assert "@import" not in page
    assert "url(" not in page
    policy = [a["content"] for tag, a in reader.tags if tag == "meta" and "http-equiv" in a]
    assert len(policy) == 1
    assert "default-src 'none'" in str(policy[0])
    assert len(page.encode()) < 1_500_000


def test_model_output_cannot_become_markup(page: str) -> None:
    assert "alert('question')" not in page.replace("&#39;", "'").replace("&lt;script&gt;alert('question')", "")
    assert "<img src=x" not in page
    assert "<b>the</b>" not in page
    assert "&lt;/section&gt;&lt;/main&gt;No." in page
    assert sum(tag == "script" for tag, _ in parsed(page).tags) == 1


def test_both_languages_stand_in_the_page(page: str) -> None:
    for polish, english in (
        ("Anatomia modelu językowego", "Anatomy of a language model"),
        ("Uczenie ze wzmocnieniem", "Reinforcement learning"),
        ("50\u00a0356\u00a0470", "50,356,470"),
    ):
        assert f'<span class="pl" lang="pl">{polish}</span><span class="en" lang="en">{english}</span>' in page


def test_every_promised_part_is_shown(page: str) -> None:
    for mark in (
        'class="funnel"',
        "<del>",
        'class="dropped"',
        'class="sentences"',
        'class="player dim"',
        'class="packed"',
        'class="attention"',
        'class="tokens mask"',
        'class="strips"',
        'class="completions"',
        'class="orders"',
        'class="starline"',
        'class="starred"',
        'class="heatmap"',
        'class="judged"',
        'class="square"',
        'class="credit"',
        'class="player hide"',
        'class="duel"',
        'class="ledger"',
        'class="record"',
    ):
        assert mark in page, mark
    assert page.count('class="chart"') == 9


def test_simulated_rankers_are_called_simulated(page: str) -> None:
    assert page.count('class="simulated"') == 4  # three annotators, and once above
    assert "Annotators marked as simulated are programs, not people" in page
    assert "Anna</span>" in page  # a person is not


@pytest.mark.parametrize("missing", STAGES)
def test_a_missing_stage_leaves_its_chapter_out(run: Path, tmp_path: Path, missing: str) -> None:
    artifacts = {name: read_artifact(run / name) for name in STAGES if name != missing}
    write_report(artifacts, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    parsed(page)
    assert f'id="{missing}"' not in page
    assert page.count('<section class="chapter') == len(STAGES) + 1


def test_missing_and_broken_specimens_leave_their_part_out(run: Path, tmp_path: Path) -> None:
    for name in STAGES:
        shutil.copytree(run / name, tmp_path / "run" / name)
        (tmp_path / "run" / name / "events.jsonl").unlink(missing_ok=True)
        specimens = tmp_path / "run" / name / "specimens.json"
        broken = {key: [{"unexpected": None}] for key in json.loads(specimens.read_text(encoding="utf-8"))}
        specimens.write_text(json.dumps(broken), encoding="utf-8")
    broken_page = render(gather(tmp_path / "run"))
    parsed(broken_page)
    assert 'class="chart"' not in broken_page
    assert 'class="player' not in broken_page
    for name in STAGES:
        (tmp_path / "run" / name / "specimens.json").unlink()
    bare = render(gather(tmp_path / "run"))
    parsed(bare)
    assert bare.count('<section class="chapter') == len(STAGES) + 2


def test_a_directory_and_its_artifacts_give_the_same_page(run: Path, page: str) -> None:
    assert render(gather({name: read_artifact(run / name) for name in STAGES})) == page


def test_every_word_of_the_interface_is_translated(page: str) -> None:
    """Outside specimens and code, text stands in a span of one language or is the same in both."""
    polish = re.findall(r'<span class="pl" lang="pl">(.*?)</span>', page, re.DOTALL)
    english = re.findall(r'<span class="en" lang="en">(.*?)</span>', page, re.DOTALL)
    assert len(polish) == len(english) > 200


def test_a_damaged_recipe_only_costs_the_run_its_name_and_damaged_specimens_are_told(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "copy")
    (tmp_path / "copy" / "recipe.toml").write_text("name = ", encoding="utf-8")
    assert gather(tmp_path / "copy").name == "copy"
    (tmp_path / "copy" / "rank" / "specimens.json").write_text('{"rankings": [', encoding="utf-8")
    with pytest.raises(UserError, match=r"rank/specimens\.json is damaged"):
        gather(tmp_path / "copy")


def test_a_run_without_stages_is_a_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no finished stage"):
        write_report(tmp_path, tmp_path / "report.html")
