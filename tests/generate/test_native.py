"""The compiled kernel: it computes what torch does, and a row's bits depend on that row alone."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from model.tiny import decoder, tokens

from anatomia.base import compiled, machine
from anatomia.base.compiled import CompileError, can_compile, library
from anatomia.base.errors import UserError
from anatomia.base.machine import Machine
from anatomia.generate import engine, native
from anatomia.generate.eager import EagerBatch
from anatomia.generate.native import NativeBatch, Pace, packed, supports
from anatomia.generate.sampling import Sampling

LENGTHS = (1, 9, 4, 64, 4, 17, 65, 150)
PROMPTS = [tokens(length, seed=length).tolist() for length in LENGTHS]
KINDS = {
    "qwen3": {},
    "mistral": {"family": "mistral", "qk_norm": False, "sliding_window": 7, "tied": False},
    "wide window": {"family": "mistral", "qk_norm": False, "sliding_window": 70},
    "odd shapes": {"width": 70, "head_size": 10, "hidden": 131, "vocabulary": 141, "heads": 5, "kv_heads": 5},
    "one key head": {"heads": 8, "kv_heads": 1, "head_size": 72, "qkv_bias": True, "output_bias": True},
    "scaled rotary": {"rope_scaling": (("factor", 4.0), ("rope_type", "linear"))},
}
needs_compiler = pytest.mark.skipif(not can_compile(), reason="no C++ compiler here")


def logits_of(batch: EagerBatch | NativeBatch, script: torch.Tensor, kept: torch.Tensor) -> list[torch.Tensor]:
    """What a batch says to the same tokens; half-way only `kept` rows go on."""
    found = [batch.logits]
    for place, row in enumerate(script):
        half = place == len(script) // 2
        rows = kept if place >= len(script) // 2 else torch.arange(len(LENGTHS))
        found.append(batch.step(row[rows], kept if half else None))
    return found


@needs_compiler
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_logits_are_torch_s(kind: str, dtype: torch.dtype) -> None:
    """With weights and cache in bfloat16 it still counts in fp32, so it is nearer to the truth than torch is there."""
    model = decoder(context=200, **KINDS[kind]).to(dtype)
    assert supports(model)
    script, kept = tokens(20, len(LENGTHS), seed=3), torch.tensor([0, 2, 3, 7])
    with torch.inference_mode():
        mine = logits_of(NativeBatch(model, PROMPTS, 30), script, kept)
        rounded = logits_of(EagerBatch(model, PROMPTS, 30), script, kept)
        exact = logits_of(EagerBatch(model.float(), PROMPTS, 30), script, kept)
    scale = max(one.abs().max() for one in exact)
    error = max((one - other).abs().max() for one, other in zip(mine, exact, strict=True))
    theirs = max((one - other).abs().max() for one, other in zip(rounded, exact, strict=True))
    assert error < 1e-5 * scale if dtype == torch.float32 else error < theirs


@needs_compiler
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_row_s_bits_depend_on_nothing_but_the_row(dtype: torch.dtype) -> None:
    """Not on its neighbours or their number, on copies, on the number of threads, nor on tiny numbers' treatment."""
    model = decoder(context=200).to(dtype)
    script = tokens(6, 400, seed=3)
    before = torch.get_num_threads()
    found = []
    with torch.inference_mode():
        for prompts, threads, flush in ((PROMPTS * 40, 1, False), (PROMPTS, 3, True), (PROMPTS[5:], 2, False)):
            torch.set_num_threads(threads)
            torch.set_flush_denormal(flush)
            batch = NativeBatch(model, prompts, 30)
            number = len(prompts) - len(PROMPTS) + 5 if len(prompts) > 3 else 0
            same = script[:, 100:101].expand(-1, len(prompts))
            found.append(torch.stack([batch.logits[number], *(batch.step(row, None)[number] for row in same)]))
    torch.set_num_threads(before)
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])


@needs_compiler
def test_weights_that_train_are_read_anew() -> None:
    """Optimizers write into storage behind the parameters, which nothing that torch counts would show."""
    model = decoder()
    before = NativeBatch(model, [[5, 6]], 3).logits
    model.blocks[0].qkv.data.mul_(2)
    assert not torch.equal(before, NativeBatch(model, [[5, 6]], 3).logits)
    model.requires_grad_(False)
    assert packed(model) is packed(model)
    before = NativeBatch(model, [[5, 6]], 3).logits
    model.blocks[0].qkv.mul_(2)
    assert not torch.equal(before, NativeBatch(model, [[5, 6]], 3).logits)


@pytest.mark.parametrize(
    "changes",
    [{"norm": "layer"}, {"gated": False, "activation": "gelu"}, {"positions": "alibi"}, {"layer_windows": (3, None)}],
)
def test_other_families_are_left_to_torch(changes: dict[str, object]) -> None:
    assert not supports(decoder(**changes))
    assert not supports(decoder().double())


class TestWithoutCompiler:
    """What happens where nothing can be compiled."""

    @pytest.fixture(autouse=True)
    def no_compiler(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        monkeypatch.setattr(compiled, "find_compiler", lambda: None)
        native.kernel.cache_clear()
        machine._built.cache_clear()
        yield
        machine._built.cache_clear()

    def test_a_run_that_began_with_the_kernel_does_not_go_on_without(self, monkeypatch: pytest.MonkeyPatch) -> None:
        chosen = Machine("test", 1, 0, 1.0, 1.0, "", "0", "cpu", "float32", 1, "native")
        monkeypatch.setattr(machine, "_applied", chosen)
        with pytest.raises(UserError, match=r"no C\+\+ compiler.*install"):
            engine.generate(decoder(), [[5]], [0], Sampling())

    def test_talking_to_a_model_goes_on(self, monkeypatch: pytest.MonkeyPatch) -> None:
        chosen = Machine("test", 1, 0, 1.0, 1.0, "", "0", "cpu", "float32", 1, "native")
        monkeypatch.setattr(machine, "recall", lambda: chosen)
        monkeypatch.setattr(machine, "_applied", None)
        assert engine.generate(decoder(), [[5]], [0], Sampling(max_new=3))[0].ids

    def test_it_is_not_chosen(self) -> None:
        assert not can_compile()


@needs_compiler
def test_a_source_that_is_wrong_says_why() -> None:
    with pytest.raises(CompileError, match=r"fails: .*error"):
        library("wrong", "int nonsense = ;")


@needs_compiler
def test_a_library_is_compiled_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    source = 'extern "C" int seven() { return 7; }'
    assert library("seven", source).seven() == 7
    monkeypatch.setattr(compiled, "_compile", None)
    assert library("seven", source).seven() == 7
    assert [path.suffix for path in (tmp_path / "anatomia").iterdir()] == [".so"]


def test_threads_are_used_while_they_pay(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy computer one thread alone is faster; when it is free again, all are taken again."""
    now = [0.0]
    monkeypatch.setattr(native.time, "perf_counter", lambda: now[0])
    pace, taken = Pace(4), []
    for step in range(3 * Pace.EVERY):
        busy = Pace.EVERY <= step < 2 * Pace.EVERY
        threads = pace.choose()
        now[0] += 5.0 if busy and threads == 4 else 1 / threads
        pace.took()
        taken.append(threads)
    for stretch, best in enumerate((4, 1, 4)):
        part = taken[stretch * Pace.EVERY : (stretch + 1) * Pace.EVERY]
        assert part.count(best) >= Pace.EVERY - 3
    alone = Pace(1)
    for _ in range(2 * Pace.EVERY):
        assert alone.choose() == 1
        alone.took()
