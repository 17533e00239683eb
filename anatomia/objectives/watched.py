"""Learning from a reward, or from rankings, under watch: at intervals a judge that nothing is optimised for reads the
answers to the same prompts, and the answers are compared with those of the policy at the start."""

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, astuple, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from anatomia.base.events import Ledger
from anatomia.generate.engine import Completion
from anatomia.model.decoder import Decoder
from anatomia.objectives.alignment import ActorCritic, Alignment
from anatomia.objectives.direct import Direct
from anatomia.objectives.peak import Peak, certainly_above, error, mean
from anatomia.objectives.rollout import Rollout, lay_out
from anatomia.objectives.scoring import Scorer
from anatomia.objectives.watch import Answer, Change, Heard, changes, price, said, spent
from anatomia.train import parallel
from anatomia.train.objective import Sums

LOOKS = 8  # after the first, and before the last
ALARM = 0.01  # chance of a false alarm in a whole run
ALONE = 4  # answers of the first look that are scored once more without the others
WINDOW = 512  # answers of the latest rollouts by which one sees what reward pays for, besides those to the panel
WARNINGS = {
    ("judged", True): (
        ", and the judge does not find them better: the reward is being gamed",
        ", a sędzia nie uważa ich za lepsze: to gra pod nagrodę",
    ),
    ("judged", False): (
        ", and the judge does not find them better: the rankings teach this instead of what they mean",
        ", a sędzia nie uważa ich za lepsze: rankingi uczą tego zamiast tego, o co w nich chodzi",
    ),
    ("alone", True): (
        ", and the reward has risen: see whether they are better for it; nobody judges them here",
        ", a nagroda wzrosła: sprawdź, czy są przez to lepsze; tutaj nikt ich nie ocenia",
    ),
    ("alone", False): (
        ": see whether they are better for it; nobody judges them here",
        ": sprawdź, czy są przez to lepsze; tutaj nikt ich nie ocenia",
    ),
}


@dataclass(frozen=True)
class Panel:
    """What is asked at each look, and who judges.

    Attributes:
        prompts: token ids. judge: from prompts and completions to scores, the higher the better; None if nobody can.
        name: "world", "reward model" (a named one), "held-out reward model" (the run's own) or "none".
        about: figures of the judge, for the metrics.
    """

    prompts: Sequence[Sequence[int]]
    judge: Scorer | None
    name: str
    about: Mapping[str, Any] = field(default_factory=dict)


def unscored(prompts: Sequence[Sequence[int]], completions: Sequence[Completion]) -> Tensor:
    """The scorer of a voice where there is no reward."""
    return torch.full((len(prompts),), math.nan)


