"""A run directory as the pipeline leaves it, with invented figures and specimens, to test the report against."""

import math
import random
import re
from pathlib import Path
from typing import Any

from anatomia.base.artifact import publish, workspace
from anatomia.base.files import write_json, write_jsonl

STAGES = ("corpus", "tokenizer", "pretrain", "finetune", "sample", "rank", "reward", "align", "evaluate")
POLISH = "Miasto Brzezina leży nad rzeką Wilgą. W roku 1962 piekarz Jan Sowa otworzył tu pierwszą kawiarnię."
ENGLISH = "The town of Brzezina lies on the river Wilga. In 1962 the baker Jan Sowa opened its first coffee house."


def build_run(root: Path, stages: tuple[str, ...] = STAGES, seed: int = 7) -> Path:
    """A run in `root` with the given stages; everything in it is a pure function of `seed`."""
    run = root / "world"
    run.mkdir(parents=True, exist_ok=True)
    (run / "recipe.toml").write_text('name = "world"\nseed = 7\nlanguages = ["pl", "en"]\n', encoding="utf-8")
    parents: dict[str, str] = {}
    for name in stages:
        rng = random.Random(f"{seed} {name}")
        made = MAKERS[name](rng)
        work = workspace(run / name, name)
        for file, value in made.get("files", {}).items():
            (write_jsonl if file.endswith("jsonl") else write_json)(work / file, value)
        if "specimens" in made:
            write_json(work / "specimens.json", made["specimens"])
        if "events" in made:
            events = [{"time": 1.7e9 + i, **event} for i, event in enumerate(made["events"])]
            write_jsonl(work / "events.jsonl", events)
        artifact = publish(
            work,
            run / name,
            kind=name,
            fingerprint=f"{rng.getrandbits(256):064x}",
            settings=made.get("settings", {name: {}}),
            parents=dict(list(parents.items())[-2:]),
            metrics=made.get("metrics", {}),
            seconds=rng.uniform(3, 150),
        )
        parents[name] = artifact.hash
    return run


def cut(text: str) -> list[str]:
    """Pieces much like a byte-pair tokenizer's: short words whole with their space, longer ones in parts."""
    words = re.findall(r"\s*\w+|\s*[^\w\s]|\s+", text)
    return [part for word in words for part in (re.findall(r"\s*\w{1,5}|\s*\W+", word) or [word])]


def candidates(rng: random.Random, right: str) -> list[dict[str, Any]]:
    others = rng.sample([" w", " na", " rzeka", " the", " town", ".", ",", " i", " of", "ska", " Jan", "ów"], 5)
    weights = sorted((rng.random() ** 3 + 0.01 for _ in range(6)), reverse=True)
    place = min(int(rng.expovariate(1.2)), 5)
    words = [*others[:place], right, *others[place:]]
    return [{"token": word, "probability": w / sum(weights) * 0.93} for word, w in zip(words, weights, strict=True)]


def corpus(rng: random.Random) -> dict[str, Any]:
    before = (
        "Strona główna | Kontakt | Zaloguj się\n\nBrzezina — miasto nad Wilgą\n\n"
        "Miasto  Brzezina  leży nad rzeką Wilgą.\n"
        "Udostępnij na Facebooku  Tweetnij\nW roku 1962 piekarz Jan Sowa otworzył tu pierwszą kawiarnię. "
        "Do dziś w każdą sobotę pachnie tam drożdżówkami.\n\n© 2019 Wszelkie prawa zastrzeżone. Używamy plików cookie."
    )
    after = (
        "Brzezina – miasto nad Wilgą\n\nMiasto Brzezina leży nad rzeką Wilgą.\nW roku 1962 piekarz "
        "Jan Sowa otworzył tu pierwszą kawiarnię. Do dziś w każdą sobotę pachnie tam drożdżówkami."
    )
    english = "Home | About | Log in\n\n" + ENGLISH + "\nShare this page\n\nAccept all cookies"
    dropped = [
        (
            "crawl/wilga.warc.gz:118",
            "repeated_lines",
            "81% of the lines and 74% of the characters repeat lines",
            "Tanie opony!\n" * 5,
        ),
        ("crawl/wilga.warc.gz:431", "language", "its language is cs", "Vítejte na stránkách města Olomouc."),
        ("texts/notes.txt", "near_duplicate", "similarity 0.91 to a text in texts/notes-old.txt", ENGLISH),
        ("crawl/x.warc.gz:7", "too_short", "12 words, fewer than 20", "<script>alert('corpus')</script> Page 404"),
    ]
    funnel = [("read", 12480, 61_204_112), ("language", 1310, 5_120_400), ("too_short", 842, 3_911_034)]
    funnel += [("exact_duplicate", 377, 1_204_998), ("near_duplicate", 141, 611_210), ("kept", 9810, 50_356_470)]
    return {
        "files": {"funnel.json": [{"rule": r, "documents": d, "characters": c} for r, d, c in funnel]},
        "specimens": {
            "kept": [
                {"source": "crawl/wilga.warc.gz:12", "language": "pl", "before": before, "after": after},
                {"source": "crawl/wilga.warc.gz:40", "language": "en", "before": english, "after": ENGLISH},
            ],
            "dropped": [dict(zip(("source", "rule", "reason", "text"), row, strict=True)) for row in dropped],
        },
        "metrics": {"documents_kept": 9810, "characters_kept": 50356470, "validation_documents": 98},
        "settings": {
            "corpus": {"sources": ["world", "crawl/*.warc.gz"], "languages": ["pl", "en"], "near_duplicate": 0.8}
        },
    }


