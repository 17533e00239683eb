"""What the chapter on RL shows of the guard and of what went wrong."""

import json
from pathlib import Path
from typing import Any

import pytest
from explain.mock_run import build_run
from rich.console import Console

from anatomia.base.events import read_events
from anatomia.explain.chapters.alignment import align
from anatomia.explain.gather import View, gather
from anatomia.explain.training import render_training, show_training


@pytest.fixture
def view(tmp_path: Path) -> View:
    return gather(build_run(tmp_path)).stages["align"]


def changed(view: View, events: list[dict[str, Any]]) -> View:
    return View(view.name, view.artifact, view.specimens, events)


def test_reward_and_judge_stand_over_the_root_of_kl(view: View) -> None:
    shown = align(view).parts["watched"]
    assert shown["judged"]
    data = json.loads(shown["chart"].data)
    looks = [event for event in view.events if event["kind"] == "look"]
    reward, judge, kept = (series["points"] for series in data["series"])
    assert reward[0] == judge[0] == [0.0, 0.0]
    assert reward[-1][1] == pytest.approx(looks[-1]["reward"] - looks[0]["reward"], rel=1e-2)
    assert judge[-1][1] == pytest.approx((looks[-1]["judge"] - 0.62) / 0.3, rel=1e-2)
    assert data["x"][1] == pytest.approx(looks[-1]["kl"] ** 0.5)
    assert {x for x, _ in kept} == {round(looks[5]["kl"] ** 0.5, 2)}
    assert "75" in shown["kept"].en


def test_what_tokens_bring_to_the_loss_is_shown_where_it_is_known(view: View) -> None:
    shown = align(view).parts["rollouts"][0]
    page = view.specimens["rollouts"][0]
    brought = sum(value for token in page["tokens"] for name, value in token.items() if name.startswith("loss_"))
    assert shown["own"].en.replace("\u2212", "-") == f"{brought:.4f}"
    assert shown["loss"].en == "0.1234"
    assert "loss" in shown["views"]
    assert len(shown["told"]) == len(shown["tokens"][0]["values"])
    for page in view.specimens["rollouts"]:
        del page["loss"]
    assert "loss" not in align(view).parts["rollouts"][0]["views"]


def test_what_the_guard_said_is_there_in_both_languages(view: View) -> None:
    (hack,) = align(view).parts["hacks"]
    assert "stands in 82%" in hack.en
    assert "stoi w 82%" in hack.pl


def test_without_a_judge_the_reward_is_shown_alone(view: View) -> None:
    events = [{k: v for k, v in event.items() if not k.startswith("judge")} for event in view.events]
    data = json.loads(align(changed(view, events)).parts["watched"]["chart"].data)
    assert len(data["series"]) == 1


def test_what_was_learnt_from_rankings_alone_has_pictures_of_its_own(view: View) -> None:
    steps = [
        {"kind": "step", "step": n, "loss": 0.7, "accuracy": 0.5 + n / 40, "best_ratio": n / 10, "worst_ratio": -n / 5}
        for n in range(1, 11)
    ]
    chapter = align(View(view.name, view.artifact, {}, steps))
    assert {"direct", "ratios"} <= set(chapter.parts)
    assert [value.en for value, _ in chapter.flow][:2] == ["10", "75%"]
    assert len(chapter.parts["ratios"].lines) == 2
    assert not {"direct", "ratios"} & set(align(view).parts), "where the model writes there are none"


def test_a_run_that_was_not_looked_at_has_no_such_part(view: View) -> None:
    events = [event for event in view.events if event["kind"] == "step"]
    assert {"watched", "hacks"}.isdisjoint(align(changed(view, events)).parts)


def test_what_went_wrong_stands_in_the_chapter(view: View) -> None:
    assert align(view).findings == []
    stuck = [event | {"advantage": 0.0} if event["kind"] == "step" else event for event in view.events]
    (finding,) = align(changed(view, stuck)).findings
    assert "advantages are zero in 100%" in finding.en
    assert "przewagi są równe zeru" in finding.pl
    assert read_events(view.artifact.file("events.jsonl"))


def test_a_terminal_shows_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Findings of each stage, a line a look with the kept one marked, a line a token, and what they add up to."""
    run = build_run(tmp_path)
    shown = show_training(run)
    assert [stage["stage"] for stage in shown["stages"]] == ["pretrain", "finetune", "reward", "align"]
    assert len(shown["looks"]) == 9
    for language, nothing, kept, noticed in (
        ("en", "nothing wrong to be seen", "← the policy that is kept", "stands in 82%"),
        ("pl", "nic złego nie widać", "← zachowany model", "stoi w 82%"),
    ):
        Console(width=120).print(render_training(shown, language))
        told = capsys.readouterr().out
        assert nothing in told
        assert noticed in told
        (line,) = [line for line in told.splitlines() if kept in line]
        assert line.split()[0] == "75"
        assert "0.1234" in told or "0,1234" in told