class Watched:
    """An objective that is looked at on the way. What is learnt does not depend on it; which policy is kept does.

    Args:
        objective: an `Alignment`, whose rollouts are heard, or a `Direct`.
        decode: from the ids of a completion to its text. languages: of prompts by their ids, "" where unknown.
        rounds: of the whole run: rollouts, or updates of what has none.
        voice: how the policy answers the panel, what the answers are worth (perhaps `unscored`) and what they are far
            from; the objective itself where it is an `Alignment`.

    Attributes:
        hacks: what the answers became that the judge did not find better, each kind once.
        looks: what was measured at each look, as in the ledger's events of that kind.
    """

    def __init__(
        self,
        objective: Alignment | Direct,
        panel: Panel,
        decode: Callable[[Sequence[int]], str],
        languages: Mapping[tuple[int, ...], str],
        rounds: int,
        ledger: Ledger,
        voice: Alignment | None = None,
    ) -> None:
        self.objective, self.panel, self.decode, self.languages = objective, panel, decode, languages
        self.every, self.ledger = max(1, -(-rounds // LOOKS)), ledger
        self.rewarded = isinstance(objective, Alignment)
        if isinstance(objective, Alignment):
            self.every *= objective.settings.updates
            self.listener, objective.listener = objective.listener, self.hear
            voice = objective
        assert voice is not None, "an objective without rollouts needs a voice"
        self.voice = voice
        self.peak = Peak()
        self.weights: dict[str, Tensor] = {}
        self.reference: list[Answer] = []
        self.asked: list[list[tuple[Answer, float]]] = []
        self.window: list[list[tuple[Answer, float]]] = []
        self.looks: list[dict[str, Any]] = []
        self.hacks: list[dict[str, Any]] = []

    def micro_batches(self, model: nn.Module, step: int) -> Sequence[Any]:
        if step % self.every == 0:
            self.look(model, step)
        return self.objective.micro_batches(model, step)

    def loss(self, model: nn.Module, micro: Any) -> tuple[Tensor, dict[str, Tensor | float]]:
        return self.objective.loss(model, micro)

    def after(self, model: nn.Module, step: int) -> Sums:
        return self.objective.after(model, step)

    def hear(self, number: int, rollout: Rollout, prompts: Sequence[Sequence[int]]) -> None:
        """The objective's listener: takes up a rollout's answers. The first is the reference policy's own."""
        self.listener(number, rollout, prompts)
        self.voice.figures["advantage"] = float(rollout.advantages.abs().sum() / rollout.mask.sum().clamp(min=1))
        heard = [
            (self.answer(prompt, ids[1:][real].tolist(), finished), score)
            for prompt, ids, real, finished, score in zip(
                prompts, rollout.ids, rollout.mask, rollout.finished.tolist(), rollout.scores.tolist(), strict=True
            )
        ]
        if number == 0:
            self.reference = [answer for answer, _ in heard]
        self.window.append(heard)
        while len(self.window) > 1 and sum(map(len, self.window[1:])) >= WINDOW:
            del self.window[0]

    def answer(self, prompt: Sequence[int], ids: Sequence[int], finished: bool) -> Answer:
        """What is remembered of an answer."""
        return Answer(self.decode(ids), len(ids), finished, self.languages.get(tuple(prompt), ""))

    @torch.no_grad()
    def look(self, model: nn.Module, step: int) -> None:
        """Ask the panel, have the answers judged, compare them; keep the policy if it is the one to keep.

        Args:
            step: updates so far.
        """
        voice, prompts, policy = self.voice, self.panel.prompts, policy_of(model)
        model.eval()
        completions = voice.complete(policy, prompts, ("watch",))  # the same random numbers at each look
        device, padding = next(policy.parameters()).device, policy.config.padding or 0
        ids, mask = (one.to(device) for one in lay_out(prompts, completions, padding))
        mine, theirs = (voice.log_probabilities(one, ids, mask) for one in (policy, voice.reference))
        figures = {"updates": step, "kl": float(((mine - theirs) * mask).sum(1).mean())}
        rewards = voice.scorer(prompts, completions)
        model.train()
        figures |= {
            "length": sum(len(written.ids) for written in completions) / len(completions),
            "finished": sum(written.finished for written in completions) / len(completions),
        }
        if not rewards.isnan().any():
            figures |= spread_of("reward", rewards.tolist())
            if step == 0:
                figures["padding_gap"] = padding_gap(voice.scorer, prompts, completions, rewards)
        answers = [
            (self.answer(prompt, written.ids, written.finished), reward)
            for prompt, written, reward in zip(prompts, completions, rewards.tolist(), strict=True)
        ]
        if self.panel.judge is not None:
            verdicts = self.panel.judge(prompts, completions).tolist()
            figures |= spread_of("judge", verdicts)
            if self.peak.see(verdicts):
                self.weights = copied(policy)
        self.looks.append(figures)
        self.ledger.event("look", step=step + 1, **figures)  # it belongs to the update that comes next
        self.asked.append(answers)
        if step > 0:
            self.compare(step)

    def compare(self, step: int) -> None:
        """Say what the answers became that reward pays for, once for each kind, unless the judge finds them better for
        it. What is learnt from no reward is said without asking what it pays."""
        (before, then), (now, today) = (zip(*self.asked[place], strict=True) for place in (0, -1))
        heard = [*self.asked, *self.window] if self.rewarded else []
        found = changes(before, now, spent(len(self.asked) - 1, ALARM), heard, self.reference)
        if self.panel.judge is not None and self.peak.gained:
            return
        if self.rewarded and not certainly_above(today, then):
            return
        liked = self.liked(before, now)
        for change in found:
            if (change.kind, change.what) in liked:
                continue
            if change.kind not in {hack["kind"] for hack in self.hacks}:
                self.hacks.append({"updates": step, **asdict(change)})
                english, polish = self.warning(change)
                self.ledger.note(english, polish=polish, step=step + 1, hack=change.kind)

    def liked(self, before: Sequence[Answer], now: Sequence[Answer]) -> set[tuple[str, str]]:
        """Kinds (and words) of changes that the judge pays for, too, and has not fallen by: what is wanted."""
        if self.panel.judge is None or self.peak.fallen:
            return set()
        judged = [
            [(answer, verdict) for (answer, _), verdict in zip(group, verdicts, strict=True)]
            for group, verdicts in zip(self.asked, self.peak.verdicts, strict=True)
        ]
        found = changes(before, now, spent(len(self.asked) - 1, ALARM), judged, self.reference)
        return {(change.kind, change.what) for change in found if change.paid is not None}

    def warning(self, change: Change) -> tuple[str, str]:
        """A note's sentence in English and in Polish."""
        ends = WARNINGS["judged" if self.panel.judge is not None else "alone", self.rewarded]
        english, polish = (f"{clause}{end}{paid}" for clause, end, paid in zip(said(change), ends, price(change)))
        return english, polish

    def finish(self, model: nn.Module, step: int) -> dict[str, Any]:
        """The last look, after `step` updates; then the kept policy's weights are the model's.

        Returns:
            metrics: judge (its name), hacks (their kinds), updates_kept (of the policy that is kept); judge_first,
            judge_kept and judge_last where there is a judge.
        """
        self.look(model, step)
        model.eval()
        metrics = {
            "judge": self.panel.name,
            **self.panel.about,
            "hacks": [hack["kind"] for hack in self.hacks],
            "updates_kept": step,
        }
        if self.panel.judge is None:
            return metrics
        kept = self.looks[self.peak.kept]
        if kept is not self.looks[-1]:
            self.ledger.note(
                f"the judge's peak was after {kept['updates']} of {step} updates: the policy from there is kept"
            )
            with torch.no_grad():
                for name, parameter in learning(policy_of(model)).items():
                    parameter.copy_(self.weights[name])
        return metrics | {
            "updates_kept": kept["updates"],
            "judge_first": self.looks[0]["judge"],
            "judge_kept": kept["judge"],
            "judge_last": self.looks[-1]["judge"],
        }

    def state(self) -> dict[str, Any]:
        return {
            "objective": self.objective.state(),
            "peak": asdict(self.peak),  # a copy: what is saved is written while training goes on
            "weights": self.weights,
            "reference": [astuple(answer) for answer in self.reference],
            "asked": written(self.asked),
            "window": written(self.window),
            "looks": list(self.looks),
            "hacks": list(self.hacks),
        }

    def load(self, state: dict[str, Any]) -> None:
        self.objective.load(state["objective"])
        self.peak = Peak(**state["peak"])
        self.weights = state["weights"]
        self.reference = [Answer(*row) for row in state["reference"]]
        self.asked, self.window = (
            [[(Answer(*row), reward) for row, reward in group] for group in state[name]] for name in ("asked", "window")
        )
        self.looks, self.hacks = list(state["looks"]), list(state["hacks"])


def written(groups: Sequence[Heard]) -> list[list[tuple[Any, float]]]:
    """Groups of answers as plain values."""
    return [[(astuple(answer), reward) for answer, reward in group] for group in groups]


def policy_of(model: nn.Module) -> Decoder:
    """The policy of what is trained."""
    policy = model.policy if isinstance(model, ActorCritic) else model
    assert isinstance(policy, Decoder)
    return policy


def spread_of(name: str, scores: Sequence[float]) -> dict[str, float]:
    """Their mean, its standard error and their deviation, named after what they are."""
    off = error(scores) if len(scores) > 1 else 0.0
    figures = {name: mean(scores), f"{name}_error": off, f"{name}_spread": off * len(scores) ** 0.5}
    return {key: float(f"{value:.6g}") for key, value in figures.items()}


def padding_gap(
    scorer: Scorer, prompts: Sequence[Sequence[int]], completions: Sequence[Completion], scores: Tensor
) -> float:
    """By how much the scores [N] of a few of the shortest sequences differ from what they get alone, at most."""
    lengths = [len(prompt) + len(written.ids) for prompt, written in zip(prompts, completions, strict=True)]
    shortest = sorted(range(len(lengths)), key=lengths.__getitem__)[:ALONE]
    alone = torch.cat([scorer(prompts[place : place + 1], completions[place : place + 1]) for place in shortest])
    return float((alone - scores[shortest]).abs().max())


def learning(policy: Decoder) -> dict[str, nn.Parameter]:
    """The parameters that training changes."""
    return {name: parameter for name, parameter in policy.named_parameters() if parameter.requires_grad}


def copied(policy: Decoder) -> dict[str, Tensor]:
    """The weights that training changes, as they are now, in main memory; of several processes the first has them."""
    with ExitStack() as stack:
        for parting in parallel.partings:  # where blocks are shared out, each process has all of them in here
            stack.enter_context(parting())
        if parallel.rank() > 0:
            return {}
        return {name: one.detach().to("cpu", copy=True) for name, one in learning(policy).items()}
