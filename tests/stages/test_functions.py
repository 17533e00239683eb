"""Rewards that are functions of one's own: found, loaded, asked, and clear about what is wrong with them."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from faults.small_world import MACHINE, RAW

from anatomia import recipe as recipes
from anatomia.base.errors import UserError
from anatomia.generate.engine import Completion
from anatomia.objectives.scoring import FunctionReward, Question, Together
from anatomia.pipeline import Request, run
from anatomia.stages import modules, stages
from anatomia.stages.functions import function_file, load_function

PAGE = Path(__file__).parents[2] / "docs" / "rewards.md"
KEY = "align.reward"


def examples() -> list[str]:
    """The programs in the documentation."""
    return re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)


def written(directory: Path, code: str) -> str:
    (directory / "reward.py").write_text(code, encoding="utf-8")
    return "reward.py:score"


def asked(function: Any, referring: bool = False) -> FunctionReward:
    """Of a prompt [1, 2] with the answer "7" beside it; ids are characters."""
    questions = {(1, 2): Question("What is 3 + 4?", "7")}
    decode = lambda ids: "".join(map(chr, ids))  # noqa: E731
    return FunctionReward("reward.py:score", function, referring, questions, decode, torch.device("cpu"))


def test_the_example_of_the_documentation(tmp_path: Path) -> None:
    first, second = examples()
    score, referring = load_function(written(tmp_path, first), tmp_path, KEY)
    assert not referring
    assert [score("What is 17 + 25?", text) for text in ("It is 42.", "41", "", "17 - 25 is -8")] == [1, 0, -1, 0]
    assert score("What is 3 - 12?", "-9") == 1
    score, referring = load_function(written(tmp_path, second), tmp_path, KEY)
    assert referring
    assert score("What?", " 42\n", "42") == 1


def test_it_gets_prompt_completion_and_reference_and_is_added_up() -> None:
    heard: list[tuple[str, ...]] = []

    def score(*texts: str) -> float:
        heard.append(texts)
        return float(len(texts[1]))

    completions = [Completion([55]), Completion([49, 50])]
    found = asked(score, True)([(1, 2)] * 2, completions)
    assert found.tolist() == [1.0, 2.0]
    assert heard == [("What is 3 + 4?", "7", "7"), ("What is 3 + 4?", "12", "7")]
    assert Together([asked(lambda p, c: True), asked(len_of)])([(1, 2)] * 2, completions).tolist() == [2.0, 3.0]


def len_of(prompt: str, completion: str) -> int:
    return len(completion)


def fails(prompt: str, completion: str) -> float:
    return 1 / len(completion[5:])


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (fails, ["'What is 3 + 4?'", "'7'", "ZeroDivisionError: division by zero", f"{__file__}, line "]),
        (lambda p, c: None, ["returned None", "finite number"]),
        (lambda p, c: float("nan"), ["returned nan", "finite number"]),
        (lambda p, c: "good", ["returned 'good'", "finite number"]),
    ],
    ids=["raises", "none", "nan", "word"],
)
def test_what_it_does_wrong_is_said_in_a_line(function: Any, words: list[str]) -> None:
    with pytest.raises(UserError) as caught:
        asked(function)([(1, 2)], [Completion([55])])
    assert "\n" not in str(caught.value)
    for word in ("align.reward: reward.py:score", *words):
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("score", "", ['align.reward = "score" names no function']),
        ("gone.py:score", "", ["no file", "gone.py"]),
        ("no.such.module:score", "", ["no module no.such.module"]),
        ("reward.py:score", "def score(p, c:\n", ["cannot be run: SyntaxError", "line 1"]),
        ("reward.py:score", "import nothing_like_it\n", ["cannot be run: ModuleNotFoundError", "line 1"]),
        ("reward.py:score", "score = 3\n", ["has no function score"]),
        ("reward.py:score", "def score(prompt): return 1.0\n", ["two arguments"]),
    ],
    ids=["no colon", "no file", "no module", "syntax", "import", "a number", "one argument"],
)
def test_what_cannot_be_loaded_is_said_before_anything_runs(
    tmp_path: Path, name: str, code: str, words: list[str]
) -> None:
    written(tmp_path, code)
    with pytest.raises(UserError) as caught:
        load_function(name, tmp_path, KEY)
    assert "\n" not in str(caught.value)
    for word in words:
        assert word in str(caught.value)


def test_functions_of_modules_too(tmp_path: Path) -> None:
    function, referring = load_function("stages.test_functions:len_of", tmp_path, KEY)
    assert not referring
    assert function("", "four") == 4
    assert function_file("stages.test_functions:len_of", tmp_path, KEY) == Path(__file__)


COUNTING = "def score(prompt, completion): return float(sum(letter in 'aeiouy' for letter in completion))\n"


def go(root: Path, *listeners: Any) -> dict[str, Any]:
    raw = RAW | {"align": {**RAW["align"], "method": "rloo", "group": 2, "reward": "reward.py:score"}}
    recipe = recipes.build(raw, recipes.section_classes(modules()))
    recipes.check(recipe, root, stages())
    return run(Request(recipe, root, root / "run"), stages(), listeners, choose=lambda: MACHINE)


def test_a_run_without_people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody ranks and no reward model is made; a function that fails loses nothing; another one makes the stage
    again."""
    monkeypatch.setenv("ANATOMIA_CHECKPOINT_SECONDS", "0")
    flag = tmp_path / "fail"
    fails = f"(c and Path({str(flag)!r}).exists())"
    code = f"from pathlib import Path\nplain = score\ndef score(p, c): return plain(p, c) / (not {fails})\n"
    written(tmp_path, COUNTING + code)
    heard: list[Any] = []

    def steps() -> list[int]:
        return [event["step"] for event in heard if event["kind"] == "step" and event["stage"] == "align"]

    def fail_later(event: Any) -> None:
        if event["stage"] == "align" and event["kind"] == "step" and event["step"] == 8:
            flag.touch()

    with pytest.raises(UserError, match="ZeroDivisionError"):
        go(tmp_path, heard.append, fail_later)
    assert steps() == list(range(1, 9)), "the third of six rollouts fails"
    flag.unlink()
    heard.clear()
    go(tmp_path, heard.append)
    assert steps()[0] in (8, 9), "the last checkpoint may not have been whole yet"
    assert steps()[-1] == 24
    written(tmp_path, COUNTING)
    heard.clear()
    made = go(tmp_path, heard.append)
    fresh = {event["stage"]: event["state"] for event in heard if event["kind"] == "stage"}
    assert fresh == {
        "corpus": "fresh", "tokenizer": "fresh", "pretrain": "fresh", "finetune": "fresh", "align": "done",
        "evaluate": "fresh", "report": "fresh",
    }, "a run that went on has the bits of one that never failed"  # fmt: skip
    metrics = made["evaluate"].metrics
    assert "kl_to_reference" in metrics
    assert "reward_aligned" not in metrics
    assert made["align"].metrics["last"]["score"] > 0
