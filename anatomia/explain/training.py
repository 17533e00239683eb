"""What `anatomia show training` shows of a finished run: what went wrong, what the judge saw, what tokens brought."""

from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from anatomia.explain.diagnosis import diagnose
from anatomia.explain.gather import gather
from anatomia.explain.texts import number, plain

TRAINED = ("pretrain", "finetune", "reward", "judge", "align")
COLUMNS = ("reward", "kl", "value", "advantage", "loss")


def show_training(run: Path) -> dict[str, Any]:
    """{"stages": [{"stage", "findings": [{"name", "english", "polish"}]}], "looks", "kept", "hacks", "rollout"} of a
    run's directory; what it does not have is empty, or null.

    Raises:
        UserError: the run has no finished stage.
    """
    stages = gather(run).stages
    told = []
    for name in TRAINED:
        if name in stages:
            found = diagnose(stages[name].events, stages[name].artifact.metrics)
            pairs = [(one.name, *one.said()) for one in found]
            told.append({"stage": name, "findings": [dict(zip(("name", "english", "polish"), row)) for row in pairs]})
    shown: dict[str, Any] = {"stages": told, "looks": [], "kept": None, "hacks": [], "rollout": None}
    if "align" in stages:
        align = stages["align"]
        notes = [event for event in align.events if event.get("kind") == "note" and "hack" in event]
        shown["looks"] = [
            {key: event[key] for key in ("updates", "kl", "reward", "judge") if key in event}
            for event in align.events
            if event.get("kind") == "look"
        ]
        shown["kept"] = align.metric("updates_kept")
        shown["hacks"] = [{"english": note["text"], "polish": note["polish"]} for note in notes]
        pages = align.specimens.get("rollouts") or [None]
        shown["rollout"] = pages[-1]
    return shown


def render_training(shown: dict[str, Any], language: str = "en") -> RenderableType:
    """It as a terminal shows it."""
    said = "polish" if language == "pl" else "english"
    parts: list[RenderableType] = []
    for stage in shown["stages"]:
        parts.append(Rule(plain(f"name.{stage['stage']}", language), align="left"))
        sentences = [finding[said] for finding in stage["findings"]] or [plain("diagnosis.nothing", language)]
        parts += [Text(sentence) for sentence in sentences]
        if stage["stage"] == "align":
            parts += [Text(f"{plain('align.hacks', language)}: {hack[said]}") for hack in shown["hacks"]]
    if shown["looks"]:
        parts += [Text(), looks_table(shown["looks"], shown["kept"], language)]
    if shown["rollout"]:
        parts += [Text(), Text(shown["rollout"]["prompt"], "italic"), rollout_table(shown["rollout"], language)]
    return Group(*parts)


def looks_table(looks: list[dict[str, Any]], kept: float | None, language: str) -> Table:
    """A line a look; the policy that was kept is marked."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    for key in ("flow.steps", "chart.root_kl", "chart.reward_gain", "chart.judge_gain"):
        table.add_column(plain(key, language), justify="right")
    table.add_column("")
    for look in looks:
        cells = [look.get("reward"), look.get("judge")]
        root = max(look["kl"], 0.0) ** 0.5
        mark = f"← {plain('chart.kept', language)}" if look["updates"] == kept else ""
        table.add_row(written(look["updates"], language, 0), *(written(v, language, 2) for v in (root, *cells)), mark)
    return table


def rollout_table(page: dict[str, Any], language: str) -> Table:
    """A line a token: what it got, and what it brings to the loss where that was written down."""
    columns = COLUMNS if "loss" in page else COLUMNS[:-1]
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("")
    for name in columns:
        table.add_column(plain(f"align.{name}", language), justify="right")
    sums = dict.fromkeys(columns, 0.0)
    for token in page["tokens"]:
        brought = sum(value for name, value in token.items() if name.startswith("loss_"))
        row = token | {"kl": token["logprob"] - token["reference_logprob"], "loss": brought}
        for name in columns:
            sums[name] += row[name]
        digits = [written(row[name], language, 5 if name == "loss" else 2) for name in columns]
        table.add_row(token["text"].replace("\n", "↵"), *digits)
    if "loss" in page:
        whole = plain("align.share", language)
        own, loss = (written(value, language, 4) for value in (sums["loss"], page["loss"]))
        table.caption = whole.format(own=own, loss=loss)
    return table


def written(value: float | None, language: str, digits: int) -> str:
    """A number as the language writes it; a dash for none."""
    if value is None:
        return "–"
    shown = number(value, digits)
    return str(shown.pl if language == "pl" else shown.en)
