"""align: reinforcement learning from human feedback: policy and reward model play against each other."""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import Field, field_validator, model_validator

from anatomia.base.artifact import Artifact
from anatomia.base.errors import UserError
from anatomia.base.events import Ledger
from anatomia.base.files import read_json, write_json
from anatomia.base.machine import recall
from anatomia.generate.sampling import Sampling, stream_seed
from anatomia.model.adapters import NAME, AdapterConfig, attach
from anatomia.model.adapters_files import DIRECTORY
from anatomia.model.decoder import Decoder
from anatomia.model.scalar import ScalarModel
from anatomia.objectives.algorithms import ALGORITHMS, AlignmentSettings
from anatomia.objectives.alignment import ActorCritic, Alignment
from anatomia.objectives.credit import credit, parts_of_advantages
from anatomia.objectives.direct import DIRECT, Direct
from anatomia.objectives.rollout import Rollout
from anatomia.objectives.scoring import Question, RewardModel
from anatomia.objectives.watched import Watched, unscored
from anatomia.stages.dialogues import WORLD, dialogue_files, ids_of, load_prompts
from anatomia.stages.finetune import RATES
from anatomia.stages.judging import (
    NOBODY,
    OWN,
    check_judge,
    judge_files,
    language_of,
    needs_own_judge,
    panel_of,
    panel_prompts,
    ranked_prompts,
)
from anatomia.stages.models import (
    TrainingSettings,
    check_room,
    loop_settings,
    open_model,
    policy_stage,
    put_adapter,
    save,
    settle_adapter,
    training_metrics,
)
from anatomia.stages.reward_data import Case, load_cases
from anatomia.stages.scorers import (
    MODEL,
    REWARD,
    check_rewards,
    is_adapter,
    load_reward_model,
    needs_reward_model,
    reward_files,
    scorer_of,
)
from anatomia.stages.stage import Context, Metrics, Stage
from anatomia.text.dialogue import Dialogue
from anatomia.tokens.vocabulary import Vocabulary
from anatomia.train.loop import train

CRITIC = "critic"  # the name of its adapter
SHOWN = 12  # rollouts of which one sequence is kept as a specimen


class AlignSettings(TrainingSettings):
    """The section [align].

    Attributes:
        enabled: false stops at the reward model.
        method: the algorithm, of `objectives.algorithms.ALGORITHMS`, whose policy writes, or of
            `objectives.direct.DIRECT`, which learn from rankings alone.
        reward: what is added up to a completion's score: "model" (the reward model) and functions of one's own, such as
            "reward.py:score".
        judge: who says on the way whether the answers get better, and so which policy is kept: "auto" (the world's
            judge, where it knows the prompts), "none", or the directory of another reward model.
        prompts: files (globs) of dialogues whose prompts are used, or "world". count: how many different ones.
        rollouts: how often the policy writes. batch: prompts per rollout, or per update of what learns from rankings.
        group: completions per prompt.
        epochs, minibatches: passes over each rollout (or over the rankings), and updates per pass over a rollout.
        kl: β, the price of leaving the reference, per nat. unfinished: what a missing end token costs, in deviations.
        clip_ratio: how far one rollout may move a probability, as a ratio; clip_high: upwards, in DAPO.
        value: weight of the critic's loss in PPO.
        adapter: "none" trains all weights; else only an adapter of that kind, and one for the critic, over one base,
            which is the reference too; the learning rate then has another default. adapter_rank, adapter_alpha: LoRA's.
    """

    enabled: bool = True
    method: Literal[
        "ppo", "grpo", "dr_grpo", "dapo", "rloo", "reinforce++", "best_of_n", "expert_iteration", "dpo", "ipo", "kto"
    ] = "ppo"
    reward: tuple[str, ...] = (MODEL,)
    judge: str = "auto"
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
    adapter: Literal["none", "lora", "rslora", "dora", "ia3"] = "none"
    adapter_rank: int = Field(default=16, ge=1)
    adapter_alpha: float = Field(default=32.0, gt=0)

    @model_validator(mode="before")
    @classmethod
    def _adapters_learn_faster(cls, given: Any) -> Any:
        if isinstance(given, dict) and "learning_rate" not in given and given.get("adapter") in RATES:
            return given | {"learning_rate": RATES[given["adapter"]] / 10}
        return given

    @property
    def adapter_config(self) -> AdapterConfig | None:
        """The adapter to train; None where all weights are."""
        return None if self.adapter == "none" else AdapterConfig(self.adapter, self.adapter_rank, self.adapter_alpha)

    @field_validator("reward", mode="before")
    @classmethod
    def _one_or_several(cls, reward: Any) -> Any:
        return (reward,) if isinstance(reward, str) else reward