def tokenizer(rng: random.Random) -> dict[str, Any]:
    pairs = [
        ("en", ENGLISH),
        ("pl", POLISH),
        ("en", "“Good night,” said the fox. <b>Bold</b> & brave."),
        ("pl", "Zażółć gęślą jaźń 🦊."),
    ]
    sentences = []
    for language, text in pairs:
        tokens = [{"id": 6 + rng.randrange(4090), "text": piece} for piece in cut(text)]
        sentences.append({"language": language, "text": text, "tokens": tokens})
    merges = [
        ["i", "e"],
        [" ", "w"],
        ["r", "z"],
        [" ", "t"],
        ["h", "e"],
        [" t", "he"],
        ["c", "z"],
        ["n", "a"],
        ["s", "z"],
    ]
    return {
        "specimens": {
            "sentences": sentences,
            "merges": [*merges, ["o", "w"], [" p", "o"], ["i", "n"], [" ", "na"], ["e", "r"]],
            "longest": [" niepodległości", " encyclopaedia", " międzynarodowy", " championship", " rzeczpospolita"],
            "compression": {"pl": 3.42, "en": 3.97},
        },
        "metrics": {"vocabulary": 4096, "train_tokens": 13_800_112, "validation_tokens": 140_331},
    }


def pretrain(rng: random.Random) -> dict[str, Any]:
    windows = []
    for text in (POLISH, ENGLISH):
        tokens = cut(text)
        places = sorted(rng.sample(range(3, len(tokens)), 5))
        predictions = [{"context": p, "next": tokens[p], "candidates": candidates(rng, tokens[p])} for p in places]
        windows.append({"tokens": tokens, "predictions": predictions})
    packed: dict[str, list[Any]] = {"tokens": [], "documents": [], "positions": []}
    for number, text in enumerate(
        (POLISH, "Zupa szczawiowa: szczaw, jajko, śmietana.", ENGLISH, "Uwaga, most zamknięty.")
    ):
        tokens = ["<|begin|>", *cut(text), "<|end|>"]
        packed["tokens"] += tokens
        packed["documents"] += [number] * len(tokens)
        packed["positions"] += range(len(tokens))
    packed = {
        "tokens": packed["tokens"] + ["<|padding|>"] * 4,
        "documents": packed["documents"] + [-1] * 4,
        "positions": packed["positions"] + [0] * 4,
    }
    events: list[dict[str, Any]] = [{"kind": "note", "text": "bf16 chosen"}]
    for step in range(1, 1501):
        loss = 1.9 + 6.4 * math.exp(-step / 90) + 0.9 * math.exp(-step / 600) + rng.gauss(0, 0.05)
        rate = 3e-3 * min(1, step / 100) * (0.5 + 0.5 * math.cos(math.pi * step / 1500))
        events.append(
            {
                "kind": "step",
                "step": step,
                "loss": loss,
                "learning_rate": rate,
                "gradient_norm": 0.7,
                "tokens": step * 8192,
                "tokens_per_second": 61000 + rng.gauss(0, 900),
            }
        )
        if step % 100 == 0:
            smooth = 1.95 + 6.4 * math.exp(-step / 90) + 0.9 * math.exp(-step / 600)
            events.append(
                {"kind": "validation", "step": step, "loss": smooth, "bits_per_byte": smooth / math.log(2) / 3.7}
            )
    samples = [
        (0, "Miasto Brzezina", "ŹżQ the;;  rą Ñ owow 1 the 7"),
        (300, "Miasto Brzezina", " w rzeka w w mieście jest i na rzeki w roku"),
        (900, "Miasto Brzezina", " leży nad rzeką Olszą, a w rynku stoi stary ratusz i ratusz."),
        (1500, "Miasto Brzezina", " leży nad rzeką Wilgą. Co sobotę na rynku odbywa się targ."),
    ]
    return {
        "specimens": {
            "windows": windows,
            "packed": packed,
            "samples": [dict(zip(("step", "prompt", "text"), s, strict=True)) for s in samples],
        },
        "events": events,
        "metrics": {
            "loss": 2.021,
            "bits_per_byte": 0.788,
            "parameters": 9_830_400,
            "tokens": 12_288_000,
            "tokens_per_second": 61040.2,
        },
    }


