"""A reward model that is an adapter on the policy's weights, by the stages of a very small world."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from faults import small_world
from safetensors.torch import load_file
from torch import Tensor, nn

from anatomia import pipeline
from anatomia.base import machine
from anatomia.base.artifact import read_artifact
from anatomia.base.errors import UserError
from anatomia.base.files import read_json
from anatomia.model.adapters import NAME
from anatomia.model.checkpoint import load_model, load_scalar
from anatomia.objectives.alignment import ActorCritic
from anatomia.recipe import build, section_classes
from anatomia.stages import memory, modules, reward, stages
from anatomia.stages.align import AlignSettings, begun_from, reward_model
from anatomia.stages.models import open_model, put_adapter
from anatomia.stages.reward import RewardSettings
from anatomia.stages.scorers import load_reward_model, over
from anatomia.train.optimizer import FlatOptimizer, OptimizerSettings

ADAPTED = {"adapter": "lora", "adapter_rank": 4}
IDS = torch.randint(4, 200, (3, 20), generator=torch.Generator().manual_seed(1))


class Killed(BaseException):
    """Stands for SIGKILL: nothing catches it."""


@pytest.fixture(autouse=True)
def _machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("ANATOMIA_CHECKPOINT_SECONDS", "0")
    monkeypatch.setattr(machine, "_applied", small_world.MACHINE)
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(False)


def recipe(kind: str = "lora", **align: Any) -> Any:
    raw = small_world.RAW | {
        "reward": small_world.RAW["reward"] | ADAPTED | {"adapter": kind},
        "align": small_world.RAW["align"] | {"rollouts": 3} | align,
    }
    return build(raw, section_classes(modules()))


def go(out: Path, until: str, chosen: Any, listen: Any = lambda event: None) -> dict[str, Any]:
    request = pipeline.Request(chosen, out.parent, out, until=until)
    return pipeline.run(request, stages(), [listen], choose=lambda: small_world.MACHINE)


@pytest.fixture(scope="module")
def ranked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that has its reward model."""
    out = tmp_path_factory.mktemp("run") / "run"
    go(out, "reward", recipe())
    return out


def adapted(run: Path) -> tuple[Any, Any, Any]:
    """Policy, reward model and critic as the stage `align` has them."""
    policy, _ = open_model(read_artifact(run / "finetune"))
    settings = AlignSettings(adapter="lora", adapter_rank=2)
    assert settings.adapter_config is not None
    put_adapter(policy, settings.adapter_config, 1, "align")
    model = reward_model(read_artifact(run / "reward"), policy, settings)
    return policy, model, begun_from(model, policy, settings, 1)


def storages(*models: nn.Module) -> dict[int, int]:
    """Bytes of every piece of memory that holds weights of these models, each once."""
    parts = [weight.untyped_storage() for model in models for weight in model.parameters()]
    return {part.data_ptr(): part.nbytes() for part in parts}


@pytest.mark.parametrize("kind", ["lora", "dora", "ia3"])
def test_what_comes_out_is_a_whole_model_and_its_adapter(ranked: Path, tmp_path: Path, kind: str) -> None:
    run = ranked
    if kind != "lora":
        run = tmp_path / "run"
        shutil.copytree(ranked, run)
        go(run, "reward", recipe(kind))
    whole, plain = load_scalar(run / "reward"), load_model(run / "finetune")
    assert whole.decoder.adapter is None
    apart = over(load_model(run / "finetune"), run / "reward" / "adapter")
    with torch.no_grad():
        assert (whole(IDS) - apart(IDS)).abs().max() < 1e-5
        assert (load_scalar(run / "reward" / "adapter")(IDS) - apart(IDS)).abs().max() < 1e-6
    assert torch.equal(whole.score, apart.score)
    assert whole.score.abs().max() > 0
    for name, weight in plain.named_parameters():
        changed = not torch.equal(weight, whole.decoder.get_parameter(name))
        assert changed <= (name.startswith("blocks.") and "norm" not in name), name
    record = read_json(run / "reward" / "adapter" / "adapter_config.json")
    assert record["task_type"] == "SEQ_CLS"
    assert record["modules_to_save"] == ["score"]
    assert (run / "reward" / "adapter" / record["base_model_name_or_path"]).resolve() == (run / "finetune").resolve()
    assert "base_model.model.score.weight" in load_file(run / "reward" / "adapter" / "adapter_model.safetensors")


