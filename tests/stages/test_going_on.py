"""A model that somebody brings fits the recipe and its own tokenizer, or the recipe is refused before anything runs."""

from pathlib import Path
from typing import Any

import pytest
from model.tiny import decoder

from anatomia import recipe as recipes
from anatomia import stages
from anatomia.base.errors import UserError
from anatomia.model.checkpoint import save_model
from anatomia.tokens.vocabulary import train_vocabulary

TEXT = ["Rzeka płynie przez miasto. The river runs through the town."] * 20
GPT2: dict[str, Any] = {
    "family": "gpt2", "norm": "layer", "positions": "learned", "qk_norm": False, "qkv_bias": True, "output_bias": True,
    "feed_bias": True, "gated": False, "activation": "gelu_new", "kv_heads": 4, "head_size": 4, "context": 128,
}  # fmt: skip


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A directory with two tokenizers and two models that go with the larger one."""
    small, large = train_vocabulary(TEXT, 280), train_vocabulary(TEXT, 300)
    small.save(tmp_path / "small")
    for name, changes in (("llama", {"family": "llama", "qk_norm": False}), ("gpt2", GPT2)):
        save_model(tmp_path / name, decoder(vocabulary=304, begin=290, end=(large.end,), **changes))
        large.save(tmp_path / name)
    save_model(tmp_path / "narrow", decoder(vocabulary=256))
    return tmp_path


def check(root: Path, stage: str, **sections: dict[str, Any]) -> None:
    """What a stage has to say about a recipe before anything runs."""
    modules = stages.modules()
    recipe = recipes.build(sections, recipes.section_classes(modules))
    next(module.STAGE for module in modules if module.STAGE.name == stage).check(recipe, root)


def refused(words: list[str], root: Path, stage: str, **sections: dict[str, Any]) -> None:
    with pytest.raises(UserError) as caught:
        check(root, stage, **sections)
    assert "\n" not in str(caught.value)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(("model", "context"), [("llama", 64), ("gpt2", 128)])
def test_a_context_longer_than_the_positions(root: Path, model: str, context: int) -> None:
    own = {"tokenizer": {"from": model}}
    check(root, "pretrain", pretrain={"from": model, "context": context}, **own)
    words = [f"pretrain.context = {context + 1}", f"the context of {model} = {context}"]
    refused(words, root, "pretrain", pretrain={"from": model, "context": context + 1}, **own)
    refused(["model.context = 64"], root, "pretrain", model={"context": 64}, pretrain={"context": 65})


@pytest.mark.parametrize("stage", ["sample", "align", "evaluate"])
def test_answers_longer_than_the_context(root: Path, stage: str) -> None:
    world = {"prompts": ["world"]}
    given: dict[str, Any] = {"pretrain": {"from": "llama"}, "tokenizer": {"from": "llama"}}
    check(root, stage, **{stage: world | {"max_new": 56}}, **given)
    words = [f"{stage}.max_new = 57", "the context of llama = 64"]
    refused(words, root, stage, **{stage: world | {"max_new": 57}}, **given)
    refused(["model.context = 32"], root, stage, **{stage: world | {"max_new": 25}}, model={"context": 32})


def test_a_vocabulary_that_does_not_match(root: Path) -> None:
    refused(["300", "256"], root, "pretrain", pretrain={"from": "narrow"}, tokenizer={"from": "llama"})
    refused(["290", "280"], root, "pretrain", pretrain={"from": "llama"}, tokenizer={"from": "small"})
    refused(["tokenizer.from = 'llama'"], root, "pretrain", pretrain={"from": "llama"})
