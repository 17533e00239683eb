"""From real files in their true formats to a chat reply: the recipe for a person's own files, made small."""

import io
import json
import math
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from anatomia import cli, pipeline, recipe, stages
from anatomia.base.artifact import Artifact
from anatomia.base.events import Event
from anatomia.base.machine import Machine
from anatomia.tokens.vocabulary import Vocabulary

pytestmark = [
    pytest.mark.real,
    pytest.mark.xdist_group("own texts"),  # one process, so that the run is made once
    pytest.mark.timeout(1800),  # a minute where nothing else goes on, much more on a busy machine
]

RECIPE = Path(__file__).parents[1] / "recipes" / "own-texts.toml"
MACHINE = Machine("test", 1, 0, 1.0, 1.0, "", "0", "cpu", "float32", 1)
FILES = {
    "texts/books/pan-tadeusz.txt": "text-pl/books/pan-tadeusz.txt",
    "texts/books/sherlock-holmes.txt.gz": "text-en/gutenberg/pg1661-sherlock-holmes.txt.gz",
    "texts/wiki_demo.txt.gz": "text-en/wiki_demo.txt.gz",
    "texts/c4_demo.jsonl.gz": "text-en/c4_demo.jsonl.gz",
    "texts/kc.json.gz": "text-pl/law/kc.json.gz",
    "texts/ocr.tsv": "text-pl/ocr-books/edge/expected.tsv",
    "crawl/assembled-pl-html.warc.gz": "warc/assembled-pl-html.warc.gz",
    "crawl/cc_net-sample.warc.wet": "warc/commoncrawl/cc_net-sample.warc.wet",
    "crawl/clipped.warc.gz": "warc/edge/clipped.warc.gz",
    "dialogues/alpaca.json": "instruct/litgpt-alpaca-fixture.json",
    "dialogues/dolly.json": "instruct/litgpt-dolly-fixture.json",
    "dialogues/gec.jsonl.gz": "instruct/polish/human_expert_gec_dataset.jsonl.gz",
    "dialogues/speakleash.tar.gz": "instruct/polish/speakleash-samples.tar.gz",
    "dialogues/task1146_country_capital.json": "instruct/natural-instructions-v2/task1146_country_capital.json",
    "dialogues/subtask047.json": "instruct/natural-instructions-v1/subtask047_misc_answering_science_questions.json",
    "rankings/oasst.jsonl": "preference/oasst/en_100_tree.jsonl",
    "rankings/hh.jsonl.gz": "preference/hh-rlhf/harmless-base/test.jsonl.gz",
    "rankings/rasbt.json": "preference/rasbt-instruction-data-with-preference.json",
}
SMALL = (
    "tokenizer.size=1024",
    "model.layers=2",
    "model.width=64",
    "model.heads=2",
    "model.context=256",
    "pretrain.steps=60",
    "pretrain.batch=8",
    "pretrain.validate_every=20",
    "finetune.epochs=0.5",
    "finetune.batch=8",
    "sample.count=6",
    "sample.completions=2",
    "sample.max_new=12",
    "reward.epochs=0.3",
    "align.count=20",
    "align.rollouts=2",
    "align.batch=4",
    "align.max_new=12",
    "evaluate.count=8",
    "evaluate.max_new=12",
)


@dataclass
class Made:
    """A run, and what was heard while it was made."""

    root: Path
    out: Path
    artifacts: dict[str, Artifact]
    events: list[Event] = field(default_factory=list)

    def metrics(self, stage: str) -> dict[str, Any]:
        return self.artifacts[stage].metrics

    def stages(self, state: str) -> list[str]:
        return [event["stage"] for event in self.events if event["kind"] == "stage" and event["state"] == state]


def make(root: Path, out: Path, overrides: Sequence[str] = ()) -> Made:
    """Run the recipe in `root`, as the command does."""
    typed = recipe.read(root / "own-texts.toml", recipe.section_classes(stages.modules()), [*SMALL, *overrides])
    recipe.check(typed, root, stages.stages())
    events: list[Event] = []
    request = pipeline.Request(typed, root, out)
    artifacts = pipeline.run(request, stages.stages(), [events.append], choose=lambda: MACHINE)
    return Made(root, out, artifacts, events)