def run(context: Context) -> Metrics:
    """Improve the policy by the chosen method and keep the new policy."""
    settings = context.settings["align"]
    assert isinstance(settings, AlignSettings)
    (policy,) = [artifact for name, artifact in context.inputs.items() if name not in ("reward", "rank", OWN)]
    model, vocabulary = open_model(policy)
    reference = None
    if settings.adapter_config is not None:
        put_adapter(model, settings.adapter_config, context.seed, "align")
        reference = model.under(None)
    learn = prefer if settings.method in DIRECT else reinforce
    metrics, pages = learn(context, settings, model, reference, vocabulary)
    if reference is not None:
        for name in [name for name in model.adapters if name != NAME]:
            del model.adapters[name]
        settle_adapter(model, policy.path, context.work / DIRECTORY)
    save(context.work, model, vocabulary)
    write_json(context.work / "specimens.json", {"rollouts": pages})
    return {"method": settings.method, **metrics}


def reinforce(
    context: Context, settings: AlignSettings, model: Decoder, reference: Decoder | None, vocabulary: Vocabulary
) -> tuple[Metrics, list[dict[str, Any]]]:
    """The policy writes and is scored; `model` is changed in place. Metrics, and the pages of the diary.

    Args:
        reference: what the policy was, where it is there without a copy.
    """
    prompts = load_prompts(
        context, settings.prompts, "align.prompts", settings.count, held_out=False, purpose="to align"
    )
    encoded = [(ids_of(vocabulary, prompt), question(prompt)) for prompt in prompts]
    fitting = [(ids, asked) for ids, asked in encoded if len(ids) + settings.max_new <= model.config.context]
    if not fitting:
        raise UserError(
            f"align.prompts: no prompt (of {len(prompts)}) leaves room for align.max_new = {settings.max_new}"
        )
    reward = reward_model(context.inputs["reward"], model, settings) if MODEL in settings.reward else None
    panel = panel_prompts(context, settings.prompts, vocabulary, model.config.context - settings.max_new)
    questions = {ids: question(prompt) for ids, prompt in panel.items()} | {tuple(ids): asked for ids, asked in fitting}
    scorer = scorer_of(settings.reward, reward, context.root, questions, vocabulary)
    critic = begun_from(reward, model, settings, context.seed) if ALGORITHMS[settings.method].critic else None
    if reward is not None and REWARD not in model.adapters:
        reward.model.to(getattr(torch, recall().dtype))  # only now: a critic learns from its weights as they were saved
    how = alignment_settings(settings)
    diary = Diary(vocabulary, context.resume / "rollouts.json", settings.rollouts, context.ledger, how)
    prompt_list = [ids for ids, _ in fitting]
    before = reference or as_trained(model)
    objective = Alignment(how, prompt_list, before, scorer, context.seed, diary, diary.keeps)
    loop = loop_settings(settings, settings.rollouts * how.updates)
    languages = {tuple(ids_of(vocabulary, prompt)): language_of(prompt) for prompt in prompts}
    languages |= {ids: language_of(prompt) for ids, prompt in panel.items()}
    asked = panel_of(context, settings.judge, panel, model, vocabulary)
    watched = Watched(objective, asked, vocabulary.decode, languages, settings.rollouts, context.ledger)
    both = ActorCritic(model, critic)
    trained = train(both, watched, loop, context.ledger, context.resume)
    seen = watched.finish(both, trained["steps"])
    return {"prompts": len(fitting), **training_metrics(trained), **seen}, diary.pages()


