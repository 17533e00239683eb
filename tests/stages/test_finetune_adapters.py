"""Fine-tuning with adapters by the stages of a very small world: what comes out, and that kills change nothing."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from faults import small_world
from model.tiny import decoder

from anatomia import pipeline
from anatomia import recipe as recipes
from anatomia.base import machine
from anatomia.base.errors import UserError
from anatomia.base.files import read_json
from anatomia.generate.chat import Speaker
from anatomia.model.adapters import KINDS, AdapterConfig
from anatomia.model.adapters_files import load_adapter
from anatomia.model.checkpoint import load_model, save_model
from anatomia.recipe import build, section_classes
from anatomia.stages import finetune, modules, stages
from anatomia.tokens.vocabulary import train_vocabulary

FLAT = [kind for kind in KINDS if AdapterConfig(kind).mergeable]
every = pytest.mark.parametrize("kind", KINDS)


class Killed(BaseException):
    """Stands for SIGKILL: nothing catches it."""


@pytest.fixture(autouse=True)
def _machine_of_this_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A checkpoint after each step; and other tests shall not find the small world's machine applied."""
    from torch.utils import deterministic

    monkeypatch.setenv("ANATOMIA_CHECKPOINT_SECONDS", "0")
    monkeypatch.setattr(machine, "_applied", None)
    threads, filled = torch.get_num_threads(), deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    yield
    torch.set_num_threads(threads)
    torch.set_flush_denormal(False)
    torch.use_deterministic_algorithms(False)
    deterministic.fill_uninitialized_memory = filled  # type: ignore[attr-defined]


def go(
    out: Path, until: str, listen: Callable[[dict[str, Any]], None] = lambda event: None, **wishes: Any
) -> dict[str, Any]:
    """The small world as far as a stage, in this process."""
    raw = small_world.RAW | {"finetune": small_world.RAW["finetune"] | wishes}
    recipe = build(raw, section_classes(modules()))
    request = pipeline.Request(recipe, out.parent, out, until=until)
    return pipeline.run(request, stages(), [listen], choose=lambda: small_world.MACHINE)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("base") / "run"
    patch = pytest.MonkeyPatch()
    patch.setattr(machine, "_applied", None)
    go(out, "pretrain")
    patch.undo()
    return out


@pytest.fixture
def out(base: Path, tmp_path: Path) -> Path:
    """A run that has its base model."""
    shutil.copytree(base, tmp_path / "run")
    return tmp_path / "run"


def killer(step: int) -> Callable[[dict[str, Any]], None]:
    def listen(event: dict[str, Any]) -> None:
        if event["kind"] == "step" and event["step"] == step:
            raise Killed

    return listen


