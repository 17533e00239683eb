"""What the diary of RL writes down of the loss."""

from dataclasses import replace
from pathlib import Path

import pytest
from objectives.aligning import alignment

from anatomia.base.events import Ledger
from anatomia.objectives.rollout import Rollout
from anatomia.stages.align import Diary
from anatomia.tokens.vocabulary import train_vocabulary


def test_a_page_says_what_the_answers_tokens_bring_to_the_loss(tmp_path: Path) -> None:
    """One answer alone: all of its tokens are the loss of the rollout, which is that of the objective."""
    heard: list[Rollout] = []
    model, objective = alignment("ppo", prompts=[[1, 30]], listener=lambda number, seen, prompts: heard.append(seen))
    objective.settings = replace(objective.settings, prompts=1, group=1, minibatches=1, epochs=1)
    diary = Diary(
        train_vocabulary(["ala ma kota i psa"] * 5, 300), tmp_path / "r.json", 2, Ledger(), objective.settings
    )
    (piece,) = objective.micro_batches(model, 0)
    diary(0, heard[0], [[1, 30]])
    (page,) = diary.pages()
    brought = sum(value for token in page["tokens"] for name, value in token.items() if name.startswith("loss_"))
    assert page["loss"] == pytest.approx(brought, abs=1e-4)
    assert page["loss"] == pytest.approx(float(objective.loss(model, piece)[0].detach()), abs=1e-5)