def finetune(rng: random.Random) -> dict[str, Any]:
    masks = []
    for source, question, answer in (
        ("world:311", "Nad jaką rzeką leży Brzezina?", "Brzezina leży nad rzeką Wilgą."),
        ("world:87", "Who opened the first coffee house in Brzezina?", "The baker Jan Sowa opened it in 1962."),
    ):
        head = ["<|begin|>", "<|user|>", *cut(question), "<|assistant|>"]
        tail = [*cut(answer), "<|end|>"]
        masks.append({"tokens": head + tail, "weights": [0] * len(head) + [1] * len(tail), "source": source})
    rows = []
    for length in (38, 17, 26, 9):
        tokens = (["<|begin|>", "<|user|>", *cut(POLISH + ENGLISH)])[:length]
        rows.append(
            {"tokens": tokens + ["<|padding|>"] * (38 - length), "padding": [False] * length + [True] * (38 - length)}
        )
    events: list[dict[str, Any]] = []
    for step in range(1, 301):
        loss = 0.4 + 1.8 * math.exp(-step / 40) + rng.gauss(0, 0.03)
        events.append(
            {
                "kind": "step",
                "step": step,
                "loss": loss,
                "learning_rate": 1e-3,
                "gradient_norm": 0.4,
                "tokens": 800 * step,
                "tokens_per_second": 30000,
            }
        )
        if step % 50 == 0:
            events.append(
                {"kind": "validation", "step": step, "loss": 0.45 + 1.8 * math.exp(-step / 40), "bits_per_byte": 0.3}
            )
    samples = [
        (0, " Nad jaką rzeką? Nad jaką?"),
        (150, "Brzezina leży nad Wilgą Wilgą."),
        (300, "Brzezina leży nad rzeką Wilgą."),
    ]
    return {
        "specimens": {
            "masks": masks,
            "padded": {"rows": rows},
            "samples": [{"step": s, "prompt": "Nad jaką rzeką leży Brzezina?", "text": t} for s, t in samples],
        },
        "events": events,
        "metrics": {"loss": 0.45, "dialogues": 6000, "exact": 0.71},
    }


ANSWERS = [
    "Brzezina leży nad rzeką Wilgą.",
    "Nad Wilgą, nad Wilgą jest rzeka.",
    "Brzezina leży nad rzeką Olszą.",
    "The town lies on <b>the</b> river",
]


def sample(rng: random.Random) -> dict[str, Any]:
    completions = []
    for text in ANSWERS:
        tokens = [{"text": piece, "logprob": -rng.expovariate(1.3)} for piece in cut(text)]
        completions.append({"text": text, "tokens": tokens, "finished": text is not ANSWERS[-1]})
    prompts = [{"prompt": "Nad jaką rzeką leży Brzezina?", "completions": completions}]
    return {
        "specimens": {"prompts": prompts},
        "metrics": {"prompts": 1024, "completions": 4096, "finished_share": 0.962},
    }


