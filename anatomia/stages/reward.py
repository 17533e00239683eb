"""reward: a model that predicts which of several completions people would rank higher."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field, model_validator

from anatomia.base.artifact import Artifact
from anatomia.base.errors import UserError
from anatomia.base.files import write_json
from anatomia.generate.engine import generate
from anatomia.generate.sampling import Sampling, stream_seed
from anatomia.model.adapters import AdapterConfig
from anatomia.model.adapters_files import DIRECTORY
from anatomia.model.scalar import ScalarModel
from anatomia.objectives.judged import Judged
from anatomia.objectives.matching import Partners, match_gaps
from anatomia.objectives.preference import Loss, Preference, score_all
from anatomia.stages.finetune import RATES
from anatomia.stages.models import (
    TrainingSettings,
    loop_settings,
    open_model,
    policy_stage,
    put_adapter,
    save,
    settle_adapter,
    training_metrics,
)
from anatomia.stages.reward_card import Floats, agree, card, ratings_of
from anatomia.stages.reward_data import Case, encode, load_cases
from anatomia.stages.reward_probes import Scorer, keywords, mistakes, probe
from anatomia.stages.scorers import needs_reward_model
from anatomia.stages.stage import Context, Metrics, Stage
from anatomia.tokens.vocabulary import Vocabulary
from anatomia.train.loop import train

REFERENCES = 512  # answers of the policy that rewards are normalised on: their deviation is known to 3%
COPIES = 4  # at most so many of them to one prompt
ROWS = 128  # sequences scored at once


class RewardSettings(TrainingSettings):
    """The section [reward].

    Attributes:
        loss: "listwise" (Plackett-Luce over each whole ranking), "pairwise" (Bradley-Terry over its pairs) or "stars"
            (logistic regression to the stars that all rankings of a prompt became).
        margin: with "pairwise", by how much better a completion of five stars is to be than one of none.
        matching: weight of a second loss, by which the model must tell which of two answers belongs to which of two
            prompts; 0 leaves it out.
        epochs: how often each ranked prompt is seen. batch: prompts, with all their completions, per update.
        micro_batch: completions per forward pass, in whole prompts.
        adapter: "none" trains all weights; else only an adapter of that kind and the head, over the policy's weights,
            for which the learning rate has another default. adapter_rank, adapter_alpha: LoRA's.
    """

    loss: Loss = "listwise"
    margin: float = Field(default=0.0, ge=0)
    matching: float = Field(default=1.0, ge=0)
    epochs: float = Field(default=2.0, gt=0)
    batch: int = Field(default=16, ge=1)
    learning_rate: float = Field(default=2e-4, gt=0)
    adapter: Literal["none", "lora", "rslora", "dora", "ia3"] = "none"
    adapter_rank: int = Field(default=16, ge=1)
    adapter_alpha: float = Field(default=32.0, gt=0)

    @model_validator(mode="before")
    @classmethod
    def _adapters_learn_faster(cls, given: Any) -> Any:
        if isinstance(given, dict) and "learning_rate" not in given and given.get("adapter") in RATES:
            return given | {"learning_rate": RATES[given["adapter"]] / 2}
        return given

    @property
    def adapter_config(self) -> AdapterConfig | None:
        """The adapter to train; None where all weights are."""
        return None if self.adapter == "none" else AdapterConfig(self.adapter, self.adapter_rank, self.adapter_alpha)


def run(context: Context) -> Metrics:
    """Train the reward model from the policy's weights, and measure it on held-out rankings."""
    settings = context.settings["reward"]
    assert isinstance(settings, RewardSettings)
    ranks = context.inputs["rank"]
    (policy,) = [artifact for name, artifact in context.inputs.items() if name != "rank"]
    decoder, vocabulary = open_model(policy)
    if settings.adapter_config is not None:
        put_adapter(decoder, settings.adapter_config, context.seed, "reward")
    model, limit = ScalarModel(decoder), decoder.config.context
    cases, too_long = load_cases(ranks, vocabulary, limit)
    learnt, held_out = ([case.item for case in cases[split]] for split in ("train", "held_out"))
    if not learnt:
        raise UserError(
            f"no ranking is left to learn from: prompts longer than the context ({limit} tokens): {too_long}"
        )
    batch = min(settings.batch, len(learnt))
    steps = max(1, int(np.ceil(settings.epochs * len(learnt) / batch)))
    objective = Preference(
        learnt, batch, settings.micro_batch, settings.loss, context.seed, settings.matching, settings.margin
    )
    trained = train(model, objective, loop_settings(settings, steps), context.ledger, context.resume)
    if settings.adapter_config is not None:
        settle_adapter(decoder, policy.path, context.work / DIRECTORY, model.score)
    save(context.work, model, vocabulary)
    reference = scores_of(model, policy_samples(policy, [*held_out, *learnt], context.seed))
    mean, deviation = float(reference.mean()), float(max(reference.std(), 1e-6))
    scored = score_items(model, held_out)
    found = card(held_out, scored) if held_out else {}
    normalization = {"mean": mean, "deviation": deviation, "samples": len(reference)}
    if found:
        normalization["temperature"] = found["calibration"]["temperature"]
        rewards = [(values - mean) / deviation for values in scored]
        found["probes"] = probe(cases["held_out"], answer_scorer(model, vocabulary, mean, deviation))
        found["words"] = keywords(cases["held_out"], rewards)
        write_json(context.work / "reward_card.json", found)
    write_json(context.work / "normalization.json", normalization)
    shown = (cases["held_out"] or cases["train"])[:6]
    specimens = {
        "judgements": judgements(shown, score_items(model, [case.item for case in shown]), mean, deviation),
        "calibration": found["calibration"]["points"] if found else [],
        "mistakes": mistakes(cases["held_out"], rewards) if found else [],
    }
    write_json(context.work / "specimens.json", specimens)
    known = agree(
        [
            np.broadcast_to(v, (len(item.places), len(v)))
            for v, item in zip(score_items(model, learnt), learnt, strict=True)
        ],
        [ratings_of(item) for item in learnt],
    )
    return {
        "prompts": len(learnt),
        "rankings": sum(len(item.places) for item in learnt),
        "held_out_prompts": len(held_out),
        "prompts_too_long": too_long,
        "train_accuracy": known["accuracy"]["value"],
        **(headlines(found) if found else {}),
        **({"held_out_matched": matched(model, held_out, context.seed)} if len(held_out) > 1 else {}),
        "normalization": normalization,
        **training_metrics(trained),
    }


