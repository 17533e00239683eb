"""The rank stage: who ranked what becomes rankings, stars and figures."""

import hashlib
import json
import math
from pathlib import Path
from typing import Any

import pytest

from anatomia.base.artifact import Artifact
from anatomia.base.errors import UserError
from anatomia.base.events import Ledger
from anatomia.base.files import read_json, read_jsonl, write_jsonl
from anatomia.feedback.ranked import held_out_prompts
from anatomia.feedback.ranking import Candidates, Ranking
from anatomia.feedback.store import STORE, RankingStore
from anatomia.stages.corpus import WorldSettings
from anatomia.stages.rank import RankSettings, run
from anatomia.stages.stage import Context
from anatomia.world import World

WORLD_SEED = 1


@pytest.fixture(scope="module")
def world_samples() -> list[dict[str, Any]]:
    """Samples of six questions of the world: full, bare, wrong, and going on and on."""
    samples = []
    for number, question in enumerate(World(WORLD_SEED).questions("train", "en")[:6]):
        texts = [question.full, question.answers[0], "I do not know.", f"{question.full} {question.full} and"]
        samples.append(
            {
                "prompt_id": f"p{number}",
                "prompt": [{"role": "user", "content": question.text}],
                "completions": [
                    {"text": text, "ids": [], "logprobs": [], "finished": n < 3} for n, text in enumerate(texts)
                ],
                "meta": {"question_id": question.id, "language": "en"},
            }
        )
    return samples


def context(tmp_path: Path, settings: RankSettings, samples: list[dict[str, Any]] = []) -> Context:  # noqa: B006
    sample, work = tmp_path / "sample", tmp_path / ".rank.building"
    sample.mkdir(exist_ok=True)
    work.mkdir(exist_ok=True)
    write_jsonl(sample / "samples.jsonl", samples)
    artifact = Artifact(sample, "sample", "", {}, {}, {}, {}, 0.0, "")
    sections = {"rank": settings, "world": WorldSettings(seed=WORLD_SEED)}
    return Context(sections, {"sample": artifact}, work, Ledger(), seed=3, root=tmp_path)


def lines(context: Context, name: str) -> list[dict[str, Any]]:
    return list(read_jsonl(context.work / name))


def test_simulated_rankers_prefer_the_right_answer(tmp_path: Path, world_samples: list[dict[str, Any]]) -> None:
    made = context(tmp_path, RankSettings(simulated_rankers=3), world_samples)
    metrics = run(made)
    assert metrics["rankings_by"] == {"simulated": 18}
    assert (metrics["prompts"], metrics["annotators"], metrics["completions"]) == (6, 3, 24)
    assert metrics["kendall_tau"] > 0
    for row in lines(made, "stars.jsonl"):
        for way in ("linear", "bradley_terry", "plackett_luce", "davidson"):
            full, _, wrong, _ = row[way]
            assert 5 >= full > wrong >= 0
    rankings = [Ranking.from_json(row) for row in lines(made, "rankings.jsonl")]
    assert all(ranking.annotator.startswith("simulated:") for ranking in rankings)


def test_the_same_again_is_the_same_bytes(tmp_path: Path, world_samples: list[dict[str, Any]]) -> None:
    made = context(tmp_path, RankSettings(), world_samples)
    run(made)
    first = {path.name: path.read_bytes() for path in made.work.iterdir()}
    run(made)
    assert first == {path.name: path.read_bytes() for path in made.work.iterdir()}


def test_where_people_ranked_simulated_rankers_keep_silent(tmp_path: Path, world_samples: list[dict[str, Any]]) -> None:
    store = RankingStore(tmp_path / STORE)
    one = Candidates.from_sample(world_samples[2])
    store.add(Ranking(one.prompt_id, one.prompt, one.completions, ((2,), (0, 1), (3,)), "ola", 7.0))
    before = hashlib.sha256((tmp_path / STORE).read_bytes()).hexdigest()
    made = context(tmp_path, RankSettings(simulated_rankers=2), world_samples)
    metrics = run(made)
    assert metrics["rankings_by"] == {"people": 1, "simulated": 10}
    (row,) = [row for row in lines(made, "stars.jsonl") if row["prompt_id"] == one.prompt_id]
    assert row["linear"] == [2.5, 2.5, 5, 0]
    assert hashlib.sha256((tmp_path / STORE).read_bytes()).hexdigest() == before  # reading leaves the stage fresh


def test_new_completions_and_old_rankings_of_a_prompt_stay_apart(
    tmp_path: Path, world_samples: list[dict[str, Any]]
) -> None:
    old = Candidates("p0", tuple(world_samples[0]["prompt"]), ("Old.", "Older."))
    RankingStore(tmp_path / STORE).add(Ranking("p0", old.prompt, old.completions, ((1,), (0,)), "ola", 7.0))
    made = context(tmp_path, RankSettings(simulated_rankers=1), world_samples)
    run(made)
    texts: dict[str, list[str]] = {}
    for row in lines(made, "rankings.jsonl"):
        assert texts.setdefault(row["prompt_id"], row["completions"]) == row["completions"]
    sides = {row["split"] for row in lines(made, "stars.jsonl") if row["prompt"] == list(old.prompt)}
    assert len(sides) == 1  # one prompt, one side