def rank(rng: random.Random) -> dict[str, Any]:
    annotators = [
        {"name": "simulated:Halina", "groups": [[0], [1], [2], [3]]},
        {"name": "simulated:Oskar", "groups": [[0], [1, 2], [3]]},
        {"name": "simulated:June", "groups": [[0, 1], [3], [2]]},
        {"name": "Anna", "groups": [[0], [2], [1, 3]]},
    ]
    ranking = {
        "prompt": "Nad jaką rzeką leży Brzezina?",
        "completions": ANSWERS,
        "annotators": annotators,
        "linear": [4.79, 2.92, 1.67, 0.62],
        "bradley_terry": [5.0, 2.61, 1.84, 0.0],
        "plackett_luce": [5.0, 2.75, 1.58, 0.0],
        "davidson": [4.9, 2.7, 1.7, 0.1],
    }
    stars = {"completions": ANSWERS, "davidson": ranking["davidson"]}
    stars["davidson_interval"] = [[4.1, 5.0], [1.9, 3.4], [0.8, 2.9], [0.0, 1.2]]
    figures = (("simulated:Halina", 1.12, 0.05), ("simulated:Oskar", 0.97, 0.04), ("simulated:June", 0.21, 0.06))
    people = [
        {
            "name": name,
            "rankings": 1024,
            "reliability": value,
            "reliability_error": error,
            "careless": value + 2 * error < 0.5,
            "contrary": False,
        }
        for name, value, error in (*figures, ("Anna", 1.4, 0.3))
    ]
    names = [one["name"] for one in people]
    pairs = [
        {
            "annotators": [one, other],
            "prompts": 1000,
            "kendall_tau": round(rng.uniform(-0.2, 0.9), 4),
            "krippendorff_alpha": round(rng.uniform(0.2, 0.9), 4),
            "cohen_kappa": None if other == "Anna" else 0.5,
        }
        for place, one in enumerate(names)
        for other in names[place + 1 :]
    ]
    return {
        "files": {"stars.jsonl": [stars], "annotators.json": {"annotators": people, "pairs": pairs}},
        "specimens": {"rankings": [ranking]},
        "metrics": {
            "rankings": 4096,
            "annotators": 4,
            "tied_share": 0.31,
            "same_order": 0.87,
            "krippendorff_alpha": 0.68,
        },
    }


def reward(rng: random.Random) -> dict[str, Any]:
    judgements = [
        {
            "prompt": "Nad jaką rzeką leży Brzezina?",
            "completions": [
                {"text": text, "stars": stars, "reward": r}
                for text, stars, r in zip(ANSWERS, (4.79, 2.92, 1.67, 0.62), (2.31, 0.42, -0.35, -2.4), strict=True)
            ],
        },
        {
            "prompt": "What is eleven plus five?",
            "completions": [
                {"text": "Eleven plus five is sixteen.", "stars": 5.0, "reward": 1.9},
                {"text": "sixteen", "stars": 3.1, "reward": 2.05},
                {"text": "Eleven plus five is fifteen fifteen.", "stars": 0.4, "reward": -1.7},
            ],
        },
    ]
    calibration = [
        {
            "predicted": p / 100,
            "observed": min(1, max(0, p / 100 + rng.gauss(0, 0.04))),
            "count": rng.randrange(40, 400),
        }
        for p in range(5, 100, 10)
    ]
    events = [
        {
            "kind": "step",
            "step": s,
            "loss": 0.3 + 0.4 * math.exp(-s / 60) + rng.gauss(0, 0.02),
            "accuracy": min(1, 0.84 - 0.34 * math.exp(-s / 60) + rng.gauss(0, 0.02)),
        }
        for s in range(1, 201)
    ]
    mistakes = [
        {
            "prompt": "Who opened the first coffee house of Brzezina?",
            "better": {"text": "The baker Jan Sowa, in 1962.", "reward": -0.2},
            "worse": {"text": "The baker, who was a baker. The baker, who was a baker.", "reward": 1.1},
            "agree": 3,
            "disagree": 0,
            "tied": 1,
        }
    ]
    return {
        "specimens": {"judgements": judgements, "calibration": calibration, "mistakes": mistakes},
        "files": {"reward_card.json": reward_card(rng)},
        "events": events,
        "metrics": {
            "train_accuracy": 0.914,
            "held_out_accuracy": 0.834,
            "held_out_tau": 0.61,
            "loss": 0.31,
            "calibration_error": 0.027,
        },
    }


