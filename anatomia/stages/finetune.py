"""finetune: from a model that rambles on to one that answers, by prompt–completion pairs and dialogues."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import nn

from anatomia.base.errors import UserError
from anatomia.base.files import write_json
from anatomia.explain.specimens import samples_on_the_way
from anatomia.generate.engine import generate
from anatomia.generate.sampling import Sampling
from anatomia.model.adapters import AdapterConfig, Kind
from anatomia.model.adapters_files import DIRECTORY
from anatomia.model.decoder import Decoder
from anatomia.objectives.next_token import NextToken, batch_loss
from anatomia.stages.dialogues import InstructionsSettings as InstructionsSettings
from anatomia.stages.dialogues import as_prompt, dialogue_files, ids_of, load_dialogues, split_dialogues, taken
from anatomia.stages.models import (
    TrainingSettings,
    fuse,
    limit_of,
    loop_settings,
    open_model,
    put_adapter,
    save,
    settle_adapter,
    training_metrics,
    with_template,
)
from anatomia.stages.stage import Context, Metrics, Stage
from anatomia.text.dialogue import Dialogue
from anatomia.tokens.batches import Packed
from anatomia.tokens.dialogue import encode_dialogue, stop_ids
from anatomia.tokens.rendering import RefusedDialogue
from anatomia.tokens.shards import Shard
from anatomia.tokens.template import BASE, OURS
from anatomia.tokens.vocabulary import Vocabulary
from anatomia.train.loop import train
from anatomia.train.objective import Sums

RATES: dict[str, float] = {
    "lora": 5e-3, "rslora": 2e-3, "dora": 5e-3, "bottleneck": 5e-3, "pfeiffer": 5e-3, "ia3": 5e-2, "prompt": 1e-1,
    "prefix": 1e-1, "bitfit": 2e-2,
}  # fmt: skip
"""Learning rates of adapters, where a recipe gives none: fewer numbers take larger steps."""


class FinetuneSettings(TrainingSettings):
    """The section [finetune].

    Attributes:
        enabled: false leaves the stage out; what follows then works with the base model.
        dialogues: files (globs) of dialogues in any of the known layouts, or "world".
        world_dialogues: how many of the world's demonstrations to take.
        epochs: how often each dialogue is seen. batch: packed rows per update.
        adapter: "none" trains all weights; else only an adapter of that kind (docs/adapters.md), for which the learning
            rate has another default.
        adapter_rank: of LoRA's matrices, or the width of a bottleneck. adapter_alpha: how much LoRA's count.
            adapter_tokens: the length of a prompt or prefix.
    """

    enabled: bool = True
    dialogues: tuple[str, ...] = ()
    world_dialogues: int = Field(default=6000, ge=1)
    epochs: float = Field(default=2.0, gt=0)
    batch: int = Field(default=16, ge=1)
    learning_rate: float = Field(default=5e-4, gt=0)
    validate_every: int = Field(default=100, ge=1)
    adapter: Literal["none", Kind] = "none"
    adapter_rank: int = Field(default=16, ge=1)
    adapter_alpha: float = Field(default=32.0, gt=0)
    adapter_tokens: int = Field(default=20, ge=1)

    @model_validator(mode="before")
    @classmethod
    def _adapters_learn_faster(cls, given: Any) -> Any:
        if isinstance(given, dict) and "learning_rate" not in given and given.get("adapter") in RATES:
            return given | {"learning_rate": RATES[given["adapter"]]}
        return given

    @property
    def adapter_config(self) -> AdapterConfig | None:
        """The adapter to train; None where all weights are."""
        if self.adapter == "none":
            return None
        return AdapterConfig(self.adapter, self.adapter_rank, self.adapter_alpha, self.adapter_tokens)


def run(context: Context) -> Metrics:
    """Fine-tune the base model; loss only on what the assistant says."""
    settings = context.settings["finetune"]
    assert isinstance(settings, FinetuneSettings)
    model, vocabulary = open_model(context.inputs["pretrain"])
    if vocabulary.template == BASE:
        vocabulary = with_template(vocabulary, OURS)
    stops = tuple(dict.fromkeys((*stop_ids(vocabulary), *model.config.end)))
    model.config = replace(model.config, end=stops)
    adapter = settings.adapter_config
    if adapter is not None:
        put_adapter(model, adapter, context.seed, "finetune")
    trained_parameters = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    dialogues = load_dialogues(context, settings.dialogues, "finetune.dialogues", settings.world_dialogues)
    train_set, held_out = split_dialogues(dialogues)
    shard, too_long, refused = to_shard(train_set, vocabulary, model.config.context)
    padding = vocabulary.padding or 0
    data = Packed(shard, model.config.context, settings.batch, context.seed, padding)
    held_out_shard, _, refused_too = to_shard(held_out, vocabulary, model.config.context)
    train_set = taken(context, "finetune.dialogues", train_set, refused, vocabulary)
    held_out = taken(context, "finetune.dialogues", held_out, refused_too, vocabulary)
    watch = Watch(held_out_shard, held_out, vocabulary, data, settings, context)
    steps = max(1, math.ceil(settings.epochs * data.steps_per_epoch))
    watch.steps = steps
    with model.using(None if adapter is not None else model.adapted):
        before = watch.held_out_loss(model)
    objective = NextToken(data, settings.micro_batch, watch)
    fuse(model, model.config.context, round(settings.epochs * data.tokens_per_epoch), context.ledger)
    loop = loop_settings(settings, steps, limit_of(model.config, model.config.context, adapter is not None))
    trained = train(model, objective, loop, context.ledger, context.resume)
    if adapter is not None:
        settle_adapter(model, context.inputs["pretrain"].path, context.work / DIRECTORY)
    after = watch.held_out_loss(model)
    samples = watch.samples(model, steps)
    save(context.work, model, vocabulary)
    write_json(context.work / "specimens.json", specimens(train_set, vocabulary, context.work, samples, model))
    return {
        "dialogues": len(train_set) - too_long,
        "dialogues_too_long": too_long,
        "dialogues_refused": len(refused) + len(refused_too),
        "held_out_dialogues": len(held_out),
        "held_out_loss_before": before,
        "held_out_loss": after,
        "packing_efficiency": round(data.efficiency, 4),
        "loss_tokens_per_epoch": data.tokens_per_epoch,
        "trained_parameters": trained_parameters,
        **({"adapter": adapter.kind} if adapter is not None else {}),
        **training_metrics(trained),
    }


def to_shard(
    dialogues: list[Dialogue], vocabulary: Vocabulary, context: int
) -> tuple[Shard, int, dict[int, RefusedDialogue]]:
    """The dialogues end to end with their loss weights; how many were left out because they exceed the context; and by
    their places those that the chat template refuses.

    Raises:
        RefusedDialogue: the template refuses all of them.
    """
    tokens: list[int] = []
    weights: list[int] = []
    starts, too_long = [0], 0
    refused: dict[int, RefusedDialogue] = {}
    for place, dialogue in enumerate(dialogues):
        try:
            ids, loss = encode_dialogue(vocabulary, dialogue)
        except RefusedDialogue as error:
            refused[place] = error
            if len(refused) == len(dialogues):
                raise
            continue
        if len(ids) > context + 1:
            too_long += 1
            continue
        tokens += ids
        weights += loss
        starts.append(len(tokens))
    shard = Shard(np.asarray(tokens, np.int64), np.asarray(starts, np.int64), np.asarray(weights, np.uint8))
    return shard, too_long, refused


class Watch:
    """Looks at the model on the way: loss on held-out answers, and its answers to a few held-out prompts."""

    steps: int = 0

    def __init__(
        self,
        shard: Shard,
        held_out: list[Dialogue],
        vocabulary: Vocabulary,
        data: Packed,
        settings: FinetuneSettings,
        context: Context,
    ) -> None:
        self.vocabulary, self.settings, self.context = vocabulary, settings, context
        self.data = Packed(shard, data.context, data.rows, 0, data.padding) if len(shard) else None
        prompts = [prompt for prompt in map(as_prompt, held_out) if prompt is not None]
        encoded = [(prompt, ids_of(vocabulary, prompt)) for prompt in prompts[:200]]
        self.prompts = [(prompt, ids) for prompt, ids in encoded if len(ids) < data.context - 32][:4]

    def __call__(self, model: nn.Module, step: int) -> Sums:
        assert isinstance(model, Decoder)
        done = step + 1
        if done % self.settings.validate_every == 0 and done < self.steps:
            model.eval()
            self.context.ledger.event("validation", step=done, loss=self.held_out_loss(model))
            for sample in self.samples(model, done):
                self.context.ledger.event("sample", **sample)
            model.train()
        return {}

    @torch.no_grad()
    def held_out_loss(self, model: Decoder) -> float | None:
        """Mean loss in nats per token of the held-out answers (at most 16 batches of them)."""
        if self.data is None:
            return None
        total = weight = 0.0
        for _, batch in zip(range(16), self.data.once(), strict=False):
            total += float(batch_loss(model, batch, batch.weights))
            weight += float(batch.weights.sum())
        return round(total / weight, 5)

    def samples(self, model: Decoder, step: int) -> list[dict[str, Any]]:
        """Greedy answers to a few held-out prompts."""
        sampling = Sampling(temperature=0.0, max_new=32)
        found = generate(model, [ids for _, ids in self.prompts], [0] * len(self.prompts), sampling)
        return [
            {"step": step, "prompt": prompt.turns[-1].content, "text": self.vocabulary.decode(completion.ids)}
            for (prompt, _), completion in zip(self.prompts, found, strict=True)
        ]


def specimens(
    dialogues: list[Dialogue], vocabulary: Vocabulary, work: Path, samples: list[dict[str, Any]], model: Decoder
) -> dict[str, Any]:
    """Loss masks of a few dialogues, the same dialogues side by side as padding would put them, samples on the way."""
    masks: list[dict[str, Any]] = []
    for dialogue in dialogues[:200]:
        ids, weights = encode_dialogue(vocabulary, dialogue)
        if len(ids) <= 64:
            masks.append({"tokens": vocabulary.pieces(ids), "weights": weights, "source": dialogue.source})
    short = masks[:5]
    longest = max((len(mask["tokens"]) for mask in short), default=0)
    filler = vocabulary.pieces([vocabulary.padding or 0])[0]
    rows = [
        {
            "tokens": mask["tokens"] + [filler] * (longest - len(mask["tokens"])),
            "padding": [place >= len(mask["tokens"]) for place in range(longest)],
        }
        for mask in short
    ]
    return {"masks": short, "padded": {"rows": rows}, "samples": samples_on_the_way(work, samples)}


def check(recipe: Any, root: Path) -> None:
    if recipe.finetune.enabled:
        if not recipe.finetune.dialogues:
            raise UserError(
                'finetune.dialogues = [] is empty; name files of dialogues, "world", or set finetune.enabled = false'
            )
        dialogue_files(recipe.finetune.dialogues, root, "finetune.dialogues")
        settings = recipe.finetune
        if settings.adapter != "none" and settings.optimizer == "muon":
            raise UserError(
                f'finetune.optimizer = "muon" is made for whole matrices; with finetune.adapter = {settings.adapter!r} '
                'take "adamw"'
            )


STAGE = Stage(
    name="finetune",
    version=1,
    sections=("finetune", "world", "instructions"),
    run=run,
    parents=lambda recipe: ("pretrain",),
    enabled=lambda recipe: recipe.finetune.enabled,
    check=check,
    reads=lambda recipe, root: dialogue_files(recipe.finetune.dialogues, root, "finetune.dialogues"),
    trains=lambda recipe: True,
)