@torch.no_grad()
def scores_of(model: ScalarModel, sequences: Sequence[Sequence[int]]) -> Floats:
    """[N] the model's numbers."""
    parts = [score_all(model, sequences[start : start + ROWS]).cpu() for start in range(0, len(sequences), ROWS)]
    return torch.cat(parts).double().numpy()


def score_items(model: ScalarModel, items: Sequence[Judged]) -> list[Floats]:
    """The model's numbers of each item's completions."""
    if not items:
        return []
    flat = scores_of(model, [sequence for item in items for sequence in item.sequences])
    return np.split(flat, np.cumsum([len(item.sequences) for item in items])[:-1])


def policy_samples(policy: Artifact, items: Sequence[Judged], seed: int) -> list[tuple[int, ...]]:
    """What the policy itself answers to `REFERENCES` of these prompts, at temperature 1, and to few prompts several
    times: the answers whose rewards shall have mean 0 and deviation 1."""
    decoder, _ = open_model(policy)
    limit = decoder.config.context
    longest = max(len(sequence) - item.prompt for item in items for sequence in item.sequences)
    room = min(longest, max(limit - item.prompt for item in items))
    questions = [item.question for item in items if item.prompt + room <= limit]
    chosen = [questions[n % len(questions)] for n in range(min(REFERENCES, COPIES * len(questions)))]
    seeds = [stream_seed(seed, "reference", number) for number in range(len(chosen))]
    found = generate(decoder, [list(question) for question in chosen], seeds, Sampling(1.0, max_new=room), rows=256)
    return [question + tuple(completion.ids) for question, completion in zip(chosen, found, strict=True)]


def answer_scorer(model: ScalarModel, vocabulary: Vocabulary, mean: float, deviation: float) -> Scorer:
    """Rewards, in deviations, of texts that answer cases' prompts; None for one that exceeds the context."""

    def score(answers: Sequence[tuple[Case, str]]) -> list[float | None]:
        sequences = [encode(vocabulary, case.prompt, text) for case, text in answers]
        fitting = [place for place, s in enumerate(sequences) if len(s) <= model.decoder.config.context]
        found: list[float | None] = [None] * len(answers)
        if fitting:
            values = (scores_of(model, [sequences[place] for place in fitting]) - mean) / deviation
            for place, value in zip(fitting, values.tolist(), strict=True):
                found[place] = value
        return found

    return score


def headlines(found: dict[str, Any]) -> Metrics:
    """What of the card stands in artifact.json."""
    agreement, calibration, length = found["agreement"], found["calibration"], found["length"]
    metrics: Metrics = {"held_out_pairs": agreement["model"]["pairs"]}
    for name in ("accuracy", "tau"):
        figure = agreement["model"][name]
        if figure:
            metrics[f"held_out_{name}"] = figure["value"]
            metrics[f"held_out_{name}_interval"] = [figure["low"], figure["high"]]
        for who, short in (("one_another", "annotators"), ("others_together", "others")):
            if who in agreement and agreement[who][name]:
                metrics[f"{short}_{name}"] = agreement[who][name]["value"]
    for name in ("correlation", "people_correlation"):
        if length[name]:
            metrics[f"length_{name}"] = length[name]["value"]
    return metrics | {
        "held_out_log_loss": calibration["log_loss"],
        "held_out_calibration_error": calibration["error"],
        "held_out_calibrated_error": calibration["calibrated_error"],
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


def judgements(cases: Sequence[Case], scores: Sequence[Floats], mean: float, deviation: float) -> list[dict[str, Any]]:
    """A few prompts with the stars people gave and the normalised rewards the model gives."""
    found = []
    for case, values in zip(cases, scores, strict=True):
        stars = case.item.stars or (math.nan,) * len(values)
        completions = [
            {"text": text, "stars": None if math.isnan(star) else star, "reward": round((value - mean) / deviation, 3)}
            for text, star, value in zip(case.completions, stars, values.tolist(), strict=True)
        ]
        found.append({"prompt": case.question, "completions": completions})
    return found


def check(recipe: Any, root: Path) -> None:
    """What can be known to be wrong before the run."""
    settings = recipe.reward
    if settings.adapter != "none" and settings.optimizer == "muon":
        raise UserError(
            f'reward.optimizer = "muon" is made for whole matrices; with reward.adapter = {settings.adapter!r} '
            'take "adamw"'
        )
    if settings.margin and settings.loss != "pairwise":
        raise UserError(
            f'reward.margin = {settings.margin:g} is for pairs, and reward.loss = "{settings.loss}" knows none; set '
            'reward.loss = "pairwise" or reward.margin = 0'
        )


STAGE = Stage(
    name="reward",
    version=5,
    sections=("reward",),
    run=run,
    check=check,
    parents=lambda recipe: (policy_stage(recipe), "rank"),
    enabled=needs_reward_model,
    trains=lambda recipe: True,
)
