"""reward: a model that predicts which of several completions people would rank higher."""

import math
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import Field

from anatomia.base.artifact import Artifact
from anatomia.base.errors import UserError
from anatomia.base.files import read_jsonl, write_json
from anatomia.feedback.ranking import Ranking
from anatomia.model.scalar import ScalarModel
from anatomia.objectives.judged import UNPLACED, Judged
from anatomia.objectives.matching import Partners, match_gaps
from anatomia.objectives.preference import Loss, Preference, score_all
from anatomia.stages.models import TrainingSettings, loop_settings, open_model, policy_stage, save, training_metrics
from anatomia.stages.scorers import needs_reward_model
from anatomia.stages.stage import Context, Metrics, Stage
from anatomia.text.dialogue import Dialogue, Turn
from anatomia.tokens.dialogue import encode_dialogue
from anatomia.tokens.vocabulary import Vocabulary
from anatomia.train.loop import train

BINS = 10


class RewardSettings(TrainingSettings):
    """The section [reward].

    Attributes:
        loss: "listwise" (Plackett-Luce over each whole ranking), "pairwise" (Bradley-Terry over its pairs) or "stars"
            (logistic regression to the stars that all rankings of a prompt became).
        margin: with "pairwise", by how much better a completion of five stars is to be than one of none.
        matching: weight of a second loss, by which the model must tell which of two answers belongs to which of two
            prompts; 0 leaves it out.
        epochs: how often each ranked prompt is seen. batch: prompts, with all their completions, per update;
            micro_batch: per forward pass.
    """

    loss: Loss = "listwise"
    margin: float = Field(default=0.0, ge=0)
    matching: float = Field(default=1.0, ge=0)
    epochs: float = Field(default=2.0, gt=0)
    batch: int = Field(default=16, ge=1)
    learning_rate: float = Field(default=2e-4, gt=0)
    micro_batch: int = Field(default=16, ge=1)


def run(context: Context) -> Metrics:
    """Train the reward model from the policy's weights, and measure it on held-out rankings."""
    settings = context.settings["reward"]
    assert isinstance(settings, RewardSettings)
    ranks = context.inputs["rank"]
    (policy,) = [artifact for name, artifact in context.inputs.items() if name != "rank"]
    decoder, vocabulary = open_model(policy)
    model = ScalarModel(decoder)
    items, names, too_long = load_items(ranks, vocabulary, decoder.config.context)
    if not items["train"]:
        limit = decoder.config.context
        raise UserError(
            f"no ranking is left to learn from: prompts longer than the context ({limit} tokens): {too_long}"
        )
    batch = min(settings.batch, len(items["train"]))
    steps = max(1, int(np.ceil(settings.epochs * len(items["train"]) / batch)))
    micro = min(settings.micro_batch, batch)
    objective = Preference(
        items["train"], batch, micro, settings.loss, context.seed, settings.matching, settings.margin
    )
    trained = train(model, objective, loop_settings(settings, steps), context.ledger, context.resume)
    scored = score_items(model, items["train"])
    values = np.concatenate(scored)
    normalization = {"mean": float(values.mean()), "deviation": float(max(values.std(), 1e-6))}
    held_out = items["held_out"]
    judged = judge(held_out, score_items(model, held_out)) if held_out else {}
    save(context.work, model, vocabulary)
    write_json(context.work / "normalization.json", normalization)
    calibration = judged.pop("calibration", [])
    shown = judgements(ranks, names["held_out"] or names["train"], model, vocabulary, normalization)
    write_json(context.work / "specimens.json", {"judgements": shown, "calibration": calibration})
    return {
        "prompts": len(items["train"]),
        "rankings": sum(len(item.places) for item in items["train"]),
        "held_out_prompts": len(held_out),
        "prompts_too_long": too_long,
        "train_accuracy": judge(items["train"], scored).get("accuracy"),
        **{f"held_out_{key}": value for key, value in judged.items()},
        **({"held_out_matched": matched(model, held_out, context.seed)} if len(held_out) > 1 else {}),
        "normalization": normalization,
        **training_metrics(trained),
    }