def test_files_become_stars_and_json_that_browsers_read(tmp_path: Path) -> None:
    rated = {"prompt": "Ask", "completions": ["a", "b", "c"], "stars": [1, None, 4]}
    pair = {"prompt": "Say", "chosen": "yes", "rejected": "no"}
    (tmp_path / "f.jsonl").write_text(f"{json.dumps(rated)}\n{json.dumps(pair)}\n", encoding="utf-8")
    made = context(tmp_path, RankSettings(by=("files",), rankings=("*.jsonl",)))
    metrics = run(made)
    first, second = lines(made, "stars.jsonl")
    assert first["linear"] == [0, None, 5]
    assert first["plackett_luce"][1] is None
    assert first["davidson"][1] is None
    assert first["davidson_interval"][1] is None
    assert second["linear"] == [5, 0]
    assert 2.5 < second["bradley_terry"][0] < 5  # one opinion is not certainty
    assert metrics["held_out_prompts"] == 1  # neither side is empty
    for path in made.work.iterdir():
        assert b"NaN" not in path.read_bytes()


def test_specimens_show_everyones_order(tmp_path: Path, world_samples: list[dict[str, Any]]) -> None:
    made = context(tmp_path, RankSettings(simulated_rankers=2), world_samples)
    run(made)
    shown = read_json(made.work / "specimens.json")["rankings"]
    assert len(shown) == 6
    for one in shown:
        assert len(one["annotators"]) == 2
        assert len(one["completions"]) == len(one["linear"]) == len(one["bradley_terry"]) == 4
        assert one["prompt"] in {sample["prompt"][0]["content"] for sample in world_samples}


def test_a_prompts_side_does_not_depend_on_the_others() -> None:
    prompts = [Candidates(str(n), ({"role": "user", "content": f"Question {n}"},), ("a", "b")) for n in range(2000)]
    some, more = held_out_prompts(prompts[:1000], 0.1), held_out_prompts(prompts, 0.1)
    assert some <= more
    assert abs(len(more) - 200) < 5 * math.sqrt(180)
    assert held_out_prompts(prompts, 0) == set()


def test_what_is_missing_is_said_with_the_way_out(tmp_path: Path) -> None:
    strange = {
        "prompt_id": "p",
        "prompt": [{"role": "user", "content": "Ask"}],
        "completions": [{"text": "a", "finished": True}, {"text": "b", "finished": True}],
        "meta": {},
    }
    for settings, complaint in (
        (RankSettings(), rf"no prompt was ranked.*anatomia rank {tmp_path}"),
        (RankSettings(by=("people",)), rf"nobody has ranked yet.*anatomia rank {tmp_path}"),
        (RankSettings(rankings=("x.jsonl",)), r'rank\.rankings names files.*add "files"'),
        (RankSettings(by=("files",)), r'rank\.by has "files".*names none'),
        (RankSettings(by=("files",), rankings=("x.jsonl",)), r"rank\.rankings: 'x\.jsonl' matches no file"),
    ):
        with pytest.raises(UserError, match=complaint):
            run(context(tmp_path, settings, [strange]))


@pytest.mark.real
def test_real_rankings_of_several_annotators(tmp_path: Path, real_data: Path) -> None:
    files = tuple(str(real_data / "preference" / name) for name in ("oasst/*.jsonl", "pandalm/*.json", "squality/*.gz"))
    made = context(tmp_path, RankSettings(by=("files",), rankings=files))
    metrics = run(made)
    assert metrics["rankings"] == 172 + 2400 + 240
    assert 0.05 < metrics["held_out_prompts"] / metrics["prompts"] < 0.16
    assert 0.4 < metrics["krippendorff_alpha"] < 1
    assert metrics["linear_bradley_terry_tau"] > 0.95


def test_it_is_said_who_ranks_how_reliably(tmp_path: Path, world_samples: list[dict[str, Any]]) -> None:
    """Beside three who agree on twenty prompts, one who says the opposite."""
    lines_ = []
    for number in range(20):
        prompt = {"prompt_id": str(number), "prompt": [{"role": "user", "content": f"Question {number}"}]}
        for name in ("ala", "ola", "ela", "jan"):
            order = [[3], [2], [1], [0]] if name == "jan" else [[0], [1], [2], [3]]
            swap = (number + len(lines_)) % 3
            order[swap], order[swap + 1] = order[swap + 1], order[swap]  # nobody is without fault
            lines_.append(prompt | {"completions": ["a", "b", "c", "d"], "groups": order, "annotator": name, "time": 0})
    write_jsonl(tmp_path / "r.jsonl", lines_)
    made = context(tmp_path, RankSettings(by=("files",), rankings=("r.jsonl",)))
    metrics = run(made)
    assert metrics["contrary_annotators"] == ["jan"]
    assert metrics["careless_annotators"] == []
    found = read_json(made.work / "annotators.json")
    reliability = {one["name"]: one["reliability"] for one in found["annotators"]}
    assert reliability["jan"] < 0 < min(reliability[name] for name in ("ala", "ola", "ela"))
    assert len(found["pairs"]) == 6
    assert all((pair["kendall_tau"] < 0) == ("jan" in pair["annotators"]) for pair in found["pairs"])
    for row in lines(made, "stars.jsonl"):
        stars, intervals = row["davidson"], row["davidson_interval"]
        assert all(low <= star <= high for star, (low, high) in zip(stars, intervals, strict=True))
        assert stars[0] > stars[3]
