"""The recipe for one's own files on a directory of real data: what each stage achieved, beside simple models.

    python bench/own_texts.py DATA OUT [--small] [--set key=value ...] [--until STAGE]

DATA holds books, Wikipedia pages, crawls, dialogues and rankings under the names below (what is missing is left out and
said). OUT gets the recipe, the run and `figures.json`. `--small` is a few files and a tiny model, minutes on one core.
"""

import argparse
import json
import resource
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from anatomia import pipeline, recipe, stages  # noqa: E402
from anatomia.base.artifact import Artifact  # noqa: E402
from anatomia.base.events import Event  # noqa: E402
from anatomia.base.files import write_json  # noqa: E402

TEXTS = (
    "text-pl/books/*",
    "text-pl/ocr-books/dev-0/expected.tsv.xz",
    "text-pl/web/wikimedia-pl-goose3.jsonl.gz",
    "text-pl/law/*.json.gz",
    "text-en/gutenberg/*",
    "text-en/wiki_demo.txt.gz",
    "text-en/wikitext-2/*",
    "text-en/tinystories.txt",
    "text-en/c4_demo.jsonl.gz",
    "warc/*.warc.gz",
    "warc/commoncrawl/*",
)
DIALOGUES = (
    "instruct/alpaca_en_demo.json",
    "instruct/rasbt-instruction-data.json",
    "instruct/dolly_hhrlhf_train_small.jsonl.gz",
    "instruct/litgpt-dolly-fixture.json",
    "instruct/natural-instructions-v1/*.json",
    "instruct/natural-instructions-v2/*.json",
    "instruct/polish/*.gz",
    "preference/oasst/en_100_tree.jsonl",
)
RANKINGS = (
    "preference/oasst/en_100_tree.jsonl",
    "preference/hh-rlhf/harmless-base/test.jsonl.gz",
    "preference/rasbt-instruction-data-with-preference.json",
)
FEW = {
    "text-pl/books/pan-tadeusz.txt",
    "text-pl/ocr-books/edge/expected.tsv",
    "text-pl/web/wikimedia-pl-goose3.jsonl.gz",
    "text-en/gutenberg/pg1661*",
    "text-en/wiki_demo.txt.gz",
    "warc/assembled-pl-html.warc.gz",
    "warc/wget-2024-sample-0000.warc.gz",
}
SMALL = (
    "tokenizer.size=2048",
    "model.layers=2",
    "model.width=128",
    "model.heads=2",
    "model.context=256",
    "pretrain.steps=200",
    "pretrain.validate_every=50",
    "finetune.epochs=0.25",
    "sample.count=10",
    "sample.max_new=24",
    "reward.epochs=0.5",
    "align.count=50",
    "align.rollouts=3",
    "align.batch=8",
    "align.max_new=24",
    "evaluate.count=40",
    "evaluate.max_new=24",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--set", action="append", default=[], metavar="key=value", dest="settings")
    parser.add_argument("--until")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    path = given.out / "own-texts.toml"
    path.write_text(recipe.to_toml(laid_out(given.data.resolve(), given.small)), encoding="utf-8")
    settings = [*(SMALL if given.small else ()), *given.settings]
    typed = recipe.read(path, recipe.section_classes(stages.modules()), settings)
    request = pipeline.Request(typed, given.out, given.out / "run", given.until)
    recipe.check(typed, given.out, pipeline.select(request, stages.stages()))
    begun = time.perf_counter()
    artifacts = pipeline.run(request, stages.stages(), [tell])
    found = figures(artifacts) | {"wall_seconds": round(time.perf_counter() - begun, 1), **peak_memory()}
    write_json(given.out / "figures.json", found)
    print(json.dumps(found, indent=1, ensure_ascii=False))


def laid_out(data: Path, small: bool) -> dict[str, Any]:
    """The shipped recipe with absolute globs of what there is in `data`."""
    raw = tomllib.loads((ROOT / "recipes" / "own-texts.toml").read_text(encoding="utf-8"))
    texts, dialogues, rankings = (
        [str(data / pattern) for pattern in patterns if there(data, pattern)]
        for patterns in (sorted(FEW) if small else TEXTS, DIALOGUES, RANKINGS)
    )
    raw["corpus"]["sources"] = texts
    raw["rank"]["rankings"] = rankings
    raw["finetune"]["dialogues"] = dialogues
    for section in ("sample", "align", "evaluate"):
        raw[section]["prompts"] = dialogues
    return raw


def there(data: Path, pattern: str) -> bool:
    """Whether the pattern matches a file; says so if not."""
    if any(data.glob(pattern)):
        return True
    print(f"left out: {data / pattern} (no such file)", file=sys.stderr)
    return False


def tell(event: Event) -> None:
    """A line for each stage that is done, and for what it had to note."""
    if event["kind"] == "stage" and event["state"] != "begin":
        print(f"{event['stage']:<10} {event['state']:<6} {event['seconds']:8.1f} s", file=sys.stderr, flush=True)
    elif event["kind"] == "note":
        print(f"{event['stage']}: {event['text']}", file=sys.stderr, flush=True)


def figures(artifacts: dict[str, Artifact]) -> dict[str, Any]:
    """What is asked of a run on real input, of the stages that there are."""
    metrics = {name: artifact.metrics for name, artifact in artifacts.items()}
    corpus, pretrain, finetune, reward = (
        metrics.get(name, {}) for name in ("corpus", "pretrain", "finetune", "reward")
    )
    evaluate = metrics.get("evaluate", {})
    found = {
        "seconds": {name: round(artifact.seconds, 1) for name, artifact in artifacts.items()},
        "documents": {key: corpus.get(f"documents_{key}") for key in ("read", "kept", "dropped")},
        "characters": corpus.get("characters_kept"),
        "languages": corpus.get("language_share"),
        "train_tokens": metrics.get("tokenizer", {}).get("train_tokens"),
        "parameters": pretrain.get("parameters"),
        "epochs": pretrain.get("epochs"),
        "bits_per_byte": evaluate.get("baselines") or {"base_bits_per_byte": pretrain.get("bits_per_byte")},
        "held_out_answers": {
            "dialogues": finetune.get("held_out_dialogues"),
            "loss_before": finetune.get("held_out_loss_before"),
            "loss_after": finetune.get("held_out_loss"),
        },
        "held_out_rankings": {
            key.removeprefix("held_out_"): reward.get(key)
            for key in ("held_out_prompts", "held_out_pairs", "held_out_accuracy", "held_out_accuracy_interval")
        },
        "rankings": metrics.get("rank", {}).get("rankings"),
        "alignment": {
            key: evaluate.get(key)
            for key in ("reward_reference", "reward_aligned", "kl_to_reference")
            if key in evaluate
        },
        "tokens_per_second": {
            name: values["tokens_per_second"] for name, values in metrics.items() if "tokens_per_second" in values
        },
    }
    return {key: value for key, value in found.items() if value is not None}


def peak_memory() -> dict[str, float]:
    """GB at most in this process, and in the largest of its children."""
    unit = 1e9 if sys.platform == "darwin" else 1e6  # bytes there, kilobytes elsewhere
    own, children = (
        resource.getrusage(who).ru_maxrss / unit for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return {"peak_gb": round(own, 2), "peak_gb_of_a_worker": round(children, 2)}


if __name__ == "__main__":
    main()