def load_items(
    ranks: Artifact, vocabulary: Vocabulary, context: int
) -> tuple[dict[str, list[Judged]], dict[str, list[str]], int]:
    """The rankings of each split, those of one prompt together; their prompt ids; how many prompts were too long."""
    stars = {row["prompt_id"]: row["plackett_luce"] for row in read_jsonl(ranks.file("stars.jsonl"))}
    groups: dict[tuple[str, tuple[str, ...]], list[Ranking]] = defaultdict(list)
    splits: dict[str, str] = {}
    for row in read_jsonl(ranks.file("rankings.jsonl")):
        ranking = Ranking.from_json(row)
        if ranking.pairs():
            groups[ranking.prompt_id, ranking.completions].append(ranking)
            splits[ranking.prompt_id] = row["split"]
    items: dict[str, list[Judged]] = {"train": [], "held_out": []}
    names: dict[str, list[str]] = {"train": [], "held_out": []}
    too_long = 0
    for (name, completions), rankings in groups.items():
        sequences = tuple(tuple(encode(vocabulary, rankings[0].prompt, text)) for text in completions)
        if max(map(len, sequences)) > context:
            too_long += 1
            continue
        length = prompt_length(vocabulary, rankings[0].prompt)
        given = tuple(math.nan if star is None else float(star) for star in stars.get(name, ()))
        items[splits[name]].append(Judged(sequences, tuple(places(ranking) for ranking in rankings), length, given))
        names[splits[name]].append(name)
    return items, names, too_long


def encode(vocabulary: Vocabulary, prompt: Sequence[dict[str, str]], completion: str) -> list[int]:
    """A prompt with one completion and its end token."""
    turns = [Turn(message["role"], message["content"]) for message in prompt]  # type: ignore[arg-type]
    return encode_dialogue(vocabulary, Dialogue((*turns, Turn("assistant", completion)), "ranking"))[0]


def prompt_length(vocabulary: Vocabulary, prompt: Sequence[dict[str, str]]) -> int:
    """The number of tokens before a completion's first."""
    turns = [Turn(message["role"], message["content"]) for message in prompt]  # type: ignore[arg-type]
    weights = encode_dialogue(vocabulary, Dialogue((*turns, Turn("assistant", "1")), "ranking"))[1]
    end = len(weights) - weights[::-1].index(1)
    return next((place + 1 for place in range(end - 1, -1, -1) if not weights[place]), 0)


def places(ranking: Ranking) -> tuple[int, ...]:
    """For each completion, the number of its group, best 0."""
    found = [UNPLACED] * len(ranking.completions)
    for place, group in enumerate(ranking.groups):
        for index in group:
            found[index] = place
    return tuple(found)


@torch.no_grad()
def score_items(model: ScalarModel, items: Sequence[Judged]) -> list[np.ndarray]:
    """The model's scores of each item's completions."""
    scores = []
    for start in range(0, len(items), 32):
        part = items[start : start + 32]
        flat = score_all(model, [sequence for item in part for sequence in item.sequences]).cpu().numpy()
        scores += np.split(flat, np.cumsum([len(item.sequences) for item in part])[:-1])
    return scores


