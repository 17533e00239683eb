"""What scores completions in RL, as the recipe names it: the reward model, functions of one's own, or both."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from anatomia.base.artifact import Artifact
from anatomia.base.files import read_json
from anatomia.base.machine import recall
from anatomia.model.adapters_files import CONFIG, DIRECTORY, SCORING, load_adapter
from anatomia.model.checkpoint import load_scalar
from anatomia.model.decoder import Decoder
from anatomia.model.scalar import ScalarModel
from anatomia.objectives.direct import DIRECT
from anatomia.objectives.scoring import FunctionReward, Question, RewardModel, Scorer, Together
from anatomia.stages.functions import function_file, load_function
from anatomia.tokens.vocabulary import Vocabulary

MODEL = "model"  # what the reward model is called in align.reward
KEY = "align.reward"
REWARD = "reward"  # the name of its adapter


def needs_reward_model(recipe: Any) -> bool:
    """Whether a run makes a reward model: where it is asked for, or where the run ends with it. Methods that learn
    from rankings alone do not need it, but `evaluate` asks it."""
    return not recipe.align.enabled or MODEL in recipe.align.reward


def needs_rankings(recipe: Any) -> bool:
    """Whether a run needs people's rankings."""
    return needs_reward_model(recipe) or recipe.align.method in DIRECT


def reward_files(names: Sequence[str], root: Path) -> list[Path]:
    """The files of the functions among `names`."""
    return [function_file(name, root, KEY) for name in names if name != MODEL]


def check_rewards(names: Sequence[str], root: Path) -> None:
    """Raise `UserError` if a function cannot be loaded."""
    for name in names:
        if name != MODEL:
            load_function(name, root, KEY)


def load_reward_model(artifact: Artifact, base: Decoder | None = None) -> RewardModel:
    """A reward model, frozen, on the machine's device.

    Args:
        base: what it was trained from, whose weights do not change: a reward model that is an adapter is put on it, so
            that it has no others in memory.
    """
    record = read_json(artifact.file("normalization.json"))
    model = load_scalar(artifact.path) if base is None else over(base, artifact.path / DIRECTORY)
    model = model.to(recall().device)
    model.score.requires_grad_(False)
    if base is None:
        model.requires_grad_(False)
    return RewardModel(model, (float(record["mean"]), float(record["deviation"])))


def is_adapter(artifact: Artifact) -> bool:
    """Whether a reward model was trained as an adapter, with a head of its own."""
    path = artifact.path / DIRECTORY / CONFIG
    return path.is_file() and read_json(path)["task_type"] == SCORING


def over(base: Decoder, directory: Path) -> ScalarModel:
    """The reward model whose adapter lies in `directory`, on the weights of `base`; what `base` itself says, and what
    of it learns, stays as it is."""
    model = ScalarModel(base.under(None))
    load_adapter(directory, model.decoder, REWARD, model.score).requires_grad_(False)
    return model


def scorer_of(
    names: Sequence[str],
    model: RewardModel | None,
    root: Path,
    questions: Mapping[tuple[int, ...], Question],
    vocabulary: Vocabulary,
) -> Scorer:
    """What `names` say together. Functions are tried on an empty completion.

    Args:
        model: the reward model, where it is among the names.
        questions: all prompts by their ids.
    """
    scorers: list[Scorer] = [] if model is None else [model]
    for name in names:
        if name != MODEL:
            function, referring = load_function(name, root, KEY)
            device = torch.device(recall().device)
            reward = FunctionReward(name, function, referring, questions, vocabulary.decode, device)
            reward.say(next(iter(questions.values())), "")
            scorers.append(reward)
    return scorers[0] if len(scorers) == 1 else Together(scorers)
