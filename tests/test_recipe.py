"""Recipes: what a person writes, and the one line they get when it is wrong."""

import pickle
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from faults.counting import SECTIONS, STAGES
from hypothesis import given
from hypothesis import strategies as st

from anatomia import recipe as recipes
from anatomia import stages
from anatomia.base.errors import UserError
from anatomia.base.settings import Settings
from anatomia.recipe import Recipe, build, check, find, read, to_toml
from anatomia.sentences import sentence
from anatomia.stages import corpus


def recipe(tmp_path: Path, text: str, *overrides: str) -> Recipe:
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return read(path, SECTIONS, overrides)


def test_values_defaults_and_sections_as_attributes(tmp_path: Path) -> None:
    got = recipe(tmp_path, 'name = "próba"\nseed = 7\n[second]\nsteps = 5\n')
    assert (got.name, got.seed, got.second.steps, got.third.steps) == ("próba", 7, 5, 40)


def test_resolved_recipe_reads_back_equal(tmp_path: Path) -> None:
    got = recipe(tmp_path, '[first]\ntexts = ["a \\"b\\"\\\\c.txt", "zażółć.txt"]\n[second]\nmode = "x\\ny"\n')
    (tmp_path / "again.toml").write_text(got.to_toml(), encoding="utf-8")
    assert read(tmp_path / "again.toml", SECTIONS) == got


def test_recipe_can_be_sent_to_another_process(tmp_path: Path) -> None:
    got = recipe(tmp_path, "[second]\nsteps = 5\n")
    assert pickle.loads(pickle.dumps(got)) == got


@pytest.mark.parametrize(
    ("override", "section", "key", "value"),
    [
        ("second.steps=9", "second", "steps", 9),
        ("second.mode=fast", "second", "mode", "fast"),
        ('second.mode="fast"', "second", "mode", "fast"),
        ("second.mode=a=b", "second", "mode", "a=b"),
        ("second.enabled=false", "second", "enabled", False),
        ("first.texts=[a.txt, b/*.txt]", "first", "texts", ("a.txt", "b/*.txt")),
        ('first.texts=["a, b.txt"]', "first", "texts", ("a, b.txt",)),
        ("first.texts=[]", "first", "texts", ()),
        ("seed=3", "top", "seed", 3),
    ],
)
def test_overrides(tmp_path: Path, override: str, section: str, key: str, value: Any) -> None:
    assert getattr(getattr(recipe(tmp_path, "[second]\nsteps = 5\n", override), section), key) == value


@pytest.mark.parametrize(
    ("text", "overrides", "words"),
    [
        ("[secnd]\nsteps = 1\n", (), ["mine.toml", "secnd", "did you mean second?"]),
        ("[second]\nstesp = 1\n", (), ["mine.toml", "second.stesp", "did you mean steps?"]),
        ("sed = 1\n", (), ["mine.toml", "sed", "did you mean seed?"]),
        ("second = 3\n", (), ["mine.toml", "second = 3", "[second]"]),
        ('[second]\nsteps = "many"\n', (), ["mine.toml", 'second.steps = "many"', "integer"]),
        ("[second]\nsteps = 0\n", (), ["mine.toml", "second.steps = 0", "greater than or equal to 1"]),
        ("[second\n", (), ["mine.toml", "not valid TOML", "line 1"]),
        ("", ("second.steps=0",), ["--set", "second.steps = 0"]),
        ("", ("second.stesp=1",), ["--set", "second.stesp", "did you mean steps?"]),
        ("", ("secnd.steps=1",), ["--set", "secnd", "did you mean second?"]),
        ("", ("steps",), ["--set steps", "section.key=value"]),
        ("seed = 1\n", ("seed.deep=1",), ["--set seed.deep=1", "not a section"]),
        ("steps = 3\n", (), ["mine.toml", "steps stands outside of its section", "there are: second.steps"]),
        ('name = "../elsewhere"\n', (), ["mine.toml", 'name = "../elsewhere"', "without /", "--out"]),
        ('name = ".."\n', (), ["mine.toml", "name of a directory"]),
        ('name = " "\n', (), ["mine.toml", "name of a directory"]),
    ],
)
def test_a_mistake_is_one_line_that_names_it(
    tmp_path: Path, text: str, overrides: tuple[str, ...], words: list[str]
) -> None:
    with pytest.raises(UserError) as caught:
        recipe(tmp_path, text, *overrides)
    said = str(caught.value)
    assert "\n" not in said
    assert all(word in said for word in words), said


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("pretrain.learning_rate=inf", "learning_rate = Infinity: .*finite"),
        ("corpus.sources=[]", "sources = .* is empty"),
    ],
)
def test_no_setting_is_endless_and_no_list_that_is_needed_is_empty(override: str, words: str) -> None:
    sections = recipes.section_classes(stages.modules())
    with pytest.raises(UserError, match=words):
        read(find("world"), sections, [override])