def judge(items: Sequence[Judged], scores: Sequence[np.ndarray]) -> dict[str, Any]:
    """How well scores predict rankings: accuracy over untied pairs, its 95% interval over prompts, mean negative
    log-likelihood of σ(difference), expected calibration error in ten bins (Guo et al. 2017, equation 3)."""
    differences: list[float] = []
    per_prompt: list[tuple[int, int]] = []
    for item, values in zip(items, scores, strict=True):
        mine = [
            float(values[better] - values[worse])
            for ranks in item.places
            for better, first in enumerate(ranks)
            for worse, second in enumerate(ranks)
            if first != UNPLACED and second != UNPLACED and first < second
        ]
        differences += mine
        per_prompt.append((sum(value > 0 for value in mine), len(mine)))
    if not differences:
        return {}
    d = np.asarray(differences)
    right, count = (np.asarray(column, float) for column in zip(*per_prompt, strict=True))
    low, high = interval(right, count)
    confidence = 1 / (1 + np.exp(-np.abs(d)))
    bins = np.minimum(((confidence - 0.5) * 2 * BINS).astype(int), BINS - 1)
    calibration = [
        {
            "predicted": round(float(confidence[at].mean()), 4),
            "observed": round(float((d[at] > 0).mean()), 4),
            "count": n,
        }
        for at in (bins == number for number in range(BINS))
        if (n := int(at.sum()))
    ]
    error = sum(abs(row["predicted"] - row["observed"]) * row["count"] for row in calibration) / len(d)
    return {
        "accuracy": round(float((d > 0).mean()), 4),
        "accuracy_interval": [round(low, 4), round(high, 4)],
        "pairs": len(d),
        "log_loss": round(float(np.logaddexp(0, -d).mean()), 4),
        "calibration_error": round(float(error), 4),
        "calibration": calibration,
    }


@torch.no_grad()
def matched(model: ScalarModel, items: Sequence[Judged], seed: int) -> float | None:
    """Of pairs of prompts with their best answers, the share in which the model's scores give each prompt its own; None
    where no two prompts can be compared."""
    partners = Partners(items, seed)
    right = []
    for start in range(0, len(items), 32):
        part = items[start : start + 32]
        crossed = [partners.crossed(start + place, start + place) for place in range(len(part))]
        sequences = [sequence for item in part for sequence in item.sequences]
        scores = score_all(model, sequences + [sequence for trio in crossed for sequence in trio])
        right += (match_gaps(part, crossed, scores) > 0).tolist()
    return round(float(np.mean(right)), 4) if right else None


def interval(right: np.ndarray, count: np.ndarray, resamples: int = 1000) -> tuple[float, float]:
    """The bootstrap 95% interval of Σ right / Σ count over prompts (Efron 1979)."""
    draw = np.random.default_rng(0)
    shares = []
    for _ in range(resamples):
        chosen = draw.integers(0, len(right), len(right))
        shares.append(right[chosen].sum() / max(count[chosen].sum(), 1))
    low, high = np.quantile(shares, [0.025, 0.975])
    return float(low), float(high)


@torch.no_grad()
def judgements(
    ranks: Artifact, names: Sequence[str], model: ScalarModel, vocabulary: Vocabulary, normalization: dict[str, float]
) -> list[dict[str, Any]]:
    """A few prompts with the stars people gave and the normalised rewards the model gives."""
    wanted, found = set(names[:6]), []
    for row in read_jsonl(ranks.file("stars.jsonl")):
        if row["prompt_id"] in wanted:
            sequences = [encode(vocabulary, row["prompt"], text) for text in row["completions"]]
            rewards = (score_all(model, sequences) - normalization["mean"]) / normalization["deviation"]
            stars = row["plackett_luce"]
            completions = [
                {"text": text, "stars": stars[place], "reward": round(float(rewards[place]), 3)}
                for place, text in enumerate(row["completions"])
            ]
            found.append({"prompt": row["prompt"][-1]["content"], "completions": completions})
    return found


def check(recipe: Any, root: Path) -> None:
    """What can be known to be wrong before the run."""
    settings = recipe.reward
    if settings.margin and settings.loss != "pairwise":
        raise UserError(
            f'reward.margin = {settings.margin:g} is for pairs, and reward.loss = "{settings.loss}" knows none; set '
            'reward.loss = "pairwise" or reward.margin = 0'
        )


STAGE = Stage(
    name="reward",
    version=3,
    sections=("reward",),
    run=run,
    check=check,
    parents=lambda recipe: (policy_stage(recipe), "rank"),
    enabled=needs_reward_model,
    trains=lambda recipe: True,
)