@pytest.fixture(scope="module")
def whole(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Everything, from a directory laid out as the recipe says."""
    root = tmp_path_factory.mktemp("own")
    shutil.copy(RECIPE, root)
    for name, origin in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).symlink_to(real_data / origin)
    return make(root, root / "runs" / "own-texts")


def again(whole: Made, name: str, *overrides: str) -> Made:
    """The run in another directory with other settings; what these leave as it was is not made again."""
    out = whole.root / "runs" / name
    shutil.copytree(whole.out, out)
    return make(whole.root, out, overrides)


def test_every_stage_leaves_a_whole_artifact(whole: Made) -> None:
    assert list(whole.artifacts) == list(stages.ORDER)
    for artifact in whole.artifacts.values():
        artifact.verify()


def test_the_funnel_adds_up_and_every_file_was_read(whole: Made) -> None:
    funnel = json.loads(whole.artifacts["corpus"].file("funnel.json").read_text(encoding="utf-8"))
    read, *dropped, kept = [row["documents"] for row in funnel]
    assert read - sum(dropped) == kept
    rows = [
        row
        for name in ("train", "validation")
        for row in pyarrow.parquet.read_table(whole.artifacts["corpus"].file(f"{name}.parquet")).to_pylist()
    ]
    assert len(rows) == kept == whole.metrics("corpus")["documents_kept"]
    sources = {row["source"] for row in rows}
    for name in FILES:
        if name.startswith("texts/"):
            assert any(source.startswith(name) for source in sources), name
    assert any(source.startswith("http") for source in sources)  # pages of the crawls go by their addresses
    assert {row["language"] for row in rows} == {"pl", "en"}
    told = [event["text"] for event in whole.events if event["kind"] == "note"]
    assert any("cut short" in text for text in told)  # the crawl that ends in the middle of a page


def test_the_base_model_has_learnt_something(whole: Made) -> None:
    base = whole.metrics("pretrain")["bits_per_byte"]
    (first, *_) = [
        event["bits_per_byte"] for event in whole.events if event["stage"] == "pretrain" and "bits_per_byte" in event
    ]
    assert 0 < base < first < 8
    beside = whole.metrics("evaluate")["baselines"]
    assert beside["base_bits_per_byte"] == base
    assert 1 < beside["ngram_bits_per_byte"] < 4
    assert 1 < beside["xz_bits_per_byte"] < 4


def test_fine_tuning_helps_with_held_out_answers(whole: Made) -> None:
    metrics = whole.metrics("finetune")
    assert metrics["held_out_dialogues"] > 50
    assert metrics["held_out_loss"] < metrics["held_out_loss_before"]


def test_the_reward_model_is_measured_on_rankings_it_never_saw(whole: Made) -> None:
    ranks, reward = whole.metrics("rank"), whole.metrics("reward")
    assert ranks["rankings_by"].keys() == {"files"}
    assert ranks["annotators"] == 3  # one per file, none of which says who ranked
    low, high = reward["held_out_accuracy_interval"]
    assert 0 <= low <= reward["held_out_accuracy"] <= high <= 1
    assert high - low < 0.3
    assert reward["held_out_pairs"] >= reward["held_out_prompts"] > 50


def test_a_chat_reply_and_a_continuation(
    whole: Made, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("Kim jest Sherlock Holmes?\n"))
    monkeypatch.setattr(sys, "argv", ["anatomia", "chat", str(whole.out), "--max-new", "12"])
    cli.main()
    assert len(capsys.readouterr().out.partition("> ")[2].strip()) > 3
    command = ["complete", str(whole.out / "pretrain"), "--prompt", "Litwo! Ojczyzno", "--max-new", "12", "--json"]
    monkeypatch.setattr(sys, "argv", ["anatomia", *command])
    cli.main()
    (said,) = json.loads(capsys.readouterr().out)["completions"]
    assert said["text"].strip()


def test_transformers_loads_every_model(whole: Made) -> None:
    transformers = pytest.importorskip("transformers")
    for stage in ("pretrain", "finetune", "align"):
        model = transformers.AutoModelForCausalLM.from_pretrained(whole.artifacts[stage].path)
        tokenizer = transformers.AutoTokenizer.from_pretrained(whole.artifacts[stage].path)
        inputs = tokenizer("Litwo! Ojczyzno moja", return_tensors="pt")
        assert model(**inputs).logits.isfinite().all()
    asked = tokenizer.apply_chat_template([{"role": "user", "content": "Kto?"}], tokenize=False)
    assert "Kto?" in asked
    judge = transformers.AutoModelForSequenceClassification.from_pretrained(whole.artifacts["reward"].path)
    assert judge(**inputs).logits.shape == (1, 1)


def test_the_report_shows_the_person_s_files(whole: Made) -> None:
    page = whole.artifacts["report"].file("report.html").read_text(encoding="utf-8")
    assert any(name in page for name in FILES if name.startswith("texts/"))
    assert "own-texts" in page
    assert "5-grams" in page


def test_nothing_is_made_twice(whole: Made) -> None:
    assert again(whole, "same").stages("fresh") == list(stages.ORDER)


def test_reinforcement_learning_straight_from_the_base_model(whole: Made) -> None:
    made = again(whole, "straight", "finetune.enabled=false", "rank.rankings=[rankings/oasst.jsonl]")
    assert made.stages("fresh") == ["corpus", "tokenizer", "pretrain"]
    assert "finetune" not in made.artifacts
    assert made.metrics("evaluate").keys() >= {"base", "aligned", "kl_to_reference"}
    assert made.metrics("align")["method"] == "ppo"


@pytest.mark.parametrize("method", ["grpo", "best_of_n"])
def test_other_ways_to_align(whole: Made, method: str) -> None:
    made = again(whole, method, f"align.method={method}", "align.group=3")
    assert made.stages("done") == ["align", "evaluate", "report"]
    assert made.metrics("align")["method"] == method
    assert math.isfinite(made.metrics("evaluate")["reward_aligned"])


def test_without_alignment(whole: Made) -> None:
    made = again(whole, "unaligned", "align.enabled=false")
    assert made.stages("done") == ["evaluate", "report"]
    assert made.metrics("evaluate").keys() >= {"base", "finetuned"}


def test_english_alone(whole: Made) -> None:
    made = make(
        whole.root,
        whole.root / "runs" / "english",
        [
            'languages=["en"]',
            "corpus.sources=[texts/books/sherlock-holmes.txt.gz, texts/c4_demo.jsonl.gz]",
            "finetune.dialogues=[dialogues/alpaca.json, dialogues/subtask047.json]",
            "rank.rankings=[rankings/oasst.jsonl]",
            "pretrain.steps=10",
        ],
    )
    assert made.metrics("corpus")["language_share"] == {"en": 1.0}
    assert "pl" not in made.metrics("tokenizer")["bytes_per_token"]
    assert made.artifacts["report"].file("report.html").is_file()


def test_going_on_from_a_model_that_transformers_made(whole: Made) -> None:
    transformers = pytest.importorskip("transformers")
    theirs = whole.root / "llama"
    vocabulary = Vocabulary.load(whole.artifacts["tokenizer"].path)
    config = transformers.LlamaConfig(
        vocab_size=vocabulary.size,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        bos_token_id=vocabulary.begin,
        eos_token_id=vocabulary.end,
        pad_token_id=vocabulary.padding,
    )
    transformers.LlamaForCausalLM(config).save_pretrained(theirs)
    vocabulary.save(theirs)
    made = again(
        whole,
        "theirs",
        "tokenizer.from=llama",
        "pretrain.from=llama",
        "pretrain.steps=10",
        "rank.rankings=[rankings/oasst.jsonl]",
    )
    assert made.stages("fresh") == ["corpus"]
    assert made.metrics("pretrain")["bits_per_byte"] < 8
    assert transformers.AutoConfig.from_pretrained(made.artifacts["align"].path).hidden_size == 32