@every
def test_an_adapter_learns_and_the_model_goes_on_by_itself(out: Path, kind: str) -> None:
    """It answers better than the base, only the adapter was in the checkpoints, and what stands in `adapter` over the
    base says what the model says."""
    sizes: list[int] = []

    def listen(event: dict[str, Any]) -> None:
        resume = out / ".finetune.building" / ".resume"
        for path in resume.glob("*.checkpoint"):
            with suppress(FileNotFoundError):  # removed just now
                sizes.append(path.stat().st_size)

    found = go(out, "finetune", listen, adapter=kind, adapter_rank=4, adapter_tokens=6)["finetune"]
    metrics = found.metrics
    assert metrics["held_out_loss"] < metrics["held_out_loss_before"]
    weights = load_model(out / "pretrain").config.parameters()
    assert metrics["trained_parameters"] < 0.3 * weights
    assert max(sizes) < 12 * metrics["trained_parameters"] + 40_000
    model = Speaker.open(out / "finetune").model
    apart = load_model(out / "pretrain")
    load_adapter(out / "finetune" / "adapter", apart)
    ids = torch.randint(4, 200, (2, 20), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        difference = (model(ids) - apart(ids)).abs().max()
        assert difference < 1e-4
        assert (load_model(out / "pretrain")(ids) - apart(ids)).abs().max() > 10 * difference
    assert (model.adapted is None) == (kind in FLAT)
    assert read_json(out / "finetune" / "adapter" / "adapter_config.json")["base_model_name_or_path"] == (
        "../../pretrain" if kind in FLAT else ".."
    )


@pytest.mark.parametrize("kind", ["dora", "ia3", "prefix", "bitfit"])
def test_killed_and_gone_on_with(out: Path, kind: str, tmp_path: Path) -> None:
    """Every byte is that of a run that was never killed."""
    shutil.copytree(out, tmp_path / "straight")
    wishes = {"adapter": kind, "adapter_rank": 4, "adapter_tokens": 6}
    go(tmp_path / "straight", "finetune", **wishes)
    for step in (2, 5):
        with pytest.raises(Killed):
            go(out, "finetune", killer(step), **wishes)
    go(out, "finetune", **wishes)
    names = [str(path.relative_to(out)) for path in (out / "finetune").rglob("*.safetensors")]
    assert "finetune/model.safetensors" in names
    assert "finetune/adapter/adapter_model.safetensors" in names
    for name in [*names, "finetune/specimens.json"]:
        assert (out / name).read_bytes() == (tmp_path / "straight" / name).read_bytes(), name


@pytest.mark.parametrize("kind", ["prefix", pytest.param("bottleneck", marks=pytest.mark.slow)])
def test_later_stages_take_what_cannot_be_merged(out: Path, kind: str) -> None:
    """The reward model and the policy keep it, in front of their weights or inside them."""
    found = go(out, "evaluate", adapter=kind, adapter_rank=4, adapter_tokens=6)
    for stage in ("finetune", "reward", "align"):
        assert (out / stage / "adapter" / "adapter_config.json").is_file()
    assert found["evaluate"].metrics


def test_what_does_not_go_together_is_refused(tmp_path: Path) -> None:
    classes = section_classes(modules())
    recipe = build({"finetune": {"dialogues": ["world"], "adapter": "lora", "optimizer": "muon"}}, classes)
    with pytest.raises(UserError, match=r"finetune\.adapter = 'lora' take"):
        finetune.STAGE.check(recipe, tmp_path)
    with pytest.raises(UserError, match=r'finetune\.adapter = "bitfi"'):
        build({"finetune": {"adapter": "bitfi"}}, classes)


def test_adapters_have_learning_rates_of_their_own() -> None:
    classes = section_classes(modules())
    rates = [
        build({"finetune": wish}, classes).finetune.learning_rate
        for wish in ({}, {"adapter": "lora"}, {"adapter": "lora", "learning_rate": 1e-5})
    ]
    assert rates[0] < rates[1]
    assert rates[2] == 1e-5


GPT2: dict[str, Any] = {
    "family": "gpt2", "norm": "layer", "positions": "learned", "qk_norm": False, "qkv_bias": True, "output_bias": True,
    "feed_bias": True, "gated": False, "activation": "gelu_new", "kv_heads": 4, "head_size": 4,
}  # fmt: skip


@pytest.mark.parametrize(("changes", "kind"), [({"family": "llama", "qk_norm": False}, "lora"), (GPT2, "prefix")])
def test_the_recipe_for_a_model_that_somebody_made(tmp_path: Path, changes: dict[str, Any], kind: str) -> None:
    """Laid out as it says, until there is a model to talk to."""
    vocabulary = train_vocabulary(["Rzeka płynie przez miasto. The river runs through the town."] * 20, 300)
    model = decoder(vocabulary=304, context=192, begin=vocabulary.begin, end=(vocabulary.end,), **changes)
    save_model(tmp_path / "model", model)
    vocabulary.save(tmp_path / "model")
    (tmp_path / "dialogues").mkdir()
    lines = [json.dumps({"prompt": f"Town {n}?", "completion": f"River {n * n}."}) for n in range(40)]
    (tmp_path / "dialogues" / "pairs.jsonl").write_text("\n".join(lines))
    wishes = ["world.documents=40", "finetune.batch=2", f"finetune.adapter={kind}"]
    wishes += ["finetune.adapter_rank=2", "finetune.adapter_tokens=6", "finetune.learning_rate=0.01"]
    found = recipes.read(recipes.find("lora"), section_classes(modules()), wishes, tmp_path)
    recipes.check(found, tmp_path, stages())
    request = pipeline.Request(found, tmp_path, tmp_path / "runs" / "lora", until="finetune")
    made = pipeline.run(request, stages(), choose=lambda: small_world.MACHINE)["finetune"]
    assert made.metrics["held_out_loss"] < made.metrics["held_out_loss_before"]
    assert made.metrics["trained_parameters"] < 0.5 * model.config.parameters()
    Speaker.open(tmp_path / "runs" / "lora" / "finetune")


def test_the_page_says_the_learning_rates() -> None:
    page = (Path(__file__).parents[2] / "docs" / "adapters.md").read_text()
    (names,) = (line for line in page.splitlines() if line.startswith("| | `none`"))
    (rates,) = (line for line in page.splitlines() if line.startswith("| `learning_rate`"))
    told = {
        name.strip(" `"): float(rate)
        for cell, rate in zip(names.split("|")[2:-1], rates.split("|")[2:-1], strict=True)
        for name in cell.split(",")
    }
    assert told == {"none": finetune.FinetuneSettings().learning_rate, **finetune.RATES}
