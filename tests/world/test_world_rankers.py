"""Simulated rankers mostly agree with the judge, each in their own way."""

from itertools import combinations

from anatomia.world import SimulatedRankers, World
from anatomia.world.rankers import HABITS

WORLD = World(1)


def cases() -> list[tuple[object, list[str], list[bool], str]]:
    """Prompts with completions of mixed quality."""
    rows = []
    for index, prompt in enumerate(WORLD.prompts("train", 0, 150)):
        question = WORLD.question(prompt.meta["question_id"])
        wrong = WORLD.question(WORLD.prompts("train", index + 1, 1)[0].meta["question_id"]).full
        texts = [question.full, question.answers[0], wrong, question.full + " " + question.full, ""]
        rows.append((prompt, texts, [True] * 5, f"p{index}"))
    return rows


def tau(ranking: object, scores: list[float]) -> float:
    """Kendall's tau-a of one ranking against scores; the unplaced are last."""
    place = {index: rank for rank, group in enumerate(ranking.groups) for index in group}  # type: ignore[attr-defined]
    ranks = [-place.get(index, 99) for index in range(len(scores))]
    signs = [
        ((ranks[i] > ranks[j]) - (ranks[i] < ranks[j])) * ((scores[i] > scores[j]) - (scores[i] < scores[j]))
        for i, j in combinations(range(len(scores)), 2)
    ]
    return sum(signs) / len(signs)


def test_rankers_agree_with_the_judge_but_not_wholly() -> None:
    rankers = SimulatedRankers(WORLD, len(HABITS), 0)
    totals = dict.fromkeys(rankers.annotators, 0.0)
    rows = cases()
    for prompt, texts, finished, name in rows:
        scores = [WORLD.judge(prompt.meta["question_id"], text, True).score for text in texts]  # type: ignore[attr-defined]
        for ranking in rankers.rank(prompt, texts, finished, name):  # type: ignore[arg-type]
            assert ranking.annotator.startswith("simulated:")
            totals[ranking.annotator] += tau(ranking, scores) / len(rows)
    assert all(0.5 < value < 1.001 for value in totals.values()), totals
    assert 0.7 < sum(totals.values()) / len(totals) < 0.99, totals


def test_rankings_depend_on_seed_prompt_and_annotator_alone() -> None:
    prompt, texts, finished, name = cases()[0]
    once = SimulatedRankers(WORLD, 3, 7).rank(prompt, texts, finished, name)  # type: ignore[arg-type]
    more = SimulatedRankers(WORLD, 10, 7).rank(prompt, texts, finished, name)  # type: ignore[arg-type]
    assert once == more[:3]
    assert len({ranking.annotator for ranking in more}) == 10


def test_the_same_text_twice_is_tied() -> None:
    prompt, texts, _, name = cases()[0]
    for ranking in SimulatedRankers(WORLD, 8, 1).rank(prompt, [texts[0], "Hm.", texts[0]], [True] * 3, name):  # type: ignore[arg-type]
        assert any({0, 2} <= set(group) for group in ranking.groups)
