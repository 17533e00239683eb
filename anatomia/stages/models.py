"""What the stages that train and use models share."""

import hashlib
import os
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from anatomia.base.artifact import Artifact
from anatomia.base.compiled import why_not_fused
from anatomia.base.errors import UserError
from anatomia.base.events import Ledger
from anatomia.base.machine import products, recall
from anatomia.base.settings import Settings
from anatomia.generate.sampling import stream_seed
from anatomia.model.adapters import Adapter, AdapterConfig, attach, merge, train_only
from anatomia.model.adapters_files import relative, save_adapter
from anatomia.model.checkpoint import load_config, load_model, save_model
from anatomia.model.config import DecoderConfig
from anatomia.model.decoder import Decoder
from anatomia.model.names import places
from anatomia.model.scalar import ScalarModel
from anatomia.stages.stage import Metrics
from anatomia.tokens.vocabulary import Vocabulary
from anatomia.train import parallel
from anatomia.train.loop import LoopSettings
from anatomia.train.optimizer import OptimizerSettings

FUSING_PAYS = 5e13  # operations: a minute for two cores, of which compiled programs save more than compiling takes


class TrainingSettings(Settings):
    """What every stage that trains can be told.

    Attributes:
        optimizer: "adamw", or "muon" for the matrices inside the blocks and AdamW for the rest.
        learning_rate: the peak of the schedule. warmup: steps of linear rise. decay: share of steps in which it falls.
        micro_batch: rows (or sequences) per forward pass, 0 for as many as suit the device; less needs less memory and
            changes nothing else.
        clip: largest norm of a step's gradient; 0 never clips.
    """

    optimizer: Literal["adamw", "muon"] = "adamw"
    learning_rate: float = Field(gt=0)
    warmup: int = Field(default=20, ge=0)
    decay: float = Field(default=0.5, ge=0, le=1)
    weight_decay: float = Field(default=0.1, ge=0)
    clip: float = Field(default=1.0, ge=0)
    micro_batch: int = Field(default=0, ge=0)


