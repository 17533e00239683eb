"""Each failure is provoked by a planted fault and named; trainings without one get no word."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from model.tiny import decoder, scalar
from objectives.aligning import END, PROMPTS, alignment
from train.learning import documents, next_token, settings

from anatomia.base.events import Ledger, read_events
from anatomia.explain.diagnosis import diagnose
from anatomia.generate.engine import Completion
from anatomia.generate.sampling import Sampling
from anatomia.messages import Messages
from anatomia.objectives.alignment import Alignment
from anatomia.objectives.next_token import NextToken
from anatomia.objectives.rollout import lay_out
from anatomia.objectives.watched import Panel, Watched
from anatomia.sentences import table
from anatomia.train.loop import train

ROLLOUTS = 12
Said = Callable[[Sequence[Any], Sequence[Completion]], torch.Tensor]


def long(prompts: Sequence[Any], completions: Sequence[Completion]) -> torch.Tensor:
    return torch.tensor([float(len(written.ids)) for written in completions])


def short(prompts: Sequence[Any], completions: Sequence[Completion]) -> torch.Tensor:
    return -long(prompts, completions)


def same(prompts: Sequence[Any], completions: Sequence[Completion]) -> torch.Tensor:
    return torch.zeros(len(completions))


def high(prompts: Sequence[Any], completions: Sequence[Completion]) -> torch.Tensor:
    """For large ids, however many: the mean of all but the end token."""
    words = [[token for token in written.ids if token not in END] for written in completions]
    return torch.tensor([sum(token > 25 for token in one) / max(len(one), 1) for one in words])


def reading_padding() -> Said:
    """A reward model that is read at the end of the batch's rows."""
    model = scalar(seed=5)

    def score(prompts: Sequence[Any], completions: Sequence[Completion]) -> torch.Tensor:
        with torch.no_grad():
            return model(lay_out(prompts, completions, 0)[0])[:, -1]

    return score


def drawn_from_another(objective: Alignment) -> None:
    """Answers come from the reference, whatever the policy has become."""
    complete = objective.complete
    other = copy.deepcopy(objective.reference)
    objective.complete = lambda policy, prompts, stream: complete(other, prompts, stream)  # type: ignore[method-assign]


def named(
    directory: Path, reward: Said | None = None, judge: Said | None = None, rate: float = 1e-3, method: str = "grpo",
    fault: Callable[[Alignment], None] = lambda objective: None, **changes: Any,
) -> list[str]:  # fmt: skip
    """What is said of a run of RL."""
    usual: dict[str, Any] = {
        "group": 4, "epochs": 1, "minibatches": 1, "micro": 32, "kl": 0.1, "unfinished": 0.0,
        "sampling": Sampling(max_new=12),
    }  # fmt: skip
    model, objective = alignment(method, **(usual | changes))
    objective.settings = replace(objective.settings, prompts=8)
    objective.scorer = reward or objective.scorer
    fault(objective)
    ledger = Ledger(directory / "events.jsonl")
    watched = Watched(objective, Panel(PROMPTS * 8, judge, "world"), str, {}, ROLLOUTS, ledger)
    steps = ROLLOUTS * objective.settings.updates
    how = settings(steps, learning_rate=rate, checkpoint_seconds=1e9, decay=0.0)
    metrics = train(model, watched, how, ledger, directory)
    watched.finish(model, steps)
    found = diagnose(read_events(directory / "events.jsonl"), metrics)
    for finding in found:
        english, polish = finding.said()
        assert english != polish
        assert "{" not in english + polish
    return [finding.name for finding in found]


FAST = 3e-2
FAULTS: dict[str, dict[str, Any]] = {
    "reward_up_quality_down": {"reward": long, "judge": short, "rate": 1e-2, "kl": 0.0},
    "kl_negative": {"reward": high, "fault": drawn_from_another, "rate": 1e-2, "kl": 0.0},
    "kl_exploding": {"reward": high, "rate": FAST, "kl": 0.0},
    "length_collapse": {"reward": short, "rate": FAST, "kl": 0.0},
    "never_stops": {"reward": long, "rate": FAST, "kl": 0.0},
    "advantage_zero": {"reward": same},
    "reads_padding": {"reward": reading_padding()},
    "learning_rate_too_high": {"reward": high, "rate": 0.3, "epochs": 4},
}


