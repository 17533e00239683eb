"""Who says what a completion is worth: a reward model, a function of one's own, or several together."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from anatomia.base.errors import UserError
from anatomia.generate.engine import Completion
from anatomia.model.scalar import ScalarModel
from anatomia.objectives.rollout import ROWS, lay_out, score_completions
from anatomia.train import parallel

SHOWN = 60  # characters of a text in an error

Scorer = Callable[[Sequence[Sequence[int]], Sequence[Completion]], Tensor]
"""From N prompts and their completions to scores [N] fp32, in deviations of the reward; always the same."""


class RewardModel:
    """The scores of a frozen reward model, normalised as (score - mean) / deviation."""

    def __init__(self, model: ScalarModel, normalization: tuple[float, float]) -> None:
        self.model = model.eval()
        self.mean, self.deviation = normalization

    def __call__(self, prompts: Sequence[Sequence[int]], completions: Sequence[Completion]) -> Tensor:
        device, padding, found = self.model.score.device, self.model.decoder.config.padding or 0, []
        for start in range(0, len(prompts), ROWS):
            part = slice(start, start + ROWS)
            ids, mask = lay_out(prompts[part], completions[part], padding)
            found.append((score_completions(self.model, ids.to(device), mask.to(device)) - self.mean) / self.deviation)
        return torch.cat(found)


@dataclass(frozen=True)
class Question:
    """What the user says last in a prompt, and the answer that stands beside it in a file ("" where none does)."""

    text: str
    reference: str = ""


class FunctionReward:
    """What a Python function says of texts: `function(prompt, completion)`, or, where `referring`, `function(prompt,
    completion, reference)`. Of several processes the first one asks it.

    Args:
        name: what errors call it.
        questions: by the ids of prompts. decode: from the ids of a completion to its text.
        device: where the scores are wanted.
    """

    def __init__(
        self,
        name: str,
        function: Callable[..., object],
        referring: bool,
        questions: Mapping[tuple[int, ...], Question],
        decode: Callable[[Sequence[int]], str],
        device: torch.device,
    ) -> None:
        self.name, self.function, self.referring = name, function, referring
        self.questions, self.decode, self.device = questions, decode, device

    def __call__(self, prompts: Sequence[Sequence[int]], completions: Sequence[Completion]) -> Tensor:
        def ask() -> list[float] | UserError:
            pairs = zip(prompts, completions, strict=True)
            try:
                return [self.say(self.questions[tuple(prompt)], self.decode(written.ids)) for prompt, written in pairs]
            except UserError as error:
                return error

        said = parallel.lead(ask)
        if isinstance(said, UserError):
            raise said
        return torch.tensor(said, dtype=torch.float32, device=self.device)

    def say(self, question: Question, text: str) -> float:
        """The function's number for one completion.

        Raises:
            UserError: it failed, or gave no finite number.
        """
        shown = f"for the prompt {cut(question.text)} and the completion {cut(text)}"
        try:
            found = self.function(question.text, text, *([question.reference] if self.referring else []))
        except Exception as error:  # whatever the user's function raises
            place = where(error)
            raise UserError(
                f"align.reward: {self.name} failed {shown}: {type(error).__name__}: {error} ({place}); mend it, or let "
                "it return a low number there"
            ) from error
        try:
            number = float(found)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            number = math.nan
        if not math.isfinite(number):
            raise UserError(f"align.reward: {self.name} returned {cut(found)} {shown}; it must return a finite number")
        return number


class Together:
    """The sum of what several say."""

    def __init__(self, scorers: Sequence[Scorer]) -> None:
        self.scorers = scorers

    def __call__(self, prompts: Sequence[Sequence[int]], completions: Sequence[Completion]) -> Tensor:
        return torch.stack([scorer(prompts, completions) for scorer in self.scorers]).sum(0)


def cut(value: object) -> str:
    """A value as it would be written in Python, not too long."""
    text = repr(value)
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


def where(error: Exception) -> str:
    """The file and line that an exception comes from."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    assert trace is not None, "it was raised"
    return f"{trace.tb_frame.f_code.co_filename}, line {trace.tb_lineno}"
