"""The reward stage on rankings of a few made-up answers: what it leaves, and what its numbers are normalised on."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from faults.small_world import MACHINE
from model.tiny import decoder
from tokens.chat_templates import TOOLS, somebodys

from anatomia.base import machine
from anatomia.base.artifact import Artifact, publish, workspace
from anatomia.base.errors import UserError
from anatomia.base.events import Ledger
from anatomia.base.files import read_json, write_jsonl
from anatomia.feedback.ranked import by_prompt, score
from anatomia.feedback.ranking import Ranking
from anatomia.model.checkpoint import load_scalar
from anatomia.stages.models import save
from anatomia.stages.rank import line_of_stars, lines_of_rankings
from anatomia.stages.reward import RewardSettings, check, policy_samples, run, scores_of
from anatomia.stages.reward_data import encode, load_cases, prompt_length
from anatomia.stages.stage import Context, Metrics
from anatomia.tokens.dialogue import prompt_ids
from anatomia.tokens.vocabulary import Vocabulary, train_vocabulary

WORDS = ("river", "house", "apple", "stone", "cloud", "bird", "tree", "lamp")


@pytest.fixture(autouse=True)
def _machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_applied", MACHINE)


def artifact(directory: Path, kind: str) -> Artifact:
    """What lies in a directory's workspace, published."""
    record: dict[str, Any] = {"settings": {}, "parents": {}, "metrics": {}, "seconds": 1.0}
    return publish(workspace(directory, kind), directory, kind=kind, fingerprint=kind, **record)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Artifact]:
    """A policy, and two annotators' rankings of answers to 80 prompts: the more often an answer says "good", the
    better; the second annotator does not tell one from two."""
    root = tmp_path_factory.mktemp("reward")
    vocabulary = train_vocabulary(["what is the good bad " + " ".join(WORDS)] * 3, 330)
    model = decoder(vocabulary=vocabulary.size, context=64, begin=vocabulary.begin, end=(vocabulary.end,))
    work = workspace(root / "finetune", "finetune")
    save(work, model, vocabulary)
    rankings = []
    chance = np.random.default_rng(0)
    for n in range(80):
        goods = chance.permutation(3).tolist()
        texts = tuple(" ".join(["good"] * count + chance.choice(WORDS, 2).tolist()) for count in goods)
        prompt = ({"role": "user", "content": f"what is {' '.join(chance.choice(WORDS, 2))} {n}?"},)
        order = sorted(range(3), key=lambda k: -goods[k])
        groups = (tuple((k,) for k in order), (tuple(order[:2]), (order[2],)))
        rankings += [
            Ranking(str(n), prompt, texts, g, name) for g, name in zip(groups, ("file:a", "file:b"), strict=True)
        ]
    ranked = score(by_prompt(rankings), 0.3)
    work = workspace(root / "rank", "rank")
    write_jsonl(work / "rankings.jsonl", lines_of_rankings(ranked))
    write_jsonl(work / "stars.jsonl", map(line_of_stars, ranked))
    return {"finetune": artifact(root / "finetune", "finetune"), "rank": artifact(root / "rank", "rank")}


def learn(inputs: dict[str, Artifact], work: Path, **changes: Any) -> Metrics:
    work.mkdir(exist_ok=True)
    settings = RewardSettings(**{"epochs": 8, "batch": 8, "learning_rate": 1e-2, "matching": 0.0} | changes)
    return run(Context({"reward": settings}, inputs, work, Ledger(), 5, work))


@pytest.mark.parametrize(
    "changes",
    [{"loss": "listwise"}, {"loss": "pairwise", "margin": 1.0}, {"loss": "stars"}],
    ids=["listwise", "pairwise", "stars"],
)
def test_it_learns_and_its_card_says_so(inputs: dict[str, Artifact], tmp_path: Path, changes: dict[str, Any]) -> None:
    metrics = learn(inputs, tmp_path, **changes)
    assert metrics["held_out_accuracy"] > 0.9
    found = read_json(tmp_path / "reward_card.json")
    model = found["agreement"]["model"]
    assert metrics["held_out_tau"] == model["tau"]["value"] > 0.7
    assert metrics["held_out_tau_interval"] == [model["tau"]["low"], model["tau"]["high"]]
    assert metrics["annotators_tau"] == found["agreement"]["one_another"]["tau"]["value"] < 1.0, "the second one's ties"
    assert found["length"]["people_correlation"]["value"] > 0.9, "good answers are longer here, and the card says it"
    assert found["probes"]["empty"]["falls"] > 0.9
    specimens = read_json(tmp_path / "specimens.json")
    assert specimens["calibration"] == found["calibration"]["points"]
    assert [c["stars"] for c in specimens["judgements"][0]["completions"]] != [None] * 3
    assert load_scalar(tmp_path).decoder.config.context == 64