def test_a_misspelt_choice_is_told_beside_what_was_meant() -> None:
    sections = recipes.section_classes(stages.modules())
    with pytest.raises(UserError) as caught:
        read(find("world"), sections, ["finetune.adapter=lroa"])
    assert str(caught.value).endswith("(did you mean lora?)")
    assert sentence(str(caught.value)).endswith("'bitfit' (czy chodziło o lora?)")
    with pytest.raises(UserError, match=r"'kto'$"):
        read(find("world"), sections, ["align.method=xyz"])


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_bytes("nazwa = 'żółw'".encode("utf-16"))
    with pytest.raises(UserError, match="UTF-8"):
        read(tmp_path / "bad.toml", SECTIONS)


WRONG = (
    'a = "x\n', "a = 1\na = 2\n", "a = \n", "[a\n", "[[a\n", "a 1\n", "a = [1\n", "a = {b = 1\n", "= 1\n",
    "a = 1 b = 2\n", "[a]\n[a]\n", "a = 1\n[a]\n", 'a = "\\q"\n', "a = {b = 1, b = 2}\n", "a = 2000-99-99\n",
    "a = 'x", "a = \x01\n",
)  # fmt: skip


@pytest.mark.parametrize("text", WRONG)
def test_no_english_is_left_of_what_is_wrong_with_a_file(tmp_path: Path, text: str) -> None:
    with pytest.raises(UserError) as caught:
        recipe(tmp_path, text)
    said = sentence(str(caught.value))
    assert "to niepoprawny TOML: " in said
    english = r"\b(at|line|column|end|of|Cannot|Expected|Illegal|Invalid|Unclosed|Duplicate|Unterminated|invalid)\b"
    assert not re.search(english, said.partition("TOML: ")[2]), said


def test_names_of_packaged_recipes_and_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find("world").name == "world.toml"
    with pytest.raises(UserError, match=r"wrld is no recipe \(did you mean world\?\)"):
        find("wrld")
    (tmp_path / "world").mkdir()
    assert find("world").is_file()


def test_relative_paths_start_beside_a_recipe_of_one_s_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "mine.toml").write_text("", encoding="utf-8")
    assert recipes.root_of("deep/mine.toml") == Path("deep")
    assert recipes.root_of("world") == Path()


