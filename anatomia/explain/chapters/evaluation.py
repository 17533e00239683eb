"""The models side by side, and the question that opens the page."""

from typing import Any

from anatomia.explain.chapters.shared import Chapter, bars, chapter, known, two
from anatomia.explain.gather import View
from anatomia.explain.texts import Both, number, percent, text

MODELS = ("base", "finetuned", "aligned")
LONGEST = 600  # characters of what a model read before it answered


def opening(view: View | None) -> dict[str, Any] | None:
    """The question that opens the page: where the base model fails, the last model does not, and all differ."""
    questions = answered(view) if view else []

    def telling(question: dict[str, Any]) -> int:
        right = [answer["right"] for answer in question["answers"]]
        different = len({answer["text"] for answer in question["answers"]})
        return 2 * (right[-1] is True) - 2 * (right[0] is True) + different - (len(question["prompt"]) > 120)

    return max(questions, key=telling, default=None)


def evaluate(view: View) -> Chapter:
    flow = [(known(view.metric("prompts")), "prompts"), (known(view.metric("kl_to_reference"), two), "kl")]
    return chapter(
        view,
        flow,
        exact=exact,
        agreement=agreement,
        in_context=in_context,
        preferred=preferred,
        baselines=baselines,
        questions=answered,
        generation=generation,
    )


def answered(view: View) -> list[dict[str, Any]]:
    """Questions with the answers of the models that answered, in the order of learning."""
    questions = []
    for question in view.specimens.get("questions") or []:
        answers = []
        for model in MODELS:
            answer = question.get("answers", {}).get(model)
            if answer:
                verdict = answer.get("verdict")
                right = verdict.get("right") if verdict else None
                answers.append({"model": model, "text": answer["text"], "right": right, "badges": badges(verdict)})
        if answers:
            questions.append({**question, "answers": answers})
    return questions[:16]


def badges(verdict: dict[str, Any] | None) -> list[tuple[bool, Both]]:
    """(good?, words) for each thing the judge looked at: whether it is right, and then only what is wrong with it."""
    if not verdict:
        return []
    names = {"right": "wrong", "complete": "incomplete", "language": "other_language", "clean": "unclean"}
    shown = []
    for name, opposite in names.items():
        value = verdict.get(name)
        if isinstance(value, bool) and (name == "right" or not value):
            shown.append((value, text(f"verdict.{name if value else opposite}")))
    return shown


def exact(view: View) -> dict[str, Any] | None:
    """Per model, the share of questions that it answered exactly, taking the likeliest token each time."""
    shares = {model: view.metric(f"{model}.greedy.exact") for model in MODELS}
    rows = [
        {"model": model, "share": percent(share), "width": 100 * share}
        for model, share in shares.items()
        if share is not None
    ]
    return {"rows": rows, "count": number(view.artifact.metrics["prompts"])} if rows else None


def agreement(view: View) -> list[dict[str, Any]]:
    """How far each model's likeliest answers agree with the reference answers, and its loss on those."""
    found = []
    for name, key in (("exact_match", "greedy.exact_match"), ("rouge_l", "greedy.rouge_l"), ("loss", "loss")):
        values = {model: view.metric(f"{model}.{key}") for model in MODELS}
        known_values = {model: value for model, value in values.items() if value is not None}
        most = max(known_values.values(), default=1.0) if name == "loss" else 1.0
        show = two if name == "loss" else percent
        rows = [
            {"model": model, "value": show(value), "width": 100 * value / most} for model, value in known_values.items()
        ]
        if rows:
            found.append({"name": name, "rows": rows})
    return found


def in_context(view: View) -> dict[str, Any] | None:
    """ROUGE-L of the base model and the fine-tuned one after so many demonstrations, and what the base model read."""
    counts = sorted({int(count) for model in MODELS for count in shots(view, model)})
    groups = []
    for count in counts:
        values = {model: view.metric(f"{model}.in_context.{count}.rouge_l") for model in MODELS}
        rows = [
            {"model": model, "value": percent(value), "width": 100 * value}
            for model, value in values.items()
            if value is not None
        ]
        fitted = [view.metric(f"{model}.in_context.{count}.shown") for model in MODELS]
        fewest = min((value for value in fitted if value is not None), default=count)
        groups.append({"name": said_of_shots(count, fewest), "rows": rows})
    read = view.specimens.get("in_context")
    if read:
        asked = read["asked"]
        read = {"asked": asked if len(asked) <= LONGEST else "… " + asked[-LONGEST:], "answer": read["answer"].strip()}
    return {"groups": groups, "read": read} if any(group["rows"] for group in groups) else None


def said_of_shots(count: int, fitted: float) -> Both:
    """How many demonstrations there were to be, and how many found room, in words."""
    if not count:
        return text("evaluate.no_shots")
    if fitted > count - 0.05:
        return text("evaluate.shots", count=number(count))
    return text("evaluate.fewer_shots", count=number(count), fitted=number(fitted, 1))


def shots(view: View, model: str) -> dict[str, Any]:
    """A model's figures by the number of demonstrations."""
    found = view.artifact.metrics.get(model, {}).get("in_context", {})
    return found if isinstance(found, dict) else {}


def baselines(view: View) -> list[dict[str, Any]]:
    """Bits per byte of the base model and of simple models on the same held-out text, as bars."""
    names = {"base": text("model.base"), "ngram": text("evaluate.ngram"), "xz": text("evaluate.xz")}
    values = {name: view.metric(f"baselines.{name}_bits_per_byte") for name in names}
    known_values = {name: value for name, value in values.items() if value is not None}
    most = max(known_values.values(), default=1.0)
    return [
        {"model": name, "name": names[name], "value": two(value), "width": 100 * value / most}
        for name, value in known_values.items()
    ]


def preferred(view: View) -> list[dict[str, Any]]:
    """How often the judge preferred the last model's answer to the one before it, for likeliest and drawn answers."""
    found = []
    for kind in ("greedy", "sampled"):
        duel = view.artifact.metrics.get(f"preferred_{kind}")
        if duel:
            count = duel["wins"] + duel["ties"] + duel["losses"]
            low, high = (percent(end) for end in duel["interval"])
            found.append(
                {
                    "kind": kind,
                    "share": percent(duel["share"]),
                    "interval": Both(low.pl + "–" + high.pl, low.en + "–" + high.en),
                    "parts": [
                        (duel["first"], number(duel["wins"]), 100 * duel["wins"] / count),
                        ("tie", number(duel["ties"]), 100 * duel["ties"] / count),
                        (duel["second"], number(duel["losses"]), 100 * duel["losses"] / count),
                    ],
                }
            )
    return found


def generation(view: View) -> dict[str, Any]:
    """A player of one growing answer."""
    grown = view.specimens["generation"]
    steps = grown["steps"][:80]
    return {
        "prompt": grown["prompt"],
        "tokens": [step["token"] for step in steps],
        "steps": [
            {"at": i, "token": step["token"], "bars": bars(step["candidates"], step["token"])}
            for i, step in enumerate(steps)
        ],
    }
