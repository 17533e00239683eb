"""What people are asked next."""

import io
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from test_davidson import simulated

from anatomia.feedback.asking import Asker, most_telling, order_gains
from anatomia.feedback.ranking import Candidates, Ranking
from anatomia.feedback.store import RankingStore
from anatomia.feedback.terminal import rank_in_terminal

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))


def test_a_gain_is_the_mutual_information_of_the_answer_with_scores_and_order() -> None:
    tie, random = -0.3, np.random.default_rng(0)
    scores = random.multivariate_normal([0.3, -0.5, 0.1], [[1.2, 0.4, 0], [0.4, 0.8, 0], [0, 0, 2]], 20_000)
    gap = (scores[:, 0] - scores[:, 1]) / 2
    chance = np.exp(np.stack([gap, np.full_like(gap, tie), -gap], 1))
    chance /= chance.sum(1, keepdims=True)

    def entropy(p: np.ndarray) -> np.ndarray:
        return -(p * np.log(p)).sum(-1)

    expected = float(entropy(chance.mean(0)) - entropy(chance).mean())  # of the answer and the scores
    for a, b in ((0, 1), (0, 2), (1, 2)):
        joint = np.array([chance[scores[:, a] > scores[:, b]].sum(0), chance[scores[:, a] <= scores[:, b]].sum(0)])
        joint /= joint.sum()
        expected += float((joint * np.log(joint / np.outer(joint.sum(1), joint.sum(0)))).sum())
    gains = order_gains(scores, np.full(20_000, 1 / 20_000), tie)
    assert gains[0, 1] == pytest.approx(expected, rel=1e-9)
    assert np.allclose(gains, gains.T)
    assert np.allclose(np.diag(gains), 0)


def normal(mode: list[float], variance: float) -> tuple[np.ndarray, np.ndarray]:
    scores = mode + np.sqrt(variance) * np.random.default_rng(1).normal(size=(500, len(mode)))
    return scores, np.full(500, 1 / 500)


def test_it_is_asked_what_is_open_and_whom_one_can_believe() -> None:
    openly = order_gains(*normal([0, 0], 1), -1.0)[0, 1]
    assert openly > order_gains(*normal([8, 0], 1), -1.0)[0, 1]
    assert openly > order_gains(*normal([0, 0], 0.01), -1.0)[0, 1]
    assert openly > order_gains(*normal([0, 0], 1), -1.0, reliability=0.3)[0, 1]
    gains = order_gains(*normal([3, 2.9, 0, -3, -3.1, -3.05], 0.3), -1.0)
    assert most_telling(gains, range(6), 3)[0] == (3, 4, 5)
    assert most_telling(gains, [0, 1, 2, 3], 2)[0] == (0, 1)


def test_of_many_sets_a_good_one_is_found() -> None:
    random = np.random.default_rng(2)
    for n, share in ((14, 1.0), (40, 0.95)):  # 2,002 sets, all weighed up, and 658,008
        gains = order_gains(*normal(list(random.normal(0, 2, n)), 0.5), -1.0)
        chosen, gain = most_telling(gains, range(n), 5)
        assert len(set(chosen)) == 5
        assert gain == pytest.approx(gains[np.ix_(chosen, chosen)].sum() / 4)
        some = [gains[np.ix_(s, s)].sum() / 4 for s in (random.choice(n, 5, replace=False) for _ in range(300))]
        assert gain >= np.quantile(some, share)


def test_prompts_that_nobody_ranked_come_first_and_those_all_agree_on_last() -> None:
    names = list("abcdefgh")
    noisy = [((0,), (1,), (2,)), ((1,), (0,), (2,)), ((0,), (2,), (1,)), ((2,), (0,), (1,))]
    prompts = [[((0,), (1,), (2,))] * 8, *[(noisy * 2)[k:] + (noisy * 2)[:k] for k in range(8)], []]
    asker = Asker([3] * 10, prompts, [names] * 9 + [[]])
    assert asker.question("a").prompt == 9  # type: ignore[union-attr]
    gains = [asker.question("a", among=[place]).gain for place in range(9)]  # type: ignore[union-attr]
    assert min(gains) == gains[0]
    assert asker.question("a", among=[]) is None
    for name in names:
        asker.answer(9, ((0,), (1,), (2,)), name)
    assert asker.question("a").prompt not in (0, 9)  # type: ignore[union-attr]
    asker.update(9, [], [])
    assert asker.question("a").prompt == 9  # type: ignore[union-attr]


def test_who_guesses_is_asked_last() -> None:
    prompts, _ = simulated(3, 40, [1.2, 1.2, 0.0], 1.5)
    asker = Asker([4] * 41, [*prompts, []], [*[["ala", "ola", "zgaduj"]] * 40, []])
    name, question = asker.whom(["zgaduj", "ola"])  # type: ignore[misc]
    assert (name, question.prompt) == ("ola", 40)
    assert asker.whom(["zgaduj"], among=[]) is None


def test_equal_prompts_come_in_their_order() -> None:
    asker = Asker([4] * 5)
    for expected in range(5):
        question = asker.question("a")
        assert question is not None
        assert question.prompt == expected
        asker.answer(question.prompt, ((0,), (1,), (2,), (3,)), "a")


def typed(*lines: str) -> Callable[[str], str]:
    left = list(lines)

    def read(question: str) -> str:
        if not left:
            raise EOFError
        return left.pop(0)

    return read


def test_of_many_completions_people_see_some_at_a_time_until_all_are_placed(tmp_path: Path) -> None:
    prompt = ({"role": "user", "content": "Which?"},)
    many = Candidates("p", prompt, tuple(f"answer {number}" for number in range(8)))
    store = RankingStore(tmp_path / "rankings.sqlite")
    screen = Console(file=io.StringIO(), width=100)
    given = rank_in_terminal([many], store, "ola", screen, typed(*["a>b>c>d>e"] * 9))
    placed = [[index for group in ranking.groups for index in group] for ranking in store.rankings()]
    assert given == len(placed) < 9
    assert all(len(indices) == 5 for indices in placed)
    assert set().union(*placed) == set(range(8))
    assert set(placed[0]) != set(placed[1])


def test_others_rankings_decide_what_one_is_asked(tmp_path: Path) -> None:
    several = [Candidates(name, ({"role": "user", "content": name},), ("x", "y", "z")) for name in "pqr"]
    store = RankingStore(tmp_path / "rankings.sqlite")
    for annotator in ("jan", "ela"):
        for one in (several[0], several[2]):
            store.add(Ranking(one.prompt_id, one.prompt, one.completions, ((0,), (1,), (2,)), annotator))
    rank_in_terminal(several, store, "ola", Console(file=io.StringIO()), typed("abc"))
    assert store.rankings("ola")[0].prompt_id == "q"


def test_asking_what_is_telling_takes_fewer_rankings() -> None:
    """A small sample of bench/active_selection.py, which says by how many."""
    from active_selection import curve

    taus = np.array(
        [[curve(seed, way, 4, 10, 4, 60) for way in ("random", "both")] for seed in range(2)]
    )  # [seeds, ways, looks]
    random, active = taus.mean(0)
    assert active[-1] > random[-1] + 0.02
    assert (active[2:] > random[2:]).mean() > 0.8
    assert (active >= random[-1]).argmax() <= 0.7 * len(random)
