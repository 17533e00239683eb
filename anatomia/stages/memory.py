"""Whether the models that a recipe trains fit the memory of this computer: asked before anything is spent."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from anatomia.base.artifact import RECORD
from anatomia.base.machine import recall
from anatomia.model.adapters import attach, train_only
from anatomia.model.checkpoint import load_config
from anatomia.model.config import DecoderConfig
from anatomia.model.decoder import Decoder
from anatomia.model.scalar import ScalarModel
from anatomia.objectives.algorithms import ALGORITHMS
from anatomia.objectives.alignment import ActorCritic
from anatomia.stages.scorers import MODEL
from anatomia.stages.stage import Stage
from anatomia.tokens.vocabulary import Vocabulary
from anatomia.train.room import Load, Room


def check_memory(recipe: Any, root: Path, out: Path, stages: Sequence[Stage], processes: int) -> None:
    """Every stage that trains and is not done yet, each of so many processes on computers like this one.

    Args:
        root: what relative paths in the recipe start from. out: the run's directory.

    Raises:
        UserError: a model does not fit, with the numbers.
    """
    training = [stage for stage in stages if stage.trains(recipe) and not (out / stage.name / RECORD).is_file()]
    if not training:
        return
    config, machine = shape(recipe, root), recall()
    room = Room.here(machine.device, processes)
    dtype = getattr(torch, machine.dtype)
    for stage in training:
        name = "reward" if stage.name == "judge" else stage.name  # the section with its settings
        muon = getattr(recipe, name).optimizer == "muon"
        beside = 0
        if stage.name == "align" and recipe.align.method in ALGORITHMS:  # the reward model in fp32 and the reference
            adapted = recipe.align.adapter_config is not None
            apart = MODEL in recipe.align.reward and not (adapted and recipe.reward.adapter_config is not None)
            beside = config.parameters() * (4 * apart + (0 if adapted else dtype.itemsize))
        room.check(Load.of(trained(recipe, name, config), muon, dtype), beside)


def shape(recipe: Any, root: Path) -> DecoderConfig:
    """The model that a recipe begins with; of a vocabulary that it has yet to learn, as large as it may become."""
    if recipe.pretrain.from_ is not None:
        return load_config(root / recipe.pretrain.from_)
    name = recipe.tokenizer.from_
    found: DecoderConfig = recipe.model.shape(
        recipe.tokenizer.size if name is None else Vocabulary.load(root / name).size
    )
    return found


def trained(recipe: Any, name: str, config: DecoderConfig) -> nn.Module:
    """What a stage trains, without memory for its weights."""
    with torch.device("meta"):
        decoder = Decoder(config)
        critic = name == "align" and recipe.align.method in ALGORITHMS and ALGORITHMS[recipe.align.method].critic
        if name in ("finetune", "reward", "align") and (adapter := getattr(recipe, name).adapter_config) is not None:
            names = ("policy", "critic") if critic else ("policy",)
            train_only(decoder, *(attach(decoder, adapter, torch.Generator(), role) for role in names))
            if critic:
                return ActorCritic(decoder, ScalarModel(decoder.under("critic")))
            return ScalarModel(decoder) if name == "reward" else decoder
        if critic:
            return ActorCritic(decoder, ScalarModel(Decoder(config)))
        return ScalarModel(decoder) if name == "reward" else decoder