def prefer(
    context: Context, settings: AlignSettings, model: Decoder, reference: Decoder | None, vocabulary: Vocabulary
) -> tuple[Metrics, list[dict[str, Any]]]:
    """The policy learns from the rankings themselves; arguments and results as in `reinforce`."""
    cases, too_long = load_cases(context.inputs["rank"], vocabulary, model.config.context)
    items = [case.item for case in cases["train"]]
    if not items:
        raise UserError(
            f"no ranking is left to learn from: prompts longer than the context ({model.config.context} tokens): "
            f"{too_long}"
        )
    before = reference or as_trained(model)
    objective = Direct(items, settings.method, settings.kl, settings.batch, settings.micro_batch, context.seed, before)
    loop = loop_settings(settings, settings.epochs * objective.steps_per_epoch)
    figures: Metrics = {"prompts": len(items), "prompts_too_long": too_long}
    room = model.config.context - settings.max_new
    panel = {} if settings.judge == NOBODY else ranked_or_known(context, settings, cases["train"], vocabulary, room)
    if not panel:
        trained = train(model, objective, loop, context.ledger, context.resume)
        return figures | training_metrics(trained), []
    reward = reward_model(context.inputs["reward"], model, settings) if "reward" in context.inputs else None
    if reward is not None and REWARD not in model.adapters:
        reward.model.to(getattr(torch, recall().dtype))
    how = alignment_settings(settings)
    voice = Alignment(how, list(panel), before, reward or unscored, context.seed, lambda number, rollout, prompts: None)
    asked = panel_of(context, settings.judge, panel, model, vocabulary)
    languages = {ids: language_of(prompt) for ids, prompt in panel.items()}
    watched = Watched(objective, asked, vocabulary.decode, languages, loop.steps, context.ledger, voice)
    trained = train(model, watched, loop, context.ledger, context.resume)
    return figures | training_metrics(trained) | watched.finish(model, trained["steps"]), []


def ranked_or_known(
    context: Context, settings: AlignSettings, cases: Sequence[Case], vocabulary: Vocabulary, room: int
) -> dict[tuple[int, ...], Dialogue]:
    """Prompts to watch a policy on that learns from rankings alone: those of the made-up world, where its judge knows
    them, else those that were ranked."""
    if WORLD in settings.prompts:
        return panel_prompts(context, [WORLD], vocabulary, room)
    return ranked_prompts(cases, room)


def reward_model(artifact: Artifact, policy: Decoder, settings: AlignSettings) -> RewardModel:
    """The reward model; over the policy's own base, where both are adapters on it."""
    shared = settings.adapter_config is not None and is_adapter(artifact)
    return load_reward_model(artifact, policy if shared else None)


def as_trained(model: Decoder) -> Decoder:
    """A frozen copy in the number format that the policy is trained in."""
    return copy.deepcopy(model).to(getattr(torch, recall().dtype)).requires_grad_(False)


def question(prompt: Dialogue) -> Question:
    """What functions hear of a prompt."""
    return Question(prompt.turns[-1].content, str(prompt.meta.get("reference", "")))


