"""judge: a second reward model, which nothing is optimised for, to say on the way whether answers get better."""

from typing import Any

import numpy as np

from anatomia.base.files import write_json
from anatomia.generate.sampling import stream_seed
from anatomia.model.adapters_files import DIRECTORY
from anatomia.model.scalar import ScalarModel
from anatomia.objectives.preference import Preference
from anatomia.stages.judging import needs_own_judge
from anatomia.stages.models import (
    loop_settings,
    open_model,
    policy_stage,
    put_adapter,
    save,
    settle_adapter,
    training_metrics,
)
from anatomia.stages.reward import RewardSettings, policy_samples, score_items, scores_of
from anatomia.stages.reward_card import agree, ratings_of
from anatomia.stages.reward_data import load_cases
from anatomia.stages.stage import Context, Metrics, Stage
from anatomia.train.loop import train

FEWEST = 8  # prompts to learn from
TESTED = 512  # prompts that its agreement with people is measured on
CHANCE = 0.5


def run(context: Context) -> Metrics:
    """Train the judge on the rankings that the reward model never sees, and measure it on those that it learnt from."""
    settings = context.settings["reward"]
    assert isinstance(settings, RewardSettings)
    (policy,) = [artifact for name, artifact in context.inputs.items() if name != "rank"]
    decoder, vocabulary = open_model(policy)
    if settings.adapter_config is not None:
        put_adapter(decoder, settings.adapter_config, context.seed, "judge")
    model, limit = ScalarModel(decoder), decoder.config.context
    cases, _ = load_cases(context.inputs["rank"], vocabulary, limit)
    learnt, others = ([case.item for case in cases[split]] for split in ("held_out", "train"))
    metrics: Metrics = {"prompts": len(learnt), "rankings": sum(len(item.places) for item in learnt), "judges": False}
    if len(learnt) < FEWEST:
        context.ledger.note(
            f"the rankings held out from the reward model are of {len(learnt)} prompts, too few to make a judge of, so "
            "nobody judges the policy; raise rank.held_out_fraction, or rank more",
        )
        return metrics
    batch = min(settings.batch, len(learnt))
    seed = stream_seed(context.seed, "judge") % 2**31
    objective = Preference(learnt, batch, settings.micro_batch, settings.loss, seed, settings.matching, settings.margin)
    steps = max(1, int(np.ceil(settings.epochs * len(learnt) / batch)))
    trained = train(model, objective, loop_settings(settings, steps), context.ledger, context.resume)
    if settings.adapter_config is not None:
        settle_adapter(decoder, policy.path, context.work / DIRECTORY, model.score)
    tested = others[:TESTED]
    found = agree(
        [
            np.broadcast_to(values, (len(item.places), len(values)))
            for values, item in zip(score_items(model, tested), tested, strict=True)
        ],
        [ratings_of(item) for item in tested],
    )
    accuracy: dict[str, Any] = found.get("accuracy") or {"value": CHANCE, "low": 0.0, "high": 1.0}
    metrics |= {
        "judges": accuracy["low"] > CHANCE,
        "accuracy": accuracy["value"],
        "accuracy_interval": [accuracy["low"], accuracy["high"]],
        "tested_prompts": len(tested),
        **training_metrics(trained),
    }
    if not metrics["judges"]:
        context.ledger.note(
            f"the judge learnt from {len(learnt)} prompts agrees with people about {accuracy['value']:.0%} of other "
            "pairs, no more than guessing might, so nobody judges the policy; raise rank.held_out_fraction, or rank "
            "more",
        )
        return metrics
    save(context.work, model, vocabulary)
    usual = scores_of(model, policy_samples(policy, [*others, *learnt], seed))
    normalization = {"mean": float(usual.mean()), "deviation": float(max(usual.std(), 1e-6)), "samples": len(usual)}
    write_json(context.work / "normalization.json", normalization)
    return metrics


STAGE = Stage(
    name="judge",
    version=1,
    sections=("reward",),
    run=run,
    parents=lambda recipe: (policy_stage(recipe), "rank"),
    enabled=needs_own_judge,
    trains=lambda recipe: True,
)
