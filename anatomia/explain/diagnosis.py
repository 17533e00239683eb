"""What went wrong in a training, told from the events it left: the failures people meet most, each with what it looks
like, what it mostly comes from and what to do. A training in which nothing of the kind happened gets no word.

Each rule is a function from the course of a training to what it saw, or None. A rule that explains another one's sign
stands before it in `RULES`, and the other is then not told.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from statistics import fmean, stdev
from typing import Any

from anatomia.explain.texts import Both, number, text

ENOUGH = 8  # steps, or rollouts, below which nothing is said of a training
CERTAIN = 3.0  # standard errors
FAR_KL, FAR_KL_TOKEN = 10.0, 1.0  # nats an answer and nats a token; a policy this far away writes other texts
HELD = 0.2  # mean share of tokens that the clip holds back when steps are far too long
RISE = 0.3  # of the loss above its beginning, as a share of that
PADDING = 0.1  # deviations by which scores may differ for the company they are read in (rounding makes less)


@dataclass(frozen=True)
class Finding:
    """One failure.

    Attributes:
        name: its sentence stands under `diagnosis.NAME` in texts.toml.
        values: what the sentence names: numbers, and "sign", which names a clause `diagnosis.sign_SIGN`.
    """

    name: str
    values: Mapping[str, Any]

    @property
    def text(self) -> Both:
        """It in both languages."""
        values = {key: rounded(value) for key, value in self.values.items() if key != "sign"}
        if "sign" in self.values:
            values = {"sign": text(f"diagnosis.sign_{self.values['sign']}", **values)}
        return text(f"diagnosis.{self.name}", **values)

    def said(self) -> tuple[str, str]:
        """It in English and in Polish, for a terminal."""
        return self.text.en.striptags(), self.text.pl.striptags()


@dataclass(frozen=True)
class Course:
    """A training as its events tell it, steps in order: `steps` and `looks` are those kinds of events."""

    steps: Sequence[Mapping[str, Any]]
    looks: Sequence[Mapping[str, Any]]
    metrics: Mapping[str, Any]

    def series(self, key: str) -> list[float]:
        """What the steps say under `key`."""
        return [float(step[key]) for step in self.steps if isinstance(step.get(key), int | float)]

    def rollouts(self, key: str) -> list[float]:
        """The same once a rollout: a figure of a rollout stands unchanged in all its updates. Where nothing is rolled
        out, once a look."""
        if not any("score" in step for step in self.steps):
            return [float(look[key]) for look in self.looks if key in look]
        known = [step for step in self.steps if isinstance(step.get(key), int | float) and "kl" in step]
        figures = ("score", "reward", "kl", "length")
        alike = groupby(known, lambda step: [step.get(name) for name in figures])
        return [float(next(group)[key]) for _, group in alike]

    @property
    def judged_better(self) -> bool:
        """Whether the judge finds the last look's answers certainly better than the first's."""
        judged = [look for look in self.looks if "judge" in look]
        return len(judged) > 1 and above(judged[-1], judged[0])


def diagnose(events: Sequence[Mapping[str, Any]], metrics: Mapping[str, Any] | None = None) -> list[Finding]:
    """What went wrong in a stage's training, the weightiest first; nothing where it left no steps, or too few.

    Args:
        events: of the stage's ledger. metrics: of its artifact.
    """
    steps = [event for event in events if event.get("kind") == "step"]
    looks = [event for event in events if event.get("kind") == "look"]
    course = Course(steps, looks, metrics or {})
    found: list[Finding] = []
    silenced: set[str] = set()
    for rule, instead_of in RULES:
        finding = rule(course)
        if finding is not None and finding.name not in silenced:
            found.append(finding)
            silenced.update(instead_of)
    return found


def reads_padding(course: Course) -> Finding | None:
    gaps = [look["padding_gap"] for look in course.looks if "padding_gap" in look]
    gap = max([*gaps, float(course.metrics.get("padding_gap") or 0.0)])
    return Finding("reads_padding", {"gap": gap}) if gap > PADDING else None


def reward_up_quality_down(course: Course) -> Finding | None:
    judged = [look for look in course.looks if "judge" in look]
    if len(judged) < 3:
        return None
    best, last = max(judged, key=lambda look: look["judge"]), judged[-1]
    if not above(best, last):
        return None
    verdicts = {"judge_then": best["judge"], "judge_now": last["judge"]}
    if not any("score" in step for step in course.steps):
        return Finding("rankings_up_quality_down", verdicts)
    if last["reward"] <= best["reward"]:
        return None
    names = {"reward_then": best["reward"], "reward_now": last["reward"]}
    return Finding("reward_up_quality_down", names | verdicts)


def advantage_zero(course: Course) -> Finding | None:
    sizes = course.series("advantage")
    share = sum(size <= 1e-7 for size in sizes) / max(len(sizes), 1)
    return Finding("advantage_zero", {"share": round(100 * share)}) if len(sizes) >= ENOUGH and share >= 0.5 else None


def loss_zero(course: Course) -> Finding | None:
    pairs = list(zip(course.series("loss"), course.series("gradient_norm"), strict=False))
    share = sum(loss == 0 and norm == 0 for loss, norm in pairs) / max(len(pairs), 1)
    return Finding("loss_zero", {"share": round(100 * share)}) if len(pairs) >= ENOUGH and share >= 0.5 else None


def kl_negative(course: Course) -> Finding | None:
    kl = course.rollouts("kl")
    late = kl[len(kl) // 2 :]
    if len(kl) < ENOUGH or fmean(late) > -0.05 or fmean(late) > -CERTAIN * stdev(late) / len(late) ** 0.5:
        return None
    return Finding("kl_negative", {"kl": fmean(late)})


def learning_rate_too_high(course: Course) -> Finding | None:
    losses, held = course.series("loss"), course.series("clip_fraction")
    if len(losses) < ENOUGH:
        return None
    skipped, returns = (int(course.metrics.get(name) or 0) for name in ("skipped_steps", "returns"))
    if returns or skipped > max(3, 0.05 * len(losses)):
        return Finding("learning_rate_too_high", {"sign": "skipped", "number": skipped, "steps": len(losses)})
    if held and fmean(held) > HELD:
        return Finding("learning_rate_too_high", {"sign": "held", "number": round(100 * fmean(held))})
    part = max(1, len(losses) // 8)
    highest = max(fmean(losses[place : place + part]) for place in range(0, len(losses), part))
    if not held and highest > losses[0] + RISE * abs(losses[0]):
        return Finding("learning_rate_too_high", {"sign": "rose", "then": losses[0], "now": highest})
    return None


def kl_exploding(course: Course) -> Finding | None:
    kl, lengths = course.rollouts("kl"), course.rollouts("length")
    if len(kl) < ENOUGH or len(lengths) < len(kl):
        return None
    now, length = ends(kl)[1], ends(lengths)[1]
    if now < FAR_KL or now / max(length, 1.0) < FAR_KL_TOKEN:
        return None
    return Finding("kl_exploding", {"kl": now, "token": now / max(length, 1.0)})


def length_collapse(course: Course) -> Finding | None:
    lengths = course.rollouts("length")
    if len(lengths) < ENOUGH:
        return None
    first, last = ends(lengths)
    if last > first / 3 or course.judged_better:
        return None
    return Finding("length_collapse", {"then": round(first), "now": round(last)})


def never_stops(course: Course) -> Finding | None:
    finished = course.rollouts("finished")
    if len(finished) < ENOUGH or ends(finished)[1] > 0.05:
        return None
    return Finding("never_stops", {"finished": round(100 * ends(finished)[1])})


Rule = Callable[[Course], Finding | None]
RULES: tuple[tuple[Rule, tuple[str, ...]], ...] = (
    (reads_padding, ()),
    (advantage_zero, ("loss_zero",)),
    (loss_zero, ()),
    (kl_negative, ()),
    (learning_rate_too_high, ("kl_exploding", "reward_up_quality_down")),
    (reward_up_quality_down, ("kl_exploding",)),
    (length_collapse, ()),
    (never_stops, ()),
    (kl_exploding, ()),
)


def above(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether one look's verdict is certainly better than another's."""
    off = (one["judge_error"] ** 2 + other["judge_error"] ** 2) ** 0.5
    return bool(one["judge"] - other["judge"] > CERTAIN * off)


def ends(values: Sequence[float]) -> tuple[float, float]:
    """The means of the first and of the last eighth."""
    part = max(1, len(values) // 8)
    return fmean(values[:part]), fmean(values[-part:])


def rounded(value: float) -> Both:
    """A number with no more than two places after the point."""
    return number(value, 0 if abs(value) >= 100 or float(value).is_integer() else 2)