def test_paths_on_the_command_line_start_in_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sections = recipes.section_classes(stages.modules())
    (tmp_path / "deep" / "here").mkdir(parents=True)
    mine = tmp_path / "deep" / "mine.toml"
    mine.write_text('[corpus]\nsources = ["own.txt"]\n', encoding="utf-8")
    (tmp_path / "link").symlink_to(mine.parent)
    monkeypatch.chdir(mine.parent / "here")
    typed = ["finetune.dialogues=[a.jsonl, world, ~/b.jsonl, /c.jsonl, ../../x/*.json]", "pretrain={from='model'}"]
    typed.append("align.reward=[model, judge.py:score, package.module:score]")
    typed.append("align.judge=other/reward")
    for root in (mine.parent, Path(".."), tmp_path / "link"):
        got = recipes.read(mine, sections, [*typed, "tokenizer.size=500"], root)
        assert got.corpus.sources == ("own.txt",)
        assert got.finetune.dialogues == ("here/a.jsonl", "world", "~/b.jsonl", "/c.jsonl", "../x/*.json")
        assert got.pretrain.from_ == "here/model"
        assert got.tokenizer.size == 500
        assert got.align.judge == "here/other/reward"
        assert got.align.reward == ("model", "here/judge.py:score", "package.module:score")
    here = recipes.read(recipes.find("world"), sections, typed, recipes.root_of("world"))
    assert here.finetune.dialogues[0] == "a.jsonl"


def test_every_setting_that_is_text_is_known_for_a_path_or_none() -> None:
    texts = {
        f"{name}.{field.alias or key}"
        for name, kind in recipes.section_classes(stages.modules()).items()
        for key, field in kind.model_fields.items()
        if field.annotation in (str, str | None, tuple[str, ...])
    }
    assert texts - {"corpus.languages", "rank.by"} == recipes.PATHS | recipes.FUNCTIONS


def test_languages_are_said_once_for_all_sections() -> None:
    class Reading(Settings):
        languages: tuple[str, ...] = ("pl", "en")

    sections = {"one": Reading, "two": Reading}
    got = build({"languages": ["pl"], "two": {"languages": ["en"]}}, sections)
    assert (got.one.languages, got.two.languages) == (("pl",), ("en",))
    assert build({}, sections).one.languages == ("pl", "en")


def test_check_finds_missing_files_and_missing_stages(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"first.texts: no file .*gone.txt"):
        check(recipe(tmp_path, '[first]\ntexts = ["gone.txt"]\n'), tmp_path, STAGES)
    with pytest.raises(UserError, match="third needs stage second"):
        check(recipe(tmp_path, "[second]\nenabled = false\n"), tmp_path, STAGES)


words = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
values = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | words,
    lambda children: st.lists(children, max_size=3) | st.dictionaries(words, children, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(words, values, max_size=5))
def test_any_settings_survive_toml(table: dict[str, Any]) -> None:
    assert tomllib.loads(to_toml(table)) == table


def world(*overrides: str) -> Recipe:
    return read(find("world"), recipes.section_classes(stages.modules()), overrides)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("pretrain.steps=true", "pretrain.steps = true: should be a valid integer"),
        ("reward.matching=true", "reward.matching = true: should be a valid number"),
        ('pretrain.learning_rate="0.1"', 'pretrain.learning_rate = "0.1": should be a valid number'),
        ("pretrain.steps=99999999999999999999", "should be less than or equal to 1000000000"),
        ("model.context=100000000", "should be less than or equal to 1048576"),
        ("languages=pl", 'languages = "pl": should be a list, in brackets'),
    ],
)
def test_what_is_no_sensible_number_or_list_is_refused(override: str, words: str) -> None:
    with pytest.raises(UserError, match=re.escape(words)):
        world(override)


def test_numbers_may_be_written_whole_and_switches_as_such() -> None:
    got = world("pretrain.learning_rate=1", "corpus.quality=false")
    assert got.pretrain.learning_rate == 1.0
    assert got.corpus.quality is False


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("languages=[xx]", "languages: 'xx' is none that is recognised"),
        ("corpus.sources=[{}]", "there is nothing in"),
    ],
)
def test_languages_and_sources_that_give_nothing_are_refused_before_anything_runs(
    override: str, words: str, tmp_path: Path
) -> None:
    (tmp_path / "empty.txt").touch()
    with pytest.raises(UserError, match=re.escape(words)):
        check(world(override.format(tmp_path / "empty.txt")), tmp_path, [corpus.STAGE])
