"""Reinforcement learning under watch: at intervals a judge that nothing is optimised for reads the answers to the same
prompts, and the answers are compared with those of the policy at the start."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, astuple, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from anatomia.base.events import Ledger
from anatomia.generate.engine import Completion
from anatomia.model.decoder import Decoder
from anatomia.objectives.alignment import ActorCritic, Alignment, Piece
from anatomia.objectives.peak import Peak, error, mean
from anatomia.objectives.rollout import Rollout, lay_out
from anatomia.objectives.scoring import Scorer
from anatomia.objectives.watch import Answer, Change, changes, said, spent
from anatomia.train import parallel
from anatomia.train.objective import Sums

LOOKS = 8  # after the first, and before the last
ALARM = 0.01  # chance of a false alarm in a whole run
ALONE = 4  # answers of the first look that are scored once more without the others
WINDOW = 512  # answers of the latest rollouts that are looked at, besides those to the panel


@dataclass(frozen=True)
class Panel:
    """What is asked at each look, and who judges.

    Attributes:
        prompts: token ids. judge: from prompts and completions to scores, the higher the better; None if nobody can.
        name: "world", "reward model" or "none".
    """

    prompts: Sequence[Sequence[int]]
    judge: Scorer | None
    name: str


class Watched:
    """An `Alignment` that is looked at on the way. What is learnt does not depend on it; which policy is kept does.

    Args:
        decode: from the ids of a completion to its text. languages: of prompts by their ids, "" where unknown.
        rollouts: of the whole run.

    Attributes:
        hacks: what the answers became that the judge did not find better, each kind once.
        looks: what was measured at each look, as in the ledger's events of that kind.
    """

    def __init__(
        self,
        objective: Alignment,
        panel: Panel,
        decode: Callable[[Sequence[int]], str],
        languages: Mapping[tuple[int, ...], str],
        rollouts: int,
        ledger: Ledger,
    ) -> None:
        self.objective, self.panel, self.decode, self.languages = objective, panel, decode, languages
        self.every, self.ledger = max(1, -(-rollouts // LOOKS)), ledger
        self.listener, objective.listener = objective.listener, self.hear
        self.peak = Peak()
        self.weights: dict[str, Tensor] = {}
        self.reference: list[Answer] = []
        self.window: list[Answer] = []
        self.looks: list[dict[str, Any]] = []
        self.hacks: list[dict[str, Any]] = []

    def micro_batches(self, model: nn.Module, step: int) -> Sequence[Piece]:
        assert isinstance(model, ActorCritic)
        number, update = divmod(step, self.objective.settings.updates)
        if update == 0 and number % self.every == 0:
            self.look(model, step)
        return self.objective.micro_batches(model, step)

    def loss(self, model: nn.Module, micro: Piece) -> tuple[Tensor, dict[str, Tensor | float]]:
        return self.objective.loss(model, micro)

    def after(self, model: nn.Module, step: int) -> Sums:
        return self.objective.after(model, step)

    def hear(self, number: int, rollout: Rollout, prompts: Sequence[Sequence[int]]) -> None:
        """The objective's listener: takes up a rollout's answers. The first is the reference policy's own."""
        self.listener(number, rollout, prompts)
        self.objective.figures["advantage"] = float(rollout.advantages.abs().sum() / rollout.mask.sum().clamp(min=1))
        heard = [
            self.answer(prompt, ids[1:][real].tolist(), finished)
            for prompt, ids, real, finished in zip(
                prompts, rollout.ids, rollout.mask, rollout.finished.tolist(), strict=True
            )
        ]
        if number == 0:
            self.reference += heard
        else:
            self.window = (self.window + heard)[-WINDOW:]

    def answer(self, prompt: Sequence[int], ids: Sequence[int], finished: bool) -> Answer:
        """What is remembered of an answer."""
        return Answer(self.decode(ids), len(ids), finished, self.languages.get(tuple(prompt), ""))

    @torch.no_grad()
    def look(self, model: ActorCritic, step: int) -> None:
        """Ask the panel, have the answers judged, compare them; keep the policy if it is the one to keep.

        Args:
            step: updates so far.
        """
        objective, prompts = self.objective, self.panel.prompts
        model.eval()
        completions = objective.complete(model.policy, prompts, ("watch",))  # the same random numbers at each look
        rewards = objective.scorer(prompts, completions)
        ids, mask = lay_out(prompts, completions, model.policy.config.padding or 0)
        ids, mask = ids.to(rewards.device), mask.to(rewards.device)
        mine, theirs = (objective.log_probabilities(one, ids, mask) for one in (model.policy, objective.reference))
        model.train()
        figures = {"updates": step, "kl": float(((mine - theirs) * mask).sum(1).mean())}
        figures |= spread_of("reward", rewards.tolist())
        answers = [
            self.answer(prompt, written.ids, written.finished)
            for prompt, written in zip(prompts, completions, strict=True)
        ]
        if step == 0:
            figures["padding_gap"] = padding_gap(objective.scorer, prompts, completions, rewards)
        if self.panel.judge is not None:
            verdicts = self.panel.judge(prompts, completions).tolist()
            figures |= spread_of("judge", verdicts)
            if self.peak.see(verdicts):
                self.weights = copied(model.policy)
        self.looks.append(figures)
        self.ledger.event("look", step=step + 1, **figures)  # it belongs to the update that comes next
        if step == 0:
            self.reference += answers
        else:
            self.compare(answers + self.window, step)

    def compare(self, answers: Sequence[Answer], step: int) -> None:
        """Say what the answers became, once for each kind, unless the judge finds that they became better."""
        found = changes(self.reference, answers, spent(len(self.looks) - 1, ALARM))
        if self.panel.judge is not None and self.peak.gained:
            return
        for change in found:
            if change.kind not in {hack["kind"] for hack in self.hacks}:
                self.hacks.append({"updates": step, **asdict(change)})
                english, polish = self.warning(change)
                self.ledger.note(english, polish=polish, step=step + 1, hack=change.kind)

    def warning(self, change: Change) -> tuple[str, str]:
        """A note's sentence in English and in Polish."""
        english, polish = said(change)
        if self.panel.judge is None:
            return (
                f"{english}: see whether they are better for it; nobody judges them here",
                f"{polish}: sprawdź, czy są przez to lepsze; tutaj nikt ich nie ocenia",
            )
        return (
            f"{english}, and the judge does not find them better: the reward is being gamed",
            f"{polish}, a sędzia nie uważa ich za lepsze: nagroda jest oszukiwana",
        )

    def finish(self, model: ActorCritic, step: int) -> dict[str, Any]:
        """The last look, after `step` updates; then the kept policy's weights are the model's.

        Returns:
            metrics: judge (its name), hacks (their kinds), updates_kept (of the policy that is kept); judge_first,
            judge_kept and judge_last where there is a judge.
        """
        self.look(model, step)
        model.eval()
        metrics = {"judge": self.panel.name, "hacks": [hack["kind"] for hack in self.hacks], "updates_kept": step}
        if self.panel.judge is None:
            return metrics
        kept = self.looks[self.peak.kept]
        if kept is not self.looks[-1]:
            self.ledger.note(
                f"the judge's peak was after {kept['updates']} of {step} updates: the policy from there is kept"
            )
            with torch.no_grad():
                for name, parameter in learning(model.policy).items():
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
            "window": [astuple(answer) for answer in self.window],
            "looks": list(self.looks),
            "hacks": list(self.hacks),
        }

    def load(self, state: dict[str, Any]) -> None:
        self.objective.load(state["objective"])
        self.peak = Peak(**state["peak"])
        self.weights = state["weights"]
        self.reference, self.window = ([Answer(*row) for row in state[name]] for name in ("reference", "window"))
        self.looks, self.hacks = list(state["looks"]), list(state["hacks"])


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