def begun_from(reward: RewardModel | None, policy: Decoder, settings: AlignSettings, seed: int) -> ScalarModel:
    """The critic: the reward model as its scores are normalised, or, without one, the policy with nothing to say. With
    an adapter, one of its own on the policy's base: a copy of the reward model's, where that is one, or a new one with
    nothing to say."""
    if reward is not None and REWARD in policy.adapters:
        policy.adapters[CRITIC] = copy.deepcopy(policy.adapters[REWARD]).requires_grad_(True)
        critic = ScalarModel(policy.under(CRITIC)).to(recall().device)
        with torch.no_grad():
            critic.score.copy_(reward.model.score / reward.deviation)
        return critic
    if settings.adapter_config is not None:
        attach(policy, settings.adapter_config, torch.Generator().manual_seed(stream_seed(seed, CRITIC)), CRITIC)
        policy.adapted = NAME
        return ScalarModel(policy.under(CRITIC)).to(recall().device)
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
    """Keeps one sequence of some rollouts, token by token: what each said, what credit it got, and what it brings to
    the loss of the whole rollout as it was written. A page that a full disk has no room for is left out.

    Args:
        how: of the algorithm; without it, and where not all is learnt from, nothing is said of the loss.
    """

    def __init__(
        self, vocabulary: Vocabulary, path: Path, rollouts: int, ledger: Ledger, how: AlignmentSettings | None = None
    ) -> None:
        self.vocabulary, self.path, self.ledger, self.every = vocabulary, path, ledger, max(1, rollouts // SHOWN)
        self.how = how if how is not None and how.algorithm.keep is None else None

    def keeps(self, number: int) -> bool:
        """Whether it keeps something of a rollout."""
        return number % self.every == 0

    def __call__(self, number: int, rollout: Rollout, prompts: Sequence[Sequence[int]]) -> None:
        if not self.keeps(number):
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
        page: dict[str, Any] = {
            "step": number,
            "prompt": self.vocabulary.decode(prompts[0]),
            "score": round(float(rollout.scores[0]), 4),
            "tokens": tokens,
        }
        if self.how is not None:
            values = rollout.values if self.how.algorithm.critic else None
            shares = credit(rollout, parts_of_advantages(rollout, self.how), self.how, rollout.logprobs, values)
            page["loss"] = float(f"{sum(float(part.sum()) for part in shares.values()):.6g}")
            for name, part in shares.items():
                for token, value in zip(tokens, part[0, positions].tolist(), strict=True):
                    token[f"loss_{name}"] = float(f"{value:.4g}")
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
    if align.adapter != "none" and align.optimizer == "muon":
        raise UserError(
            f'align.optimizer = "muon" is made for whole matrices; with align.adapter = {align.adapter!r} take "adamw"'
        )
    if align.method in DIRECT:
        if not align.kl:
            raise UserError(f"align.kl = 0 says nothing to align.method = {align.method!r}; 0.05 to 0.5 make sense")
        check_judge(align.judge, root)
        return
    if not align.prompts:
        raise UserError('align.prompts = [] is empty; name files of dialogues, "world", or set align.enabled = false')
    dialogue_files(align.prompts, root, "align.prompts")
    if not align.reward:
        raise UserError('align.reward = [] is empty; name "model" or a function such as "reward.py:score"')
    check_rewards(align.reward, root)
    check_judge(align.judge, root)
    check_room(recipe, root, "align")
    if ALGORITHMS[align.method].groups and align.group < 2:
        raise UserError(
            f"align.group = {align.group} is too few for align.method = {align.method!r}; 4 to 16 make sense"
        )
    if align.minibatches > align.batch * align.group:
        raise UserError(
            f"align.minibatches = {align.minibatches} is more than the {align.batch * align.group} completions"
        )


def parents(recipe: Any) -> tuple[str, ...]:
    """The policy, and what it learns from."""
    direct, own = recipe.align.method in DIRECT, needs_own_judge(recipe)
    asked = needs_reward_model(recipe) and not (direct and recipe.align.judge == NOBODY)
    return (
        policy_stage(recipe),
        *(["rank"] if direct else []),
        *(["reward"] if asked else []),
        *([OWN] if own else []),
    )


def reads(recipe: Any, root: Path) -> list[Path]:
    """Files of prompts and of functions that score."""
    if recipe.align.method in DIRECT:
        return judge_files(recipe.align.judge, root)
    files = dialogue_files(recipe.align.prompts, root, "align.prompts")
    return files + reward_files(recipe.align.reward, root) + judge_files(recipe.align.judge, root)


STAGE = Stage(
    name="align",
    version=4,
    sections=("align", "world", "instructions"),
    run=run,
    parents=parents,
    enabled=lambda recipe: recipe.align.enabled,
    check=check,
    reads=reads,
    trains=lambda recipe: True,
)