def test_rewards_of_the_policys_own_answers_have_mean_0_and_deviation_1(
    inputs: dict[str, Artifact], tmp_path: Path
) -> None:
    """Not of the answers it learnt from, which it knows by heart, nor of somebody else's in files."""
    normalization = learn(inputs, tmp_path)["normalization"]
    cases, _ = load_cases(inputs["rank"], Vocabulary.load(inputs["finetune"].path), 64)
    items = [case.item for case in cases["held_out"] + cases["train"]]
    samples = policy_samples(inputs["finetune"], items, 5)
    assert len(samples) == normalization["samples"] == 4 * 80
    assert {sample[: item.prompt] for sample, item in zip(samples, items, strict=False)} == {i.question for i in items}
    rewards = (scores_of(load_scalar(tmp_path), samples) - normalization["mean"]) / normalization["deviation"]
    assert rewards.mean() == pytest.approx(0.0, abs=1e-3)
    assert rewards.std() == pytest.approx(1.0, abs=1e-3)
    assert normalization == read_json(tmp_path / "normalization.json")
    assert normalization["temperature"] > 0


def test_the_same_twice(inputs: dict[str, Artifact], tmp_path: Path) -> None:
    first, second = (learn(inputs, tmp_path / name, epochs=1) for name in "ab")
    timed = {"tokens_per_second", "train_seconds"}
    assert {k: v for k, v in first.items() if k not in timed} == {k: v for k, v in second.items() if k not in timed}
    for name in ("model.safetensors", "reward_card.json", "normalization.json", "specimens.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_cases_keep_texts_tokens_and_stars_together(inputs: dict[str, Artifact]) -> None:
    vocabulary = Vocabulary.load(inputs["finetune"].path)
    cases, too_long = load_cases(inputs["rank"], vocabulary, 64)
    assert too_long == 0
    assert 10 < len(cases["held_out"]) < 40
    for case in cases["train"] + cases["held_out"]:
        assert case.best.split().count("good") == max(text.split().count("good") for text in case.completions)
        assert case.item.stars[case.item.best] == max(case.item.stars) > 4
        for text, sequence in zip(case.completions, case.item.sequences, strict=True):
            assert vocabulary.decode(sequence[case.item.prompt :]) == text
    assert load_cases(inputs["rank"], vocabulary, 8)[1] == 80


def test_prompts_keep_calls_of_tools(tmp_path: Path) -> None:
    """What it reads of a prompt is what the policy answered."""
    vocabulary = somebodys(tmp_path, TOOLS)
    call = {"type": "function", "function": {"name": "river", "arguments": {"of": "Olsza"}}}
    prompt = (
        {"role": "user", "content": "river?"},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "content": "Olsza"},
        {"role": "user", "content": "where?"},
    )
    asked = prompt_ids(vocabulary, list(prompt))
    assert "river" in vocabulary.decode(asked[6:])
    sequence = encode(vocabulary, prompt, "here")
    assert sequence[: prompt_length(vocabulary, prompt)] == asked
    assert vocabulary.decode(sequence[len(asked) :]) == "here"


def test_margins_without_pairs_are_refused() -> None:
    settings = SimpleNamespace(reward=RewardSettings(loss="listwise", margin=0.5))
    with pytest.raises(UserError, match=r'^reward.margin = 0.5 is for pairs, and reward.loss = "listwise" knows none'):
        check(settings, Path())
    check(SimpleNamespace(reward=RewardSettings(loss="pairwise", margin=0.5)), Path())
