"""Agreement between people as those who collected their judgements published it."""

import itertools
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from anatomia.feedback.agreement import annotators_agreement, cohen_kappa, krippendorff_alpha, order_kappa
from anatomia.feedback.ranked import by_prompt
from anatomia.feedback.ranking import Ranking
from anatomia.feedback.sources import read_rankings
from anatomia.text.records import read_records

pytestmark = pytest.mark.real

Places = list[tuple[str, int]]  # names of what was ranked, in the order it was shown, and their places


def shown(path: Path) -> Iterator[tuple[str, str, Places]]:
    """Segment, judge and places of each of WMT16's rankings."""
    rankings: dict[str, tuple[str, str, dict[str, int]]] = {}
    for record in read_records([path]):
        row = record.value
        places = rankings.setdefault(row["rankingID"], (row["segmentId"], row["judgeID"], {}))[2]
        for side in "12":
            places.setdefault(row[f"system{side}Id"], int(row[f"system{side}rank"]))
    for segment, judge, places in rankings.values():
        yield segment, judge, list(places.items())


def joined(places: Places) -> list[Places]:
    """The five translations that were shown, where several systems wrote the same one: all ways to join neighbours.

    WMT16 showed each translation once and wrote its place down for each system it came from, one after the other. Its
    agreement is that of the translations, but which systems wrote the same is not in the file.
    """
    ways = []
    for cuts in itertools.combinations(range(1, len(places)), 4):
        parts = [places[a:b] for a, b in itertools.pairwise([0, *cuts, len(places)])]
        if all(len({place for _, place in part}) == 1 for part in parts):
            ways.append([("+".join(name for name, _ in part), part[0][1]) for part in parts])
    return ways


def fit_together(rankings: Sequence[Places]) -> bool:
    """Whether the same systems are joined in all rankings of a segment."""
    texts = [[frozenset(name.split("+")) for name, _ in places] for places in rankings]
    return all(a == b or not a & b for one, other in itertools.combinations(texts, 2) for a in one for b in other)


def labels(path: Path) -> dict[tuple[str, str], dict[tuple[str, str], list[int]]]:
    """What each judge said of each segment's pairs of translations, in the order they were shown in."""
    by_segment: dict[str, list[tuple[str, Places]]] = defaultdict(list)
    for segment, judge, places in shown(path):
        by_segment[segment].append((judge, places))
    found: dict[tuple[str, str], dict[tuple[str, str], list[int]]] = defaultdict(lambda: defaultdict(list))
    for segment, given in by_segment.items():
        ways = [joined(places) for _, places in given]
        several = any(len(places) > 5 for _, places in given)
        whole = (way for way in itertools.product(*ways) if not several or fit_together(way))
        for (judge, _), places in zip(given, next(whole, tuple(way[0] for way in ways)), strict=True):
            for (a, first), (b, second) in itertools.combinations(places, 2):
                found[segment, judge][a, b].append(int(np.sign(second - first)))
    return found


def test_wmt16_turkish_to_english(real_data: Path) -> None:
    """Bojar et al. 2016, "Findings of the 2016 Conference on Machine Translation", as the organisers' repository gives
    it (cfedermann/wmt16, wmt16.scores.readme.txt): P(A), P(E) and kappa to three digits."""
    said = labels(real_data / "preference/wmt/wmt16.tur-eng.csv.gz")
    between: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    for (segment, _), pairs in said.items():
        for (a, b), given in pairs.items():
            between[segment, a, b] += given
    assert [f"{value:.3f}" for value in order_kappa(list(between.values()))] == ["0.554", "0.345", "0.319"]
    within = [
        given for pairs in said.values() if any(len(given) > 1 for given in pairs.values()) for given in pairs.values()
    ]
    assert [f"{value:.3f}" for value in order_kappa(within)] == ["0.714", "0.352", "0.559"]
    assert sum(map(len, within)) == 610
    assert sum(given.count(0) for given in within) == 136


def pandalm(real_data: Path) -> list[tuple[Ranking, ...]]:
    return by_prompt(list(read_rankings([real_data / "preference/pandalm/testset-v1.json"])))


PANDALM_REST = {(1, 1, 1): 94, (2, 2, 2): 99, (1, 2, 2): 3, (1, 1, 2): 2, (1, 2, 1): 1}
"""What the three annotators say, and how often, in the 199 records of PandaLM's test set that follow the 800 here."""


def test_pandalm(real_data: Path) -> None:
    """Wang et al. 2023, "PandaLM" (the table in the repository's README): Cohen's kappa of each two annotators over 999
    pairs, and how often the majority says tie, first and second."""
    rows = [record.value for record in read_records([real_data / "preference/pandalm/testset-v1.json"])]
    some = np.array([[row[f"annotator{number}"] for row in rows] for number in (1, 2, 3)], dtype=float)
    rest = np.array([said for said, times in PANDALM_REST.items() for _ in range(times)], dtype=float).T
    labels = np.concatenate([some, rest], 1)
    assert labels.shape == (3, 999)
    found = [f"{cohen_kappa(labels[a], labels[b]):.2f}" for a, b in ((0, 1), (0, 2), (1, 2))]
    assert found == ["0.85", "0.88", "0.86"]
    votes = [np.bincount(given.astype(int), minlength=3).argmax() for given in labels.T]
    assert np.bincount(votes).tolist() == [105, 422, 472]
    kappas = [cohen_kappa(some[a], some[b]) for a, b in ((0, 1), (0, 2), (1, 2))]
    # The same through rankings, as the rank stage has it; pairs asked twice are one prompt there.
    prompts = [rankings for rankings in pandalm(real_data) if len(rankings) == 3]
    found = annotators_agreement(
        [[one.groups for one in rankings] for rankings in prompts],
        [[one.annotator[-1] for one in rankings] for rankings in prompts],
        [2] * len(prompts),
    )
    assert {tuple(pair["annotators"]): pair["prompts"] for pair in found} == dict.fromkeys(
        [("1", "2"), ("1", "3"), ("2", "3")], len(prompts)
    )
    for pair, kappa in zip(found, kappas, strict=True):
        assert pair["cohen_kappa"] == pytest.approx(kappa, abs=0.02)


def test_kappa_and_alpha_are_near_each_other_where_nothing_is_missing(real_data: Path) -> None:
    """With three annotators of everything, nominal alpha is Fleiss' kappa but for a correction of small samples."""
    orders = [
        [(-1, 1)[one.groups[0] == (0,)] if len(one.groups) == 2 else 0 for one in rankings]
        for rankings in pandalm(real_data)
        if len(rankings) == 3
    ]
    alpha = krippendorff_alpha(np.array(orders, dtype=float).T, "nominal")
    assert order_kappa(orders)[2] == pytest.approx(alpha, abs=0.01)
