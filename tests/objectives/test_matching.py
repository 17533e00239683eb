"""A reward model that reads the prompt: the matching loss, and how prompts are paired."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from model.tiny import scalar
from train.learning import settings

from anatomia.base.events import Ledger
from anatomia.model.scalar import ScalarModel
from anatomia.objectives.judged import UNPLACED, Judged
from anatomia.objectives.matching import NEAREST, POOL, Partners, match_gaps, matching_loss, nearest
from anatomia.objectives.preference import Preference, score_all
from anatomia.train.loop import backward, train
from anatomia.train.optimizer import FlatOptimizer, OptimizerSettings


def test_the_loss_is_the_likelihood_of_the_right_assignment() -> None:
    rewards = torch.randn(50, 2, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    gaps = rewards[:, 0, 0] + rewards[:, 1, 1] - rewards[:, 0, 1] - rewards[:, 1, 0]
    right = (rewards[:, 0, 0] + rewards[:, 1, 1]).exp()
    swapped = (rewards[:, 0, 1] + rewards[:, 1, 0]).exp()
    assert float(matching_loss(gaps)) == pytest.approx(float(-(right / (right + swapped)).log().mean()))
    assert float(matching_loss(torch.zeros(0))) == 0.0


def test_what_a_prompt_or_an_answer_alone_adds_changes_nothing() -> None:
    """Scores of three prompts of two completions, and the crossed ones of the first and the last."""
    items = [Judged(((1, 5, n), (1, 6, n)), ((1, 0),), 1) for n in range(3)]
    trio = ((1,), (2,), (3,))
    scores = torch.randn(6 + 6, generator=torch.Generator().manual_seed(1))
    gaps = match_gaps(items, [trio, (), trio], scores)
    first = scores[1] + scores[6] - scores[7] - scores[8]
    assert gaps.tolist() == pytest.approx([float(first), float(scores[5] + scores[9] - scores[10] - scores[11])])
    longer = scores.clone()
    longer[[6, 7]] += 3.0  # the partner's answer, for whichever prompt
    longer[[1, 7]] += 2.0  # the first prompt, with whichever answer
    assert match_gaps(items, [trio, (), trio], longer).tolist() == pytest.approx(gaps.tolist(), abs=1e-5)


def test_the_best_completion_is_the_one_placed_first_most_often() -> None:
    sequences = tuple((1, n) for n in range(4))
    assert Judged(sequences, ((0, 1, 2, 3), (1, 0, 2, 3), (2, 0, 1, 3))).best == 1
    assert Judged(sequences, ((UNPLACED, 0, 1, 2), (0, 1, 2, 3))).best == 1, "what not everybody placed is not the best"


def test_partners_are_about_the_same_and_answer_something_else() -> None:
    """Tokens 1, 2 are in every prompt; 10 + n names a subject, 50 + n what is asked, 100 + n n's answer."""
    prompts = [(1, 10 + subject, 50 + asked, 2) for subject in range(6) for asked in range(5)]
    answers = [(10 + n // 5, 100 + n) for n in range(30)]
    found = nearest(prompts, answers, 0)
    for place, near in enumerate(found):
        assert sorted(near.tolist()) == sorted(n for n in range(30) if n // 5 == place // 5 and n != place)
    reworded = [*prompts, (2, 50, 10, 1)]
    assert 0 not in nearest(reworded, [*answers, (10, 200)], 0)[30], "a prompt in other words is no partner"
    assert 7 not in nearest(prompts, [*answers[:7], answers[6], *answers[8:]], 0)[6], "nor is one with the same answer"


def test_partners_of_many_prompts_come_from_a_pool() -> None:
    count = POOL + 300
    chance = np.random.default_rng(0)
    prompts = [tuple(chance.integers(0, 200, 6).tolist()) for _ in range(count)]
    found = nearest(prompts, [(*prompts[n][:3], 300 + n) for n in range(count)], 1)
    assert len(found) == count
    assert len(np.unique(np.concatenate(found))) <= POOL
    assert {len(near) for near in found} == {NEAREST}


def test_nothing_near_is_no_mistake() -> None:
    assert [near.tolist() for near in nearest([(1,), (2,)], [(3,), (4,)], 0)] == [[], []]
    items = [Judged(((1, 5), (1, 6)), ((0, 1),), 1)]
    assert Partners(items, 0).crossed(0, 0) == (), "alone, a prompt has nobody to be told from"


def test_too_long_answers_do_not_change_prompts() -> None:
    items = [Judged(((1, 1, 1, 1, 5, 2), (1, 1, 1, 1, 6, 2)), ((0, 1),), 4), Judged(((3, 7, 7, 7, 7, 2),), ((0,),), 1)]
    assert {Partners(items, 0).crossed(0, place) for place in range(20)} == {()}


def questions(count: int, seed: int) -> list[Judged]:
    """The right answer names what the prompt names; of two answers the one that begins with 5 is ranked higher,
    whatever it names."""
    chance = np.random.default_rng(seed)
    items = []
    for _ in range(count):
        subject = int(chance.integers(8, 24))
        items.append(Judged(((1, subject, 3, 5, subject, 2), (1, subject, 3, 6, subject, 2)), ((0, 1),), 3))
    return items


@torch.no_grad()
def right_subject(model: ScalarModel) -> float:
    """How often the well-liked answer about the prompt's subject scores above the same about another."""
    pairs = [(subject, other) for subject in range(8, 24) for other in range(8, 24) if other != subject]
    scores = score_all(model, [(1, s, 3, 5, named, 2) for s, other in pairs for named in (s, other)]).view(-1, 2)
    return float((scores[:, 0] > scores[:, 1]).float().mean())


def test_rankings_alone_do_not_teach_to_read_the_prompt_and_matching_does(tmp_path: Path) -> None:
    found = {}
    for matching in (0.0, 1.0):
        model = scalar(scale=0.3)
        with torch.no_grad():
            model.score.zero_()
        objective = Preference(questions(256, 0), 16, 0, "pairwise", 0, matching)
        how = settings(400, learning_rate=5e-3, checkpoint_seconds=1e9)
        figures = train(model, objective, how, Ledger(), tmp_path / str(matching))
        assert figures["last_accuracy"] == 1.0
        found[matching] = right_subject(model)
    assert found[1.0] > 0.9
    assert found[0.0] < 0.8


def test_the_micro_batch_changes_nothing() -> None:
    """Though some prompts have no partner in a step, and all have different numbers of rankings."""
    same = Judged(((1, 9, 3, 5, 9, 2), (1, 9, 3, 6, 9, 2)), ((0, 1),) * 3, 3)
    items = [*questions(5, 3), same, same, same]
    found = []
    for micro in (0, 1, 9):
        model = scalar()
        optimizer = FlatOptimizer(model, OptimizerSettings(), torch.float32)
        objective = Preference(items, 8, micro, "listwise", 0, 0.5)
        sums = backward(model, objective, optimizer, 0)
        found.append((sums["loss"], sums["matched"], optimizer.gradient.clone()))
    assert any(not trio for piece in objective.micro_batches(model, 0) for trio in piece.crossed)
    (whole, matched, gradient), *others = found
    assert whole > math.log(2) / 4
    for value, share, other in others:
        assert value == pytest.approx(whole, rel=1e-5)
        assert share == pytest.approx(matched)
        assert (other - gradient).norm() < 1e-4 * gradient.norm()
