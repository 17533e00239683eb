"""Samples: several completions of each prompt, to have something to choose from."""

from typing import Any

from anatomia.explain.chapters.shared import Chapter, chapter, known
from anatomia.explain.gather import View
from anatomia.explain.texts import number, percent


def sample(view: View) -> Chapter:
    flow = [
        (known(view.metric("prompts")), "prompts"),
        (known(view.metric("completions")), "completions"),
        (known(view.metric("finished_share"), percent), "finished"),
    ]
    return chapter(view, flow, prompts=drawn)


def drawn(view: View) -> list[dict[str, Any]]:
    """Prompts with completions whose tokens carry how surprising they were, 0 to 1."""
    prompts = []
    for prompt in view.specimens["prompts"][:3]:
        completions = []
        for completion in prompt["completions"][:6]:
            tokens = [
                {
                    "text": t["text"],
                    "logprob": number(t["logprob"], 2),
                    "surprise": round(min(1.0, -t["logprob"] / 5), 2),
                }
                for t in completion["tokens"][:160]
            ]
            completions.append({**completion, "tokens": tokens})
        prompts.append({"prompt": prompt["prompt"], "completions": completions})
    return prompts
