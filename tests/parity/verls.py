"""verl's formulas of policy optimisation, as its package has them: `core`, or None where the package is not there.

`python bootstrap.py test` puts the package, without what it depends on, beside the other ones (`bootstrap.PEERS`). Its
formulas need torch alone; what else it imports on the way to them (clusters, configurations) is stood in for.
"""

import importlib
import importlib.util
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

PEERS = Path(sys.prefix) / "peers"
OURS_TO_GIVE = {
    "verl": {"DataProto": object},
    "verl.protocol": {"DataProto": object},
    "verl.utils": {},
    "verl.utils.reward_score": {"default_compute_score": None},
    "verl.trainer.config": {"AlgoConfig": type("AlgoConfig", (), {})},
    "verl.workers.config": {"ActorConfig": type("ActorConfig", (), {})},
    "verl.workers.reward_manager": {"register": lambda name: lambda found: found},
    "tensordict": {"TensorDict": object},
    "omegaconf": {"DictConfig": object},
}  # fmt: skip
"""Packages that are not run, and what of them is asked for by name."""


def load() -> tuple[Any, Any] | None:
    """The module of verl's formulas, and its manager of DAPO's rewards."""
    if str(PEERS) not in sys.path:
        sys.path.append(str(PEERS))
    found = importlib.util.find_spec("verl")
    if found is None or not found.submodule_search_locations:
        return None
    root = Path(found.submodule_search_locations[0])
    before = {name: sys.modules.get(name) for name in OURS_TO_GIVE}
    for name, given in OURS_TO_GIVE.items():
        module = sys.modules[name] = ModuleType(name)
        module.__spec__ = ModuleSpec(name, None, is_package=True)
        module.__path__ = [str(root.joinpath(*name.split(".")[1:]))] if name.startswith("verl") else []
        vars(module).update(given)
    try:
        groups = importlib.import_module("verl.utils.groupwise")
        for name in ("as_torch_index", "group_mean_std"):
            setattr(sys.modules["verl.utils"], name, getattr(groups, name))
        formulas = importlib.import_module("verl.trainer.ppo.core_algos")
        rewards = importlib.import_module("verl.workers.reward_manager.dapo")
    finally:
        for name, module_before in before.items():
            del sys.modules[name]
            if module_before is not None:
                sys.modules[name] = module_before
    return formulas, rewards