def loop_settings(settings: TrainingSettings, steps: int, limit: float | None = None) -> LoopSettings:
    """The loop's settings for a stage, in the number format that was chosen for this machine.

    Args:
        limit: tokens a second that the machine's matrix products allow, where that can be said.
    """
    return LoopSettings(
        steps=steps,
        learning_rate=settings.learning_rate,
        warmup=min(settings.warmup, steps // 2),
        decay=settings.decay,
        optimizer=OptimizerSettings(
            weight_decay=settings.weight_decay, clip=settings.clip, muon=settings.optimizer == "muon"
        ),
        dtype=getattr(torch, recall().dtype),
        checkpoint_seconds=checkpoint_seconds(),
        limit=limit,
    )


def limit_of(config: DecoderConfig, length: int, frozen: bool = False) -> float:
    """Tokens a second at which training on rows of `length` tokens would use all matrix products that were measured on
    the computers at work, and nothing else. frozen: whether only an adapter learns."""
    local = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    computers = max(1, parallel.size() // local)
    return 1e9 * products(local) * computers / config.flops_per_token(length, frozen)


def fuse(model: Decoder, length: int, tokens: int, ledger: Ledger) -> None:
    """Have a model train through compiled programs, where this run does so and the training is long enough for it.

    Args:
        length: of the rows. tokens: to be learnt from.
    """
    pays = tokens * model.config.flops_per_token(length) >= FUSING_PAYS and not model.config.scaled_by_layer
    if pays and recall().training == "fused":
        reason = why_not_fused()
        model.fused = not reason
        if reason:
            ledger.note(f"torch cannot compile the model here ({reason}); training goes on without, and is slower")


def checkpoint_seconds() -> float:
    """Seconds between checkpoints: the loop's own, or what the environment says (docs/resuming.md). Not a setting of
    the recipe, since nothing that is computed depends on it."""
    wish = os.environ.get("ANATOMIA_CHECKPOINT_SECONDS", "")
    try:
        seconds = float(wish) if wish else LoopSettings.checkpoint_seconds
    except ValueError:
        seconds = -1.0
    if not seconds >= 0:
        raise UserError(f"ANATOMIA_CHECKPOINT_SECONDS = {wish!r} is no number of seconds; give one, such as 20")
    return seconds


def policy_stage(recipe: Any) -> str:
    """The stage whose model is sampled from and improved: the fine-tuned one, or the base where there is none."""
    return "finetune" if recipe.finetune.enabled else "pretrain"


def context_of(recipe: Any, root: Path) -> tuple[int, str]:
    """The context of the model that a recipe trains or takes, and where it is said."""
    name = recipe.pretrain.from_
    if name is None:
        return recipe.model.context, "model.context"
    return load_config(root / name).context, f"the context of {name}"


def check_room(recipe: Any, root: Path, stage: str) -> None:
    """Raise `UserError` if the answers that a stage asks for leave no room for a prompt."""
    (limit, where), wanted = context_of(recipe, root), getattr(recipe, stage).max_new
    if limit - wanted < 8:
        raise UserError(f"{stage}.max_new = {wanted} leaves no room for a prompt in {where} = {limit}; lower it")


def open_model(artifact: Artifact) -> tuple[Decoder, Vocabulary]:
    """A stage's model, on the machine's device, ready to be used, and its vocabulary."""
    return load_model(artifact.path).to(recall().device).eval(), Vocabulary.load(artifact.path)


def put_adapter(model: Decoder, config: AdapterConfig, seed: int, section: str) -> Adapter:
    """Put a fresh adapter on a model; nothing else of it learns from now on.

    Args:
        section: of the recipe, which says `adapter`.

    Raises:
        UserError: the model carries one already, or it does not fit.
    """
    if model.adapter is not None:
        raise UserError(
            f"{section}.adapter = {config.kind!r}: the model already carries an adapter ({model.adapter.config.kind}); "
            f'take {section}.adapter = "none", which trains both'
        )
    adapter = attach(model, config, torch.Generator().manual_seed(stream_seed(seed, "adapter", config.kind)))
    train_only(model, adapter)
    return adapter


def settle_adapter(model: Decoder, base: Path, directory: Path, score: Tensor | None = None) -> None:
    """After an adapter was trained: give the model the weights of its base in fp32 again, keep the adapter in
    `directory`, and let the weights take it up if it is of such a kind.

    Args:
        score: the head of a reward model, which is kept with its adapter.
    """
    assert model.adapter is not None
    mine = [place.parameter for place in places(model)]
    for weight in mine:
        weight.data = weight.data.new_empty(0)  # room for what comes
    for weight, place in zip(mine, places(load_model(base)), strict=True):
        weight.data = place.parameter.data.to(model.embedding.device)
    if model.adapter.config.mergeable:
        save_adapter(directory, model, base=relative(base, directory), score=score)
        merge(model)


def with_template(vocabulary: Vocabulary, template: str) -> Vocabulary:
    """The same vocabulary with another chat template."""
    config = vocabulary.config | {"chat_template": template}
    return Vocabulary(vocabulary.tokenizer, config, vocabulary.name, vocabulary.stops, vocabulary.notes)


def save(directory: Path, model: Decoder | ScalarModel, vocabulary: Vocabulary) -> None:
    """Write a whole Hugging Face directory: model and tokenizer."""
    save_model(directory, model)
    vocabulary.save(directory)


def in_share(text: str, share: float) -> bool:
    """Whether `text` falls into a fixed share of all texts, by its hash: how held-out data are split off."""
    value = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")
    return value < share * 2.0**64


def training_metrics(trained: dict[str, Any]) -> Metrics:
    """The loop's figures as they stand in `artifact.json`: the last step's under their own names, in `last`."""
    last = {key.removeprefix("last_"): value for key, value in trained.items() if key.startswith("last_")}
    return {key: value for key, value in trained.items() if not key.startswith("last_")} | {"last": last}
