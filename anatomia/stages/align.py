"""align: reinforcement learning from human feedback: policy and reward model play against each other."""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import Field

from anatomia.base.errors import UserError
from anatomia.base.events import Ledger
from anatomia.base.files import read_json, write_json
from anatomia.base.machine import recall
from anatomia.generate.sampling import Sampling
from anatomia.model.checkpoint import load_scalar
from anatomia.model.decoder import Decoder
from anatomia.model.scalar import ScalarModel
from anatomia.objectives.algorithms import ALGORITHMS, AlignmentSettings
from anatomia.objectives.alignment import ActorCritic, Alignment
from anatomia.objectives.rollout import Rollout
from anatomia.objectives.scoring import RewardModel
from anatomia.stages.corpus import WorldSettings
from anatomia.stages.dialogues import dialogue_files, load_prompts, messages
from anatomia.stages.models import (
    TrainingSettings,
    check_room,
    loop_settings,
    open_model,
    policy_stage,
    save,
    training_metrics,
)
from anatomia.stages.stage import Context, Metrics, Stage
from anatomia.tokens.dialogue import prompt_ids
from anatomia.tokens.vocabulary import Vocabulary
from anatomia.train.loop import train

SHOWN = 12  # rollouts of which one sequence is kept as a specimen


class AlignSettings(TrainingSettings):
    """The section [align].

    Attributes:
        enabled: false stops at the reward model.
        method: the algorithm, of `objectives.algorithms.ALGORITHMS`.
        prompts: files (globs) of dialogues whose prompts are used, or "world". count: how many different ones.
        rollouts: how often the policy writes. batch: prompts per rollout. group: completions per prompt.
        epochs, minibatches: passes over each rollout, and updates per pass.
        kl: β, the price of leaving the reference, per nat. unfinished: what a missing end token costs, in deviations.
        clip_ratio: how far one rollout may move a probability, as a ratio; clip_high: upwards, in DAPO.
        value: weight of the critic's loss in PPO.
    """

    enabled: bool = True
    method: Literal["ppo", "grpo", "dr_grpo", "dapo", "rloo", "reinforce++", "best_of_n", "expert_iteration"] = "ppo"
    prompts: tuple[str, ...] = ()
    count: int = Field(default=2000, ge=1)
    rollouts: int = Field(default=60, ge=1)
    batch: int = Field(default=64, ge=1)
    group: int = Field(default=1, ge=1)
    epochs: int = Field(default=2, ge=1)
    minibatches: int = Field(default=2, ge=1)
    kl: float = Field(default=0.05, ge=0)
    clip_ratio: float = Field(default=0.2, gt=0)
    clip_high: float = Field(default=0.28, gt=0)
    value: float = Field(default=0.5, ge=0)
    unfinished: float = Field(default=2.0, ge=0)
    max_new: int = Field(default=48, ge=1)
    learning_rate: float = Field(default=5e-5, gt=0)
    weight_decay: float = Field(default=0.0, ge=0)
    decay: float = Field(default=0.3, ge=0, le=1)
    warmup: int = Field(default=5, ge=0)
    micro_batch: int = Field(default=64, ge=1)


def run(context: Context) -> Metrics:
    """Improve the policy by the chosen method and keep the new policy."""
    settings, world = context.settings["align"], context.settings["world"]
    assert isinstance(settings, AlignSettings)
    assert isinstance(world, WorldSettings)
    (policy,) = [artifact for name, artifact in context.inputs.items() if name != "reward"]
    reward_artifact = context.inputs["reward"]
    model, vocabulary = open_model(policy)
    prompts = load_prompts(
        settings.prompts, context.root, "align.prompts", world, settings.count, held_out=False, purpose="to align"
    )
    encoded = [prompt_ids(vocabulary, messages(prompt)) for prompt in prompts]
    fitting = [ids for ids in encoded if len(ids) + settings.max_new <= model.config.context]
    if not fitting:
        raise UserError(
            f"align.prompts: no prompt (of {len(prompts)}) leaves room for align.max_new = {settings.max_new}"
        )
    reward = load_scalar(reward_artifact.path).to(recall().device).eval().requires_grad_(False)
    record = read_json(reward_artifact.file("normalization.json"))
    normalization = (float(record["mean"]), float(record["deviation"]))
    trained, rollouts = reinforce(context, settings, model, reward, normalization, fitting, vocabulary)
    save(context.work, model, vocabulary)
    write_json(context.work / "specimens.json", {"rollouts": rollouts})
    return {"method": settings.method, "prompts": len(fitting), **training_metrics(trained)}


