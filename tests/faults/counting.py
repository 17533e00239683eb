"""Small stages that behave as real ones do: many files, checkpoints, resuming; for tests of recipe and pipeline."""

import json
import sys
from pathlib import Path
from typing import Any

from pydantic import Field

from anatomia.base.errors import UserError
from anatomia.base.files import write_json
from anatomia.base.machine import Machine
from anatomia.base.settings import Settings
from anatomia.pipeline import Request, run
from anatomia.recipe import build
from anatomia.stages.stage import Context, Stage

MACHINE = Machine("test", 1, 0, 1.0, 1.0, "", "0", "cpu", "float32", 1)


class FirstSettings(Settings):
    texts: tuple[str, ...] = ()
    factor: int = Field(3, ge=1)


class SecondSettings(Settings):
    enabled: bool = True
    steps: int = Field(40, ge=1, le=1000)
    parity: bool = False
    mode: str = "plain"


class ThirdSettings(Settings):
    steps: int = Field(40, ge=1)


SECTIONS = {"first": FirstSettings, "second": SecondSettings, "third": ThirdSettings}


def _first(context: Context) -> dict[str, Any]:
    settings: Any = context.settings["first"]
    words = "".join((context.root / name).read_text(encoding="utf-8") for name in settings.texts)
    for part in range(5):
        write_json(context.work / f"part-{part}.json", [part * settings.factor, words])
    return {"parts": 5}


def _steps(name: str, parent: str) -> Any:
    """A loop with a checkpoint every third step, whose result depends on every step before."""

    def step_through(context: Context) -> dict[str, Any]:
        settings: Any = context.settings[name]
        seen = sorted(path for path in context.inputs[parent].path.glob("*.json") if path.name != "artifact.json")
        if getattr(settings, "parity", False):  # an input that changes without changing what comes out
            seen = seen[:1]
        checkpoint = context.resume / "checkpoint.json"
        step, state = json.loads(checkpoint.read_text()) if checkpoint.exists() else (0, len(seen) + context.seed)
        context.ledger.rewind(step)
        while step < settings.steps:
            state = (state * 6364136223846793005 + step) % (1 << 61)
            step += 1
            context.ledger.event("step", step=step, loss=state / (1 << 61))
            context.ledger.progress(step, settings.steps, "steps")
            if step % 3 == 0:
                write_json(checkpoint, [step, state])
        (context.work / "weights").mkdir(exist_ok=True)
        for layer in range(4):
            write_json(context.work / "weights" / f"layer-{layer}.json", [layer, state])
        return {"loss": state / (1 << 61)}

    return step_through


def _check_first(recipe: Any, root: Path) -> None:
    for name in recipe.first.texts:
        if not (root / name).is_file():
            raise UserError(f"first.texts: no file {root / name}; correct the path")


STAGES = (
    Stage(
        "first", 1, ("first",), _first,
        check=_check_first,
        reads=lambda recipe, root: [root / name for name in recipe.first.texts],
    ),
    Stage(
        "second", 1, ("second",), _steps("second", "first"),
        parents=lambda recipe: ("first",),
        enabled=lambda recipe: recipe.second.enabled,
    ),
    Stage("third", 1, ("third",), _steps("third", "second"), parents=lambda recipe: ("second",)),
)  # fmt: skip


def go(out: Path, raw: dict[str, Any] | None = None, **request: Any) -> list[tuple[str, str]]:
    """Run the stages; which stage was in which state, in order."""
    states: list[tuple[str, str]] = []

    def listen(event: dict[str, Any]) -> None:
        if event["kind"] == "stage" and event["state"] != "begin":
            states.append((event["stage"], event["state"]))

    recipe = build(raw or {}, SECTIONS)
    stages = request.pop("stages", STAGES)
    listeners = (listen, *request.pop("listeners", ()))
    root = request.pop("root", out.parent)
    run(Request(recipe, root, out, **request), stages, listeners, choose=lambda: MACHINE, apply=lambda machine: None)
    return states


if __name__ == "__main__":
    go(
        Path(sys.argv[1]),
        json.loads(sys.argv[2]),
        listeners=(lambda event: print(event["stage"], event["kind"], flush=True),),
    )
