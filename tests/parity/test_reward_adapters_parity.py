"""Reward models that are adapters, against peft and transformers: what one saves the other reads, to equal scores."""

from pathlib import Path
from typing import Any

import pytest
import torch
from model.tiny import tokens
from parity.kinds import build, close
from parity.test_adapters_parity import settings, shaken

from anatomia.base.errors import UserError
from anatomia.model.adapters import AdapterConfig, Kind, attach
from anatomia.model.adapters_files import load_adapter, relative, save_adapter
from anatomia.model.checkpoint import load_model, load_scalar
from anatomia.model.decoder import Decoder
from anatomia.model.scalar import ScalarModel

peft = pytest.importorskip("peft")
transformers = pytest.importorskip("transformers")

MODELS = ["qwen3", "llama2-biased", "mistral-window", "falcon-7b", "gpt2"]
LENGTHS = torch.tensor([11, 17, 4])
PADDING = 0

models = pytest.mark.parametrize("model", MODELS)
kinds = pytest.mark.parametrize("kind", ["lora", "rslora", "dora", "ia3"])


@pytest.fixture
def base(model: str, tmp_path: Path) -> Path:
    build(model).save_pretrained(tmp_path / "base")
    return tmp_path / "base"


def texts() -> torch.Tensor:
    ids = tokens(3, 17, high=60) + 1
    ids[ids == PADDING] = 1
    return torch.where(torch.arange(17) < LENGTHS[:, None], ids, PADDING)


def theirs(base: Path) -> Any:
    return transformers.AutoModelForSequenceClassification.from_pretrained(base, num_labels=1).eval()


def scores(model: Any) -> torch.Tensor:
    """[3] of texts of different lengths, padded on the right."""
    ids = texts()
    with torch.no_grad():
        if isinstance(model, ScalarModel):
            return model.at_last(ids, LENGTHS)
        found: torch.Tensor = model(input_ids=ids, attention_mask=(ids != PADDING).long()).logits.squeeze(1)
        return found


@models
@kinds
def test_peft_reads_what_is_written_here(base: Path, kind: Kind, tmp_path: Path) -> None:
    ours = ScalarModel(load_model(base)).eval()
    shaken(attach(ours.decoder, AdapterConfig(kind, 4, 6.0), torch.Generator().manual_seed(1)))
    with torch.no_grad():
        ours.score.normal_(generator=torch.Generator().manual_seed(2))
    save_adapter(tmp_path / "adapter", ours.decoder, base=relative(base, tmp_path / "adapter"), score=ours.score)
    wrapped = peft.PeftModel.from_pretrained(theirs(base), tmp_path / "adapter").eval()
    assert wrapped.peft_config["default"].task_type == "SEQ_CLS"
    close(scores(ours), scores(wrapped))
    close(scores(ours), scores(load_scalar(tmp_path / "adapter").eval()))
    assert scores(ours).std() > 0.1
    plain = theirs(base)
    with torch.no_grad():
        plain.score.weight.copy_(ours.score)
    assert (scores(ours) - scores(plain)).abs().max() > 1e-3, "the adapter counts"


@models
@kinds
def test_what_peft_writes_is_read_here(base: Path, kind: Kind, tmp_path: Path) -> None:
    config = settings(kind, load_model(base).config)
    config.task_type = "SEQ_CLS"
    if kind != "ia3":
        gpt2, others = ["c_attn", "c_proj"], ["q_proj", "v_proj", "down_proj", "query_key_value", "dense_4h_to_h"]
        config.target_modules = gpt2 if load_model(base).config.family == "gpt2" else others
    torch.manual_seed(3)
    wrapped = peft.get_peft_model(theirs(base), config).eval()
    shaken(wrapped)
    wrapped.save_pretrained(tmp_path / "adapter")
    close(scores(load_scalar(tmp_path / "adapter").eval()), scores(wrapped))


def test_an_adapter_without_a_head_is_no_reward_model_and_one_with_it_cannot_write(tmp_path: Path) -> None:
    build("qwen3").save_pretrained(tmp_path / "base")
    decoder: Decoder = load_model(tmp_path / "base")
    attach(decoder, AdapterConfig("lora", 4), torch.Generator().manual_seed(1))
    for name, score in (("plain", None), ("reward", torch.ones(1, 32))):
        save_adapter(tmp_path / name, decoder, base="../base", score=score)
    with pytest.raises(UserError, match=r"plain is not a reward model's adapter \(no score.weight\)"):
        load_scalar(tmp_path / "plain")
    with pytest.raises(UserError, match=r"reward is a reward model's adapter \(it has score.weight\)"):
        load_model(tmp_path / "reward")
    save_adapter(tmp_path / "narrow", decoder, base="../base", score=torch.ones(1, 5))
    with pytest.raises(UserError, match=r"score is \[1, 5\], this model asks for \[1, 32\]"):
        load_adapter(tmp_path / "narrow", decoder, score=torch.zeros(1, 32))
