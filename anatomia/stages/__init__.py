"""The stages of the way, one short file each. This list is the only place that knows them all and their order."""

from importlib import import_module
from types import ModuleType

from anatomia.stages.stage import Stage

ORDER = (
    "corpus",
    "tokenizer",
    "pretrain",
    "finetune",
    "sample",
    "rank",
    "reward",
    "judge",
    "align",
    "evaluate",
    "report",
)


def modules() -> tuple[ModuleType, ...]:
    """The stages' modules, in order. They are imported here and not before, so that `anatomia --help` is fast."""
    return tuple(import_module(f"{__name__}.{name}") for name in ORDER)


def stages() -> tuple[Stage, ...]:
    """Every stage, in the order in which a run goes through them."""
    return tuple(module.STAGE for module in modules())
