"""Steps out of the ordinary: which are skipped, and when training goes back and changes something."""

import math
from dataclasses import dataclass, field
from statistics import fmean

from anatomia.base.errors import UserError

FAR = 6.0  # deviations above the mean at which a step is skipped
WINDOW = 128  # steps that mean and deviation are taken of
ENOUGH = 32  # steps to have seen before judging
LEAST_LOG_NORM = 0.25  # smallest deviation believed of log gradient norms: a factor of e^1.5 = 4.5 is never far
LEAST_LOSS = 0.1  # the same of losses, as a share of their mean
TROUBLE = 3.5  # skipped steps, less a tenth for each step since that was not, at which training goes back
MOST_RETURNS = 3
MOST_SKIPPED = 20  # steps in a row that are not finite: something is wrong, not unlucky
GOOD_STEPS = 100  # between good checkpoints, at least


@dataclass
class Guard:
    """Judges steps by their loss and the norm of their gradient before anything is learnt from them.

    A step that is not finite is skipped, and so is one `FAR` deviations above the mean of the last `WINDOW` steps (the
    idea of Chowdhery et al. 2022, PaLM, section 5.1, done at once, as OLMo-core does): norms as logarithms, since they
    differ by factors, and losses as they are, since those of reinforcement learning may be negative. The window takes
    in what was skipped, but for what is not finite: its deviation grows with every far step, so that what has become
    usual is soon accepted.

    When steps are skipped again and again, training goes back to its last good checkpoint: at most `MOST_RETURNS`
    times, after which only what is not finite is skipped. All of this object is in the checkpoint.

    Attributes:
        skipped: steps in all. in_a_row: those that were not finite, since the last one that was.
        trouble: rises by 1 with each skipped step, falls by a tenth with each other; recent: those steps.
        returns: how often training went back. scale: what the learning rate is multiplied with since.
        shunned: steps that nothing is learnt from because training went back on their account.
        news: what is to be said in the next step.
    """

    norms: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    skipped: int = 0
    in_a_row: int = 0
    trouble: float = 0.0
    recent: list[int] = field(default_factory=list)
    returns: int = 0
    scale: float = 1.0
    shunned: list[int] = field(default_factory=list)
    news: str = ""

    def verdict(self, step: int, loss: float, norm: float) -> str:
        """Why step `step` (from 0) is to be skipped, or "" if it is not."""
        if step in self.shunned:
            self.skipped += 1
            return "training went back on its account"
        reason = self._reason(loss, norm)
        if reason:
            self.skipped += 1
            self.trouble += 1
            self.recent.append(step)
        elif self.trouble:
            self.trouble = max(0.0, self.trouble - 0.1)
            self.recent = self.recent if self.trouble else []
        return reason

    def good(self, step: int, steps: int) -> bool:
        """Whether the state after `step` of `steps` steps is one to go back to. No clock has a say in it: the result
        may depend on it."""
        return step % max(GOOD_STEPS, steps // 20) == 0 and not self.trouble

    @property
    def turning(self) -> bool:
        """Whether it is time to go back."""
        return self.trouble >= TROUBLE and self.returns < MOST_RETURNS

    def turn(self, step: int, earlier: "Guard | None", to: int) -> "Guard":
        """The guard that training goes on with after `step` steps.

        Args:
            earlier: as it was in the checkpoint that training goes back to, or None where there is none: then only the
                learning rate changes. to: that checkpoint's step.
        """
        scale, returns = self.scale / 2, self.returns + 1
        numbers = ", ".join(str(number + 1) for number in self.recent)
        if earlier is None:
            news = f"steps {numbers} were skipped: from here on the learning rate is {scale:g} times the recipe's"
        else:
            news = (
                f"steps {numbers} were skipped: training went back from step {step} to step {to}; from there the "
                f"learning rate is {scale:g} times the recipe's, and nothing is learnt from those steps"
            )
        kept, bad = (self, []) if earlier is None else (earlier, self.recent)
        shunned = sorted({*self.shunned, *bad})
        return Guard(kept.norms, kept.losses, kept.skipped, self.in_a_row, 0.0, [], returns, scale, shunned, news)

    def check(self, rate: float) -> None:
        """Give up where it is of no use to go on. rate: the learning rate.

        Raises:
            UserError: `MOST_SKIPPED` steps in a row were not finite.
        """
        if self.in_a_row >= MOST_SKIPPED:
            raise UserError(
                f"{MOST_SKIPPED} steps in a row had no finite gradient; lower the learning rate ({rate:g} now)"
            )

    def hear(self) -> str:
        """What is to be said, once."""
        news, self.news = self.news, ""
        return news

    def _reason(self, loss: float, norm: float) -> str:
        if not (math.isfinite(norm) and math.isfinite(loss)):
            self.in_a_row += 1
            return "its loss or gradient is not finite"
        self.in_a_row = 0
        if self.returns == MOST_RETURNS:
            return ""
        reason = ""
        mean, deviation = usual(self.losses)
        if loss > mean + FAR * max(deviation, LEAST_LOSS * abs(mean)):
            reason = f"its loss is {loss:.3g}, {FAR:g} deviations or more above the usual {mean:.3g}"
        self.losses = [*self.losses, loss][-WINDOW:]
        if norm > 0:
            log = math.log(norm)
            mean, deviation = usual(self.norms)
            if log > mean + FAR * max(deviation, LEAST_LOG_NORM):
                often = math.exp(mean)
                reason = f"its gradient's norm is {norm:.3g}, {FAR:g} deviations or more above the usual {often:.3g}"
            self.norms = [*self.norms, log][-WINDOW:]
        return reason


def usual(values: list[float]) -> tuple[float, float]:
    """Mean and deviation; too few values say nothing yet, so that none is far."""
    if len(values) < ENOUGH:
        return 0.0, math.inf
    mean = fmean(values)
    return mean, math.sqrt(fmean((value - mean) ** 2 for value in values))