def reinforce(
    context: Context,
    settings: AlignSettings,
    model: Decoder,
    reward: ScalarModel,
    normalization: tuple[float, float],
    prompts: list[list[int]],
    vocabulary: Vocabulary,
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """An algorithm whose policy writes, through the training loop; `model` is changed in place."""
    dtype = getattr(torch, recall().dtype)
    reference = copy.deepcopy(model).to(dtype).requires_grad_(False)
    critic = None
    if ALGORITHMS[settings.method].critic:
        critic = copy.deepcopy(reward).requires_grad_(True)
        with torch.no_grad():
            critic.score.div_(normalization[1])
    alignment = AlignmentSettings(
        method=settings.method,
        prompts=settings.batch,
        group=settings.group,
        epochs=settings.epochs,
        minibatches=settings.minibatches,
        micro=settings.micro_batch,
        kl=settings.kl,
        sampling=Sampling(1.0, max_new=settings.max_new),
        clip=settings.clip_ratio,
        clip_high=settings.clip_high,
        value=settings.value,
        unfinished=settings.unfinished,
    )
    diary = Diary(vocabulary, context.resume / "rollouts.json", settings.rollouts, context.ledger)
    scorer = RewardModel(reward, normalization)
    objective = Alignment(alignment, prompts, reference, scorer, context.seed, diary)
    steps = settings.rollouts * alignment.updates
    trained = train(
        ActorCritic(model, critic), objective, loop_settings(settings, steps), context.ledger, context.resume
    )
    return trained, diary.pages()


class Diary:
    """Keeps one sequence of some rollouts, token by token: what each said, and what credit it got. A page that a full
    disk has no room for is left out."""

    def __init__(self, vocabulary: Vocabulary, path: Path, rollouts: int, ledger: Ledger) -> None:
        self.vocabulary, self.path, self.ledger, self.every = vocabulary, path, ledger, max(1, rollouts // SHOWN)

    def __call__(self, number: int, rollout: Rollout, prompts: Sequence[Sequence[int]]) -> None:
        if number % self.every:
            return
        positions = rollout.mask[0].nonzero().squeeze(1)
        columns = [
            getattr(rollout, name)[0, positions].tolist()
            for name in ("logprobs", "reference", "rewards", "values", "advantages")
        ]
        names = ("logprob", "reference_logprob", "reward", "value", "advantage")
        texts = self.vocabulary.pieces(rollout.ids[0, positions + 1].tolist())
        tokens = [
            {"text": text, **{name: round(value, 4) for name, value in zip(names, row, strict=True)}}
            for text, *row in zip(texts, *columns, strict=True)
        ]
        page = {
            "step": number,
            "prompt": self.vocabulary.decode(prompts[0]),
            "score": round(float(rollout.scores[0]), 4),
            "tokens": tokens,
        }
        try:
            write_json(self.path, [old for old in self.pages() if old["step"] < number] + [page])
        except OSError as error:
            reason = error.strerror or str(error)
            self.ledger.note(
                f"rollout {number + 1} could not be written down for the report ({reason}); training goes on"
            )

    def pages(self) -> list[dict[str, Any]]:
        """What was kept so far."""
        return read_json(self.path) if self.path.is_file() else []


def check(recipe: Any, root: Path) -> None:
    align = recipe.align
    if not align.enabled:
        return
    if not align.prompts:
        raise UserError('align.prompts = [] is empty; name files of dialogues, "world", or set align.enabled = false')
    dialogue_files(align.prompts, root, "align.prompts")
    check_room(recipe, root, "align")
    if ALGORITHMS[align.method].groups and align.group < 2:
        raise UserError(
            f"align.group = {align.group} is too few for align.method = {align.method!r}; 4 to 16 make sense"
        )
    if align.minibatches > align.batch * align.group:
        raise UserError(
            f"align.minibatches = {align.minibatches} is more than the {align.batch * align.group} completions"
        )


STAGE = Stage(
    name="align",
    version=3,
    sections=("align", "world"),
    run=run,
    parents=lambda recipe: (policy_stage(recipe), "reward"),
    enabled=lambda recipe: recipe.align.enabled,
    check=check,
    reads=lambda recipe, root: dialogue_files(recipe.align.prompts, root, "align.prompts"),
    trains=lambda recipe: True,
)
