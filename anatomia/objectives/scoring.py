"""Who says what a completion is worth: a reward model, a function of one's own, or several together."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from anatomia.generate.engine import Completion
from anatomia.model.scalar import ScalarModel
from anatomia.objectives.rollout import ROWS, lay_out, score_completions

Scorer = Callable[[Sequence[Sequence[int]], Sequence[Completion]], Tensor]
"""From N prompts and their completions to scores [N], in deviations of the reward; the same for equal arguments."""


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