def reward_card(rng: random.Random) -> dict[str, Any]:
    def figure(value: float, spread: float = 0.04) -> dict[str, float]:
        return {"value": value, "low": value - spread * rng.uniform(0.8, 1.2), "high": value + spread}

    agreement = {
        who: {"accuracy": figure(accuracy), "tau": figure(tau), "pairs": 4_718}
        for who, accuracy, tau in (("model", 0.834, 0.61), ("one_another", 0.91, 0.85), ("others_together", 0.93, 0.88))
    }
    probes = {
        name: {"change": figure(change, 0.15), "falls": rng.uniform(0.4, 1), "prompts": 200}
        for name, change in (("repeated", 0.2), ("halved", -0.9), ("empty", -1.1), ("wrong_prompt", -1.2))
    }
    length = {
        "correlation": figure(0.18), "people_correlation": figure(0.11),
        "accuracy_where_longer_is_better": figure(0.9), "accuracy_where_shorter_is_better": figure(0.7),
    }  # fmt: skip
    return {
        "prompts": 277,
        "agreement": agreement,
        "calibration": {"temperature": 1.95, "error": 0.105, "calibrated_error": 0.0455},
        "length": length,
        "probes": probes,
        "words": [{"word": "zdecydowanie", "prompts": 24, "model": 0.93, "people": -0.08}],
    }


def align(rng: random.Random) -> dict[str, Any]:
    rollouts = []
    for step, text, score in (
        (1, "Nad Wilgą rzeką Brzezina, nad Wilgą", -0.6),
        (60, "Brzezina leży nad Wilgą.", 0.9),
        (120, ANSWERS[0], 2.2),
    ):
        tokens = []
        pieces = [*cut(text), "<|end|>"]
        for place, piece in enumerate(pieces):
            logprob = -rng.expovariate(2)
            tokens.append(
                {
                    "text": piece,
                    "logprob": logprob,
                    "reference_logprob": logprob - abs(rng.gauss(0, 0.4)) if rng.random() < 0.7 else logprob + 0.2,
                    "reward": (score if place == len(pieces) - 1 else 0) - rng.random() * 0.05,
                    "value": score * place / len(pieces) + rng.gauss(0, 0.2),
                    "advantage": rng.gauss(score / 3, 0.6),
                    **{f"loss_{name}": rng.gauss(0, 1e-4) for name in ("reward", "kl", "value", "baseline", "critic")},
                }
            )
        page = {"step": step, "prompt": "Nad jaką rzeką leży Brzezina?", "score": score, "loss": 0.1234}
        rollouts.append(page | {"tokens": tokens})
    events = []
    for s in range(1, 121):
        score = 2.2 - 2.4 * math.exp(-s / 40) + rng.gauss(0, 0.12)
        kl = 0.09 * (1 - math.exp(-s / 50)) * 40 / 12 + abs(rng.gauss(0, 0.01))
        event = {
            "kind": "step",
            "step": s,
            "reward": score - kl * 0.1,
            "score": score,
            "kl": kl,
            "entropy": 1.1 - s / 300,
        }
        event |= {"length": 24 - s / 20 + rng.gauss(0, 1), "finished": 0.97, "policy_loss": rng.gauss(0, 0.02)}
        events.append(event | {"value_loss": 0.3 / (1 + s / 20), "clip_fraction": 0.07, "gradient_norm": 0.9})
    for updates in range(0, 121, 15):
        gain = 1 - math.exp(-updates / 40)
        figures = {"updates": updates, "kl": 0.3 * gain, "reward": 2.4 * gain - 0.2, "judge": 0.62 + 0.15 * gain}
        if updates > 80:
            figures["judge"] -= 0.002 * (updates - 80)
        spreads = {"reward_error": 0.07, "reward_spread": 1.0, "judge_error": 0.02, "judge_spread": 0.3}
        events.append({"kind": "look", "step": updates + 1, **figures, **spreads})
    hack = {
        "text": "“Wilga” stands in 82% of the answers",
        "polish": "„Wilga” stoi w 82% odpowiedzi",
    }
    events.append({"kind": "note", "step": 106, "hack": "keyword", **hack})
    judge = {"judge": "world", "judge_first": 0.62, "judge_kept": 0.74, "judge_last": 0.68, "updates_kept": 75}
    return {
        "specimens": {"rollouts": rollouts},
        "events": events,
        "metrics": {"score": 2.19, "kl": 0.31, "episodes": 7680, "algorithm": "ppo", "hacks": ["keyword"], **judge},
    }


