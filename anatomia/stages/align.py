"""align: reinforcement learning from human feedback: policy and reward model play against each other."""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import Field, field_validator

from anatomia.base.errors import UserError
from anatomia.base.events import Ledger
from anatomia.base.files import read_json, write_json
from anatomia.base.machine import recall
from anatomia.generate.sampling import Sampling
from anatomia.model.decoder import Decoder
from anatomia.model.scalar import ScalarModel
from anatomia.objectives.algorithms import ALGORITHMS, AlignmentSettings
from anatomia.objectives.alignment import ActorCritic, Alignment
from anatomia.objectives.rollout import Rollout
from anatomia.objectives.scoring import Question, RewardModel
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
from anatomia.stages.scorers import (
    MODEL,
    check_rewards,
    load_reward_model,
    needs_reward_model,
    reward_files,
    scorer_of,
)
from anatomia.stages.stage import Context, Metrics, Stage
from anatomia.text.dialogue import Dialogue
from anatomia.tokens.dialogue import prompt_ids
from anatomia.tokens.vocabulary import Vocabulary
from anatomia.train.loop import train

SHOWN = 12  # rollouts of which one sequence is kept as a specimen


class AlignSettings(TrainingSettings):
    """The section [align].

    Attributes:
        enabled: false stops at the reward model.
        method: the algorithm, of `objectives.algorithms.ALGORITHMS`.
        reward: what is added up to a completion's score: "model" (the reward model) and functions of one's own, such as
            "reward.py:score"; what needs no scores learns from rankings alone.
        prompts: files (globs) of dialogues whose prompts are used, or "world". count: how many different ones.
        rollouts: how often the policy writes. batch: prompts per rollout. group: completions per prompt.
        epochs, minibatches: passes over each rollout, and updates per pass.
        kl: β, the price of leaving the reference, per nat. unfinished: what a missing end token costs, in deviations.
        clip_ratio: how far one rollout may move a probability, as a ratio; clip_high: upwards, in DAPO.
        value: weight of the critic's loss in PPO.
    """

    enabled: bool = True
    method: Literal["ppo", "grpo", "dr_grpo", "dapo", "rloo", "reinforce++", "best_of_n", "expert_iteration"] = "ppo"
    reward: tuple[str, ...] = (MODEL,)
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
    temperature: float = Field(default=1.0, gt=0)
    top_k: int = Field(default=0, ge=0)
    top_p: float = Field(default=1.0, gt=0, le=1)
    learning_rate: float = Field(default=5e-5, gt=0)
    weight_decay: float = Field(default=0.0, ge=0)
    decay: float = Field(default=0.3, ge=0, le=1)
    warmup: int = Field(default=5, ge=0)
    micro_batch: int = Field(default=64, ge=1)

    @field_validator("reward", mode="before")
    @classmethod
    def _one_or_several(cls, reward: Any) -> Any:
        return (reward,) if isinstance(reward, str) else reward


def run(context: Context) -> Metrics:
    """Improve the policy by the chosen method and keep the new policy."""
    settings = context.settings["align"]
    assert isinstance(settings, AlignSettings)
    (policy,) = [artifact for name, artifact in context.inputs.items() if name not in ("reward", "rank")]
    model, vocabulary = open_model(policy)
    prompts = load_prompts(
        context, settings.prompts, "align.prompts", settings.count, held_out=False, purpose="to align"
    )
    encoded = [(prompt_ids(vocabulary, messages(prompt)), question(prompt)) for prompt in prompts]
    fitting = [(ids, asked) for ids, asked in encoded if len(ids) + settings.max_new <= model.config.context]
    if not fitting:
        raise UserError(
            f"align.prompts: no prompt (of {len(prompts)}) leaves room for align.max_new = {settings.max_new}"
        )
    reward = load_reward_model(context.inputs["reward"]) if MODEL in settings.reward else None
    questions = {tuple(ids): asked for ids, asked in fitting}
    scorer = scorer_of(settings.reward, reward, context.root, questions, vocabulary)
    critic = begun_from(reward, model) if ALGORITHMS[settings.method].critic else None
    diary = Diary(vocabulary, context.resume / "rollouts.json", settings.rollouts, context.ledger)
    reference = copy.deepcopy(model).to(getattr(torch, recall().dtype)).requires_grad_(False)
    how = alignment_settings(settings)
    objective = Alignment(how, [ids for ids, _ in fitting], reference, scorer, context.seed, diary)
    loop = loop_settings(settings, settings.rollouts * how.updates)
    trained = train(ActorCritic(model, critic), objective, loop, context.ledger, context.resume)
    save(context.work, model, vocabulary)
    write_json(context.work / "specimens.json", {"rollouts": diary.pages()})
    return {"method": settings.method, "prompts": len(fitting), **training_metrics(trained)}


def question(prompt: Dialogue) -> Question:
    """What functions hear of a prompt."""
    return Question(prompt.turns[-1].content, str(prompt.meta.get("reference", "")))


def begun_from(reward: RewardModel | None, policy: Decoder) -> ScalarModel:
    """The critic: the reward model as its scores are normalised, or, without one, the policy with nothing to say."""
    if reward is None:
        return ScalarModel(copy.deepcopy(policy)).to(recall().device).requires_grad_(True)
    critic = copy.deepcopy(reward.model).requires_grad_(True)
    with torch.no_grad():
        critic.score.div_(reward.deviation)
    return critic


def alignment_settings(settings: AlignSettings) -> AlignmentSettings:
    """The section as the objective knows it."""
    return AlignmentSettings(
        method=settings.method,
        prompts=settings.batch,
        group=settings.group,
        epochs=settings.epochs,
        minibatches=settings.minibatches,
        micro=settings.micro_batch,
        kl=settings.kl,
        sampling=Sampling(settings.temperature, settings.top_k, settings.top_p, settings.max_new),
        clip=settings.clip_ratio,
        clip_high=settings.clip_high,
        value=settings.value,
        unfinished=settings.unfinished,
    )


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
    if not align.reward:
        raise UserError('align.reward = [] is empty; name "model" or a function such as "reward.py:score"')
    check_rewards(align.reward, root)
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
    sections=("align", "world", "instructions"),
    run=run,
    parents=lambda recipe: (policy_stage(recipe), *(["reward"] if needs_reward_model(recipe) else [])),
    enabled=lambda recipe: recipe.align.enabled,
    check=check,
    reads=lambda recipe, root: [
        *dialogue_files(recipe.align.prompts, root, "align.prompts"),
        *reward_files(recipe.align.reward, root),
    ],
    trains=lambda recipe: True,
)
