"""Who judges the policy on its way, while a reward that is optimised can no longer be believed."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from anatomia.base.errors import UserError
from anatomia.base.files import read_json
from anatomia.base.machine import recall
from anatomia.generate.engine import Completion
from anatomia.model.checkpoint import load_config, load_scalar
from anatomia.model.decoder import Decoder
from anatomia.objectives.scoring import RewardModel
from anatomia.objectives.watched import Panel
from anatomia.stages.dialogues import WORLD, ids_of, load_prompts, world_of
from anatomia.stages.reward_data import Case
from anatomia.stages.scorers import needs_rankings
from anatomia.stages.stage import Context
from anatomia.text.dialogue import Dialogue, Turn
from anatomia.text.language import detect
from anatomia.tokens.vocabulary import Vocabulary
from anatomia.world import World

AUTO, NOBODY = "auto", "none"
OWN = "judge"  # the stage that makes a judge
ASKED = 192  # prompts of the panel: a judge's mean is known to a few hundredths of a deviation


class WorldJudge:
    """The world's judge as a scorer of completions.

    Args:
        questions: ids of questions by the ids of prompts.
    """

    def __init__(
        self, world: World, questions: Mapping[tuple[int, ...], str], decode: Callable[[Sequence[int]], str]
    ) -> None:
        self.world, self.questions, self.decode = world, questions, decode

    def __call__(self, prompts: Sequence[Sequence[int]], completions: Sequence[Completion]) -> Tensor:
        return torch.tensor(
            [
                self.world.judge(self.questions[tuple(prompt)], self.decode(written.ids), written.finished).score
                for prompt, written in zip(prompts, completions, strict=True)
            ],
            dtype=torch.float64,
        )


def panel_prompts(
    context: Context, patterns: Sequence[str], vocabulary: Vocabulary, room: int
) -> dict[tuple[int, ...], Dialogue]:
    """Prompts for the panel by their ids, of the kind that is learnt from, in at most `room` tokens; those that the
    world's judge knows alone, where there are some."""
    drawn = load_prompts(context, patterns, "align.prompts", ASKED, held_out=False, purpose="to watch")
    fitting = {tuple(ids_of(vocabulary, prompt)): prompt for prompt in drawn}
    fitting = {ids: prompt for ids, prompt in fitting.items() if len(ids) <= room}
    return {ids: prompt for ids, prompt in fitting.items() if "question_id" in prompt.meta} or fitting


def ranked_prompts(cases: Sequence[Case], room: int) -> dict[tuple[int, ...], Dialogue]:
    """The same of prompts that people ranked answers to, for a policy that learns from these alone."""
    fitting = [case for case in cases if case.item.prompt <= room]
    found: dict[tuple[int, ...], Dialogue] = {}
    for case in fitting[:: max(1, len(fitting) // ASKED)][:ASKED]:
        turns = tuple(Turn(message["role"], message["content"]) for message in case.prompt)  # type: ignore[arg-type]
        found[tuple(case.item.question)] = Dialogue(turns, "ranking")
    return found


def panel_of(
    context: Context, judge: str, prompts: Mapping[tuple[int, ...], Dialogue], model: Decoder, vocabulary: Vocabulary
) -> Panel:
    """The panel.

    Args:
        judge: "auto" (the world's judge, where it knows the prompts, or the one that the run made), "none", or a reward
            model's directory.
        prompts: as `panel_prompts` gives them.
        model: the policy; a judge must read the same tokens.

    Raises:
        UserError: the reward model cannot be used.
    """
    asked = list(prompts)
    if judge not in (AUTO, NOBODY):
        return Panel(asked, other_reward_model(context.root / Path(judge).expanduser(), model), "reward model")
    questions = {ids: prompt.meta["question_id"] for ids, prompt in prompts.items() if "question_id" in prompt.meta}
    if judge == AUTO and questions:
        return Panel(asked, WorldJudge(World(world_of(context).seed), questions, vocabulary.decode), "world")
    own = context.inputs.get(OWN)
    if own is None or not own.metrics["judges"]:
        return Panel(asked, None, "none")
    share, count = own.metrics["accuracy"], own.metrics["prompts"]
    context.ledger.note(
        f"a second reward model judges on the way: it learnt from the rankings of {count} prompts, which the first "
        f"never saw, and agrees with people about {share:.0%} of other pairs"
    )
    about = {"judge_prompts": count, "judge_accuracy": share}
    return Panel(asked, other_reward_model(own.path, model), "held-out reward model", about)


def other_reward_model(directory: Path, model: Decoder) -> RewardModel:
    """A reward model of another run, frozen, on the machine's device.

    Raises:
        UserError: it reads other tokens than the policy.
    """
    scalar = load_scalar(directory).to(recall().device).requires_grad_(False)
    mine, its = model.config.vocabulary, scalar.decoder.config.vocabulary
    if mine != its:
        raise UserError(
            f"align.judge = {directory} reads {its} different tokens, the policy {mine}; train it on the same tokenizer"
        )
    path = directory / "normalization.json"
    record = read_json(path) if path.is_file() else {"mean": 0.0, "deviation": 1.0}
    return RewardModel(scalar, (float(record["mean"]), float(record["deviation"])))


def needs_own_judge(recipe: Any) -> bool:
    """Whether a run makes a judge of its own: where nobody else can say whether its policy gets better, and rankings
    are held out to learn it from."""
    align = recipe.align
    wanted = align.enabled and align.judge == AUTO and WORLD not in align.prompts
    return bool(wanted and needs_rankings(recipe) and recipe.rank.held_out_fraction > 0)


def check_judge(judge: str, root: Path) -> None:
    """Raise `UserError` if `align.judge` names nothing that can judge."""
    if judge not in (AUTO, NOBODY):
        path = root / Path(judge).expanduser()
        if not path.is_dir():
            raise UserError(f'align.judge = {judge!r} is no directory of a reward model; give one, "auto" or "none"')
        load_config(path)


def judge_files(judge: str, root: Path) -> list[Path]:
    """The files that a judge is read from."""
    if judge in (AUTO, NOBODY):
        return []
    path = root / Path(judge).expanduser()
    return [*sorted(path.glob("*.safetensors")), *(f for f in [path / "normalization.json"] if f.is_file())]


def language_of(prompt: Dialogue) -> str:
    """The language that a prompt is in, "" where one cannot tell."""
    return str(prompt.meta.get("language", "")) or detect(prompt.turns[-1].content)