BRINGS = {
    "reward_up_quality_down": {"never_stops"},
    "kl_exploding": {"never_stops"},
    "never_stops": {"kl_exploding"},
    "length_collapse": {"kl_exploding"},
    "learning_rate_too_high": {"never_stops"},
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_named(name: str, tmp_path: Path) -> None:
    """And what is not there is not: at most what it brings with it, as a policy that ran away may never stop."""
    found = named(tmp_path, **FAULTS[name])
    assert name in found
    assert set(found) <= {name} | BRINGS.get(name, set())


@pytest.mark.parametrize("method", ["ppo", "grpo", "rloo", "dapo"])
def test_a_sound_run_gets_no_word(method: str, tmp_path: Path) -> None:
    assert named(tmp_path, method=method, judge=high, minibatches=2) == []


def of_steps(objective: NextToken, rate: float, directory: Path) -> list[str]:
    """What is said of a run of pretraining."""
    ledger = Ledger(directory / "events.jsonl")
    metrics = train(decoder(), objective, settings(40, learning_rate=rate, checkpoint_seconds=1e9), ledger, directory)
    return [finding.name for finding in diagnose(read_events(directory / "events.jsonl"), metrics)]


class Masked(NextToken):
    """A mask that leaves no token."""

    def loss(self, model: torch.nn.Module, micro: Any) -> tuple[torch.Tensor, dict[str, torch.Tensor | float]]:
        loss, figures = super().loss(model, micro)
        return loss * 0.0, figures


def test_a_loss_of_nothing_is_named(tmp_path: Path) -> None:
    assert of_steps(Masked(documents(), 4, lambda model, step: {}), 1e-2, tmp_path) == ["loss_zero"]


def test_a_learning_rate_that_makes_it_worse_is_named(tmp_path: Path) -> None:
    assert of_steps(next_token(), 3.0, tmp_path) == ["learning_rate_too_high"]


def test_a_sound_pretraining_gets_no_word(tmp_path: Path) -> None:
    assert of_steps(next_token(), 1e-2, tmp_path) == []


def preferring(verdicts: Sequence[float], **figures: Sequence[float]) -> list[str]:
    """What is said of a training on rankings alone, of which the looks say this."""
    steps = [{"kind": "step", "step": n, "loss": 0.6, "gradient_norm": 1.0, "accuracy": 0.7} for n in range(40)]
    looks = [
        {"kind": "look", "updates": 4 * n, "kl": 0.1 * n, "judge": verdict, "judge_error": 0.02, "length": 9.0,
         "finished": 0.9, **{name: values[n] for name, values in figures.items()}}
        for n, verdict in enumerate(verdicts)
    ]  # fmt: skip
    return [finding.name for finding in diagnose([*steps, *looks])]


def test_rankings_that_were_learnt_too_far_are_named() -> None:
    """DPO has no reward and no rollouts: the looks say what went wrong."""
    assert preferring([0.5, 0.6, 0.7, 0.7, 0.6, 0.5, 0.4, 0.3, 0.3]) == ["rankings_up_quality_down"]
    assert preferring([0.5, 0.5, 0.6, 0.6, 0.6, 0.6, 0.7, 0.7, 0.7]) == []


def test_what_became_of_answers_is_told_from_looks() -> None:
    same, falling = [0.5] * 9, [0.9, 0.7, 0.5, 0.3, 0.2, 0.1, 0.0, 0.0, 0.0]
    assert preferring(same, finished=falling) == ["never_stops"]
    assert preferring(same, length=[10 * share + 1 for share in falling]) == ["length_collapse"]
    assert preferring(same, kl=[3.0 * n for n in range(9)]) == ["kl_exploding"]


def test_too_little_gets_no_word() -> None:
    assert diagnose([]) == []
    assert diagnose([{"kind": "step", "step": 1, "loss": 0.0, "gradient_norm": 0.0}] * 3) == []


def test_the_terminal_says_it_in_its_language() -> None:
    assert Messages("pl").sentence("it fell", "spadło") == "spadło"
    assert Messages("en").sentence("it fell", "spadło") == "it fell"
    english, polish = next(iter(table()["sentences"].items()))
    assert Messages("pl").sentence(english) == polish or "{" in english