def test_policy_reference_critic_and_reward_model_hold_one_base(ranked: Path) -> None:
    """In whatever format it is trained: no weight of it is there twice."""
    policy, model, critic = adapted(ranked)
    base = sum(weight.nbytes for name, weight in policy.named_parameters() if "adapters." not in name)
    own = sum(weight.nbytes for weight in policy.adapters.parameters()) + 2 * model.model.score.nbytes
    roles = (policy, policy.under(None), model.model, critic)
    assert sum(storages(*roles).values()) == base + own
    assert own < base / 2
    apart = load_reward_model(read_artifact(ranked / "reward"))
    assert sum(storages(*roles, apart.model).values()) > 1.9 * base
    learning = {name for name, weight in policy.named_parameters() if weight.requires_grad}
    assert learning == {
        n for n, _ in policy.named_parameters() if n.startswith(("adapters.default", "adapters.critic"))
    }
    FlatOptimizer(ActorCritic(policy, critic), OptimizerSettings(), torch.bfloat16)
    assert model.model.decoder.embedding.dtype == torch.bfloat16
    assert model.model.decoder.embedding.untyped_storage().data_ptr() == policy.embedding.untyped_storage().data_ptr()


def test_each_says_what_it_would_say_alone(ranked: Path) -> None:
    """The critic begins as the reward model's numbers over their deviation, and learning leaves the reward model."""
    policy, model, critic = adapted(ranked)
    alone = load_reward_model(read_artifact(ranked / "reward"))
    plain = load_model(ranked / "finetune")

    def said() -> Tensor:
        with torch.no_grad():
            found: Tensor = model.model(IDS)
            return found

    with torch.no_grad():
        assert (said() - alone.model(IDS)).abs().max() < 1e-5
        assert (critic(IDS) - said() / model.deviation).abs().max() < 1e-5
        assert torch.equal(policy(IDS), plain(IDS)), "a new adapter says nothing yet"
        before = said()
        for name in (NAME, "critic"):
            for weight in policy.adapters[name].parameters():
                weight += 0.1
        assert not torch.equal(policy(IDS), plain(IDS))
        assert torch.equal(policy.under(None)(IDS), plain(IDS))
    assert torch.equal(said(), before)


@pytest.mark.parametrize("method", ["ppo", "grpo"])
def test_learning_from_it(ranked: Path, tmp_path: Path, method: str) -> None:
    """Killed and gone on with, to the same bytes; nothing of the reward model is in the policy."""
    chosen = recipe(method=method, group=2, adapter="lora", adapter_rank=2, learning_rate=1e-2)
    events: list[Any] = []
    for name in ("straight", "killed"):
        shutil.copytree(ranked, tmp_path / name)
    made = go(tmp_path / "straight", "align", chosen, events.append)["align"]
    steps = [event for event in events if event["kind"] == "step" and event["stage"] == "align"]
    assert steps[0]["kl"] == 0.0
    assert steps[-1]["kl"] != 0.0

    def listen(event: dict[str, Any]) -> None:
        if event["kind"] == "step" and event["stage"] == "align" and event["step"] == 3:
            raise Killed

    with pytest.raises(Killed):
        go(tmp_path / "killed", "align", chosen, listen)
    again = go(tmp_path / "killed", "align", chosen)["align"]
    for name in ("model.safetensors", "adapter/adapter_model.safetensors"):
        assert made.file(name).read_bytes() == again.file(name).read_bytes()
    assert load_model(made.path).adapter is None
    assert not any("score" in name for name in load_file(made.file("adapter/adapter_model.safetensors")))


def test_a_policy_all_of_whose_weights_learn_has_a_reward_model_apart(ranked: Path) -> None:
    """The base that the adapter is on would change under it."""
    policy, _ = open_model(read_artifact(ranked / "finetune"))
    model = reward_model(read_artifact(ranked / "reward"), policy, AlignSettings())
    assert not storages(policy).keys() & storages(model.model).keys()


def test_settings() -> None:
    plain, lora = RewardSettings(), RewardSettings(adapter="lora")
    assert plain.adapter_config is None
    assert lora.learning_rate > plain.learning_rate
    assert RewardSettings(adapter="lora", learning_rate=1e-5).learning_rate == 1e-5
    with pytest.raises(UserError, match=r'^reward.optimizer = "muon" .* reward.adapter = .lora. take "adamw"$'):
        reward.check(SimpleNamespace(reward=RewardSettings(adapter="lora", optimizer="muon")), Path())


def test_room_is_asked_for_the_base_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[float] = []
    monkeypatch.setattr(memory.Room, "check", lambda room, load, beside=0: asked.append(beside))
    for chosen in (recipe(adapter="lora"), recipe()):
        align = [stage for stage in stages() if stage.name == "align"]
        memory.check_memory(chosen, tmp_path, tmp_path, align, 1)
    assert asked[0] == 0 < asked[1]
    model = memory.trained(recipe(), "reward", memory.shape(recipe(), tmp_path))
    assert sum(weight.numel() for weight in model.parameters() if weight.requires_grad) < 10_000
