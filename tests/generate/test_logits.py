"""The compiled kernel for logits: it draws and judges as torch does, and a row's bits depend on that row alone."""

import numpy as np
import pytest
import torch

from anatomia.base.compiled import can_compile
from anatomia.generate import logits as kernel
from anatomia.generate.sampling import Sampling, choose

pytestmark = pytest.mark.skipif(not can_compile(), reason="no C++ compiler here")
SIZES = (1, 15, 64, 65, 4096, 5001)


def some(rows: int, vocabulary: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    found = 3 * torch.randn(rows, vocabulary, generator=torch.Generator().manual_seed(vocabulary))
    found[0, vocabulary // 2 + 1 :] = -torch.inf  # as where tokens are ruled out
    found[1] = 1e4 * found[1]
    return found.to(dtype)


@pytest.mark.parametrize("vocabulary", SIZES)
def test_tokens_are_those_that_torch_draws(vocabulary: int, monkeypatch: pytest.MonkeyPatch) -> None:
    logits = some(40, vocabulary)
    uniforms = np.random.default_rng(0).random(40)
    uniforms[:4] = 0.0, 0.0, 1 - 2**-53, 1 - 2**-53
    mine, logprobs = kernel.draw(logits, uniforms)
    monkeypatch.setattr(kernel, "supports", lambda logits: False)
    ids, plain, _ = choose(logits, Sampling(), uniforms)
    assert torch.equal(mine, ids)
    assert torch.allclose(logprobs, plain, atol=1e-5)


def test_what_is_drawn_follows_the_chances() -> None:
    logits = torch.tensor([[0.5, -1.0, -torch.inf, 2.0, 0.0]]).expand(20000, 5)
    ids, logprobs = kernel.draw(logits, np.random.default_rng(1).random(20000))
    shares = torch.bincount(ids, minlength=5) / 20000
    assert torch.allclose(shares, torch.softmax(logits[0], 0), atol=0.015)
    assert shares[2] == 0
    assert torch.allclose(logprobs, torch.log_softmax(logits[0], 0)[ids], atol=1e-6)


@pytest.mark.parametrize("vocabulary", SIZES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_rows_are_judged_as_torch_judges_them(vocabulary: int, dtype: torch.dtype) -> None:
    logits = some(7, vocabulary, dtype)
    targets = torch.randint(0, vocabulary // 2 + 1, (7,), generator=torch.Generator().manual_seed(0))
    expected = torch.distributions.Categorical(logits=logits.float().clamp(min=-1e9))
    kept = logits.clone()
    found, entropy = kernel.judge(kept, targets, True, True)
    assert torch.allclose(found, torch.log_softmax(logits.float(), -1).gather(1, targets[:, None])[:, 0], atol=1e-5)
    assert torch.allclose(entropy, expected.entropy(), atol=1e-5)
    slopes = torch.softmax(logits.float(), -1) - torch.nn.functional.one_hot(targets, vocabulary)
    assert torch.allclose(kept.float(), slopes, atol=1e-6, rtol=2**-8)
    again = logits.clone()
    kernel.judge(again, targets, False, False)
    assert torch.equal(again, logits)


def test_slopes_of_what_is_nearly_certain_are_not_rounded_away() -> None:
    """A chance of 0.9999 is 1 in bfloat16; its distance from 1 is what is learnt from."""
    logits = torch.zeros(1, 64).bfloat16()
    logits[0, 3] = 13.375
    exact = torch.softmax(logits.double(), -1)[0, 3].item() - 1
    kernel.judge(logits, torch.tensor([3]), True, False)
    assert exact > -1e-3
    assert logits[0, 3].item() == pytest.approx(exact, rel=2**-7)


def test_bits_do_not_depend_on_threads_or_other_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "ALONE", 0)
    logits, targets, uniforms = some(9, 301), torch.arange(9), np.random.default_rng(2).random(9)
    before = torch.get_num_threads()
    found = []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            found.append([*kernel.draw(logits, uniforms), *kernel.judge(logits.clone(), targets, False, True)])
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))
    alone = [*kernel.draw(logits[4:5], uniforms[4:5]), *kernel.judge(logits[4:5].clone(), targets[4:5], False, True)]
    assert all(torch.equal(one, other[4:5]) for one, other in zip(alone, found[0], strict=True))
