"""The reward model's chapter: everything on its card is said, and what is missing is left out."""

import io
from pathlib import Path
from typing import Any

import pytest
from mock_run import build_run
from rich.console import Console

from anatomia.base.errors import UserError
from anatomia.base.files import read_json, write_json
from anatomia.explain.chapters.reward import reward
from anatomia.explain.gather import View, gather
from anatomia.explain.rewards import render_reward, show_reward
from anatomia.explain.texts import plain


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return build_run(tmp_path, ("rank", "reward"))


def seen(run: Path, **card: Any) -> View:
    """The stage with another card; None takes a key away."""
    path = run / "reward" / "reward_card.json"
    write_json(path, {key: value for key, value in (read_json(path) | card).items() if value is not None})
    return gather(run).stages["reward"]


def test_all_of_the_card_is_said(run: Path) -> None:
    parts = reward(seen(run)).parts
    assert list(parts) == [
        "worth", "learnt", "judgements", "mistakes", "calibration", "sureness", "length", "probes", "words", "learning",
    ]  # fmt: skip
    accuracy, tau = parts["worth"]
    assert [row["name"] for row in accuracy["rows"]] == ["model", "others_together", "one_another"]
    model = accuracy["rows"][0]
    assert (model["value"].pl, model["value"].en) == ("83%", "83%")
    assert model["at"] == pytest.approx(100 * (0.834 - 0.5) / 0.5), "the axis begins at tossing a coin"
    assert tau["rows"][0]["at"] == pytest.approx(61)
    assert "91%" in parts["learnt"].en
    assert "10,5%" in parts["sureness"].pl
    assert "1,95" in parts["sureness"].pl
    assert parts["mistakes"][0]["sides"][0][2].en == "annotators’ choice: 3 of 4"
    assert "0,93" in parts["words"][0]["said"].pl


def test_what_may_rise_when_an_answer_is_spoilt_is_marked(run: Path) -> None:
    rows = {row["name"]: row for row in reward(seen(run)).parts["probes"]}
    assert rows["repeated"]["colour"] == "bad"
    assert rows["empty"]["colour"] == "aligned"
    assert rows["repeated"]["zero"] == pytest.approx(50)
    assert rows["repeated"]["at"] > 50 > rows["empty"]["at"]


def test_a_model_worse_than_a_coin_stays_on_the_axis(run: Path) -> None:
    figure = {"value": 0.4, "low": 0.3, "high": 0.5}
    against = {"value": -0.2, "low": -0.4, "high": 0.1}
    accuracy, tau = reward(seen(run, agreement={"model": {"accuracy": figure, "tau": against}})).parts["worth"]
    assert [row["at"] for row in accuracy["rows"]] == [pytest.approx(40)]
    assert tau["rows"][0]["zero"] == pytest.approx(50)
    assert tau["rows"][0]["at"] == pytest.approx(40)


def test_a_run_without_a_card_or_with_little_on_it_has_the_rest(run: Path) -> None:
    parts = reward(seen(run, probes={}, words=[], length=None)).parts
    assert not {"probes", "words", "length"} & set(parts)
    assert "worth" in parts
    (run / "reward" / "reward_card.json").unlink()
    assert set(reward(gather(run).stages["reward"]).parts) == {"judgements", "mistakes", "calibration", "learning"}


@pytest.mark.parametrize("language", ["en", "pl"])
def test_a_terminal_shows_the_card(run: Path, language: str) -> None:
    """Of a run, or of the reward model's directory; the model beside people, and the worst mistakes in full."""
    shown = show_reward(run)
    assert shown == show_reward(run / "reward")
    console = Console(width=100, file=io.StringIO(), color_system=None)
    console.print(render_reward(shown, language))
    said = console.file.getvalue()  # type: ignore[attr-defined]
    point = "." if language == "en" else ","
    for who in ("model", "others_together", "one_another"):
        assert plain(f"reward.by_{who}", language) in said
    assert f"83{point}4%" in said
    assert f"10{point}5%" in said
    assert plain("reward.probe_empty", language) in said
    assert shown["mistakes"][0]["better"]["text"] in " ".join(said.split())
    assert {"en": "annotators’ choice: 3 of 4, reward −0.20:", "pl": "wybór oceniających: 3 z 4"}[language] in said
    assert "{" not in said


def test_a_run_without_a_card_is_told_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"holds no card of a reward model \(no reward/reward_card.json\); finish"):
        show_reward(tmp_path)


def test_what_a_card_lacks_is_left_out(run: Path) -> None:
    card = read_json(run / "reward" / "reward_card.json")
    agreement = {"model": card["agreement"]["model"]}
    seen(run, agreement=agreement, probes=None, words=None)
    (run / "reward" / "specimens.json").unlink()
    console = Console(width=100, file=io.StringIO(), color_system=None)
    console.print(render_reward(show_reward(run)))
    said = console.file.getvalue()  # type: ignore[attr-defined]
    assert "the other annotators" not in said
    assert plain("reward.mistakes", "en") not in said