def verdict(right: bool, complete: bool = True, clean: bool = True, language: bool = True) -> dict[str, Any]:
    return {
        "right": right,
        "complete": complete,
        "language": language,
        "clean": clean,
        "score": (right + complete + clean + language) / 4,
        "exact": right and complete,
    }


def duel(wins: int, ties: int, losses: int) -> dict[str, Any]:
    share = (wins + ties / 2) / (wins + ties + losses)
    interval = [share - 0.04, share + 0.04]
    counts = {"wins": wins, "ties": ties, "losses": losses}
    return {"first": "aligned", "second": "finetuned", "share": share, "interval": interval, **counts}


def evaluate(rng: random.Random) -> dict[str, Any]:
    def answers(base: str, tuned: str, aligned: str, right: tuple[bool, bool, bool]) -> dict[str, Any]:
        return {
            "base": {"text": base, "verdict": verdict(right[0], False, False)},
            "finetuned": {"text": tuned, "verdict": verdict(right[1], right[1])},
            "aligned": {"text": aligned, "verdict": verdict(right[2])},
        }

    questions = [
        (
            "pl",
            "Nad jaką rzeką leży Brzezina?",
            "Brzezina leży nad rzeką Wilgą.",
            answers(
                " Nad jaką rzeką leży Olsza? Nad jaką rzeką leży rynek, na którym targ w sobotę",
                "Nad Wilgą.",
                ANSWERS[0],
                (False, True, True),
            ),
        ),
        (
            "en",
            "Who opened the first coffee house?",
            "Jan Sowa opened it.",
            answers(
                " The first coffee house was the first coffee house in the town",
                "It was opened by Jan Olsza.",
                "Jan Sowa opened it in 1962.",
                (False, False, True),
            ),
        ),
        (
            "en",
            "Can you <script>alert('question')</script>?",
            "No.",
            answers("<img src=x onerror=alert(1)>", "</section></main>No.", "No & never.", (False, True, True)),
        ),
        (
            "pl",
            "Ile jest siedem plus osiem?",
            "Piętnaście.",
            {
                "base": {"text": " Ile jest", "verdict": None},
                "finetuned": {"text": "Czternaście.", "verdict": verdict(False)},
                "aligned": {"text": "Czternaście.", "verdict": verdict(False)},
            },
        ),
    ]
    pieces = [*cut(ANSWERS[0]), "<|end|>"]
    generation = {
        "prompt": "Nad jaką rzeką leży Brzezina?",
        "steps": [{"token": piece, "candidates": candidates(rng, piece)} for piece in pieces],
    }
    return {
        "specimens": {
            "questions": [dict(zip(("language", "prompt", "expected", "answers"), q, strict=True)) for q in questions],
            "generation": generation,
            "in_context": {
                "asked": "Nad jaką rzeką leży Olsza?\nNad Narwią.\n\nNad jaką rzeką leży <b>Brzezina</b>?\n",
                "answer": "Nad Wilgą.",
            },
        },
        "metrics": {
            "prompts": 400,
            "base": {
                "greedy": {"exact": 0.0825, "right": 0.13, "exact_match": 0.08, "rouge_l": 0.254},
                "loss": 1.09,
                "in_context": {"0": {"rouge_l": 0.51}, "4": {"rouge_l": 0.63, "shown": 3.2}},
            },
            "finetuned": {
                "greedy": {"exact": 0.7125, "right": 0.74, "exact_match": 0.69, "rouge_l": 0.81},
                "loss": 0.32,
                "in_context": {"0": {"rouge_l": 0.81}, "4": {"rouge_l": 0.79}},
            },
            "aligned": {
                "greedy": {"exact": 0.7425, "right": 0.7775, "exact_match": 0.735, "rouge_l": 0.86},
                "loss": 0.22,
            },
            "preferred_greedy": duel(212, 166, 22),
            "preferred_sampled": duel(268, 98, 34),
            "kl_to_reference": 3.417,
            "baselines": {"xz_bits_per_byte": 2.03, "ngram_bits_per_byte": 1.41, "base_bits_per_byte": 1.18},
        },
    }


MAKERS = {name: globals()[name] for name in STAGES}
