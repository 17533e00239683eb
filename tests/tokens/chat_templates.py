"""Chat templates in the manners of others, and vocabularies that have them. Written for these tests."""

import json
from pathlib import Path
from typing import Any

from anatomia.tokens.vocabulary import Vocabulary, train_vocabulary

TEXTS = [
    "Zażółć gęślą jaźń. Nad rzeką leży miasteczko, w którym mieszka wiele kotów.",
    "The quick brown fox jumps over the lazy dog. It doesn't care, we've seen 1234567 of them.",
]
TOKENS = ["<|im_start|>", "<|im_end|>", "<turn>", "</turn>", "<|user|>", "<|assistant|>", "[TOOL]", "[/TOOL]"]

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
INSTRUCTIONS = (  # roles by plain text, a space before what is trimmed
    "{% for message in messages %}{% if message['role'] == 'user' %}"
    "{{ bos_token + '[INST] ' + message['content'].strip() + ' [/INST]' }}"
    "{% else %}{{ ' ' + message['content'] | trim + eos_token }}{% endif %}{% endfor %}"
)
NO_SYSTEM = (  # refuses a system's turn and roles out of order; calls the assistant otherwise
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    "{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate') }}{% endif %}"
    "{% set role = 'model' if message['role'] == 'assistant' else message['role'] %}"
    "{{ '<turn>' + role + '\n' + message['content'] | trim + '</turn>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<turn>model\n' }}{% endif %}"
)
SYSTEM_LAST = (  # the system's words stand in the last question, so that prompts are no beginnings of dialogues
    "{% set system = messages[0]['content'] if messages[0]['role'] == 'system' else '' %}"
    "{% set rest = messages[1:] if messages[0]['role'] == 'system' else messages %}{{ bos_token }}"
    "{% for message in rest %}{% if message['role'] == 'user' %}"
    "{% set last = loop.index0 == (rest | length) - 1 - (rest | length + 1) % 2 %}"
    "{{ '[INST] ' + (system + '\n\n' if system and last else '') + message['content'] + '[/INST]' }}"
    "{% else %}{{ ' ' + message['content'] + eos_token }}{% endif %}{% endfor %}"
)
THOUGHTS = (  # asks for thoughts, and leaves them out of answers
    "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'assistant' %}"
    "{{ '<|assistant|>' + message['content'].split('</think>')[-1] | trim + eos_token }}"
    "{% else %}{{ '<|user|>' + message['content'] }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|><think>\n' }}{% endif %}"
)
MARKED = (  # says itself what is learnt: the answer, its end and the line break after it
    "{% for message in messages %}{% if message['role'] == 'assistant' %}"
    "<|im_start|>assistant\n{% generation %}{{ message['content'] }}<|im_end|>\n\n{% endgeneration %}"
    "{% else %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
TOOLS = (  # writes calls of tools and their results
    "{% if tools %}{{ '[TOOL]' + tools | tojson + '[/TOOL]' }}{% endif %}{% for message in messages %}"
    "{% if message['role'] == 'assistant' %}{{ '<|assistant|>' + message['content'] }}"
    "{% for call in message.tool_calls or [] %}"
    "{{ '[TOOL]' + call.function.name + call.function.arguments | tojson + '[/TOOL]' }}{% endfor %}{{ eos_token }}"
    "{% else %}{{ '<|' + ('user' if message['role'] == 'user' else 'assistant') + '|>' + message['content'] }}"
    "{% endif %}{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
ENDS = {
    CHATML: "<|im_end|>", INSTRUCTIONS: "<|end|>", NO_SYSTEM: "</turn>", SYSTEM_LAST: "<|end|>", THOUGHTS: "<|end|>",
    MARKED: "<|im_end|>\n\n",
}  # fmt: skip
"""What is learnt after an answer."""
NAMES = {
    "chatml": CHATML, "instructions": INSTRUCTIONS, "no-system": NO_SYSTEM, "system-last": SYSTEM_LAST,
    "thoughts": THOUGHTS, "marked": MARKED,
}  # fmt: skip


def somebodys(directory: Path, template: Any, **files: str) -> Vocabulary:
    """A tokenizer's directory with this template (None for none) and further files, as loaded by us."""
    vocabulary = train_vocabulary(TEXTS * 3, 380)
    vocabulary.tokenizer.add_special_tokens(TOKENS)
    vocabulary.save(directory)
    config = json.loads((directory / "tokenizer_config.json").read_text(encoding="utf-8"))
    (directory / "tokenizer_config.json").write_text(json.dumps(config | {"chat_template": template}), encoding="utf-8")
    for name, content in files.items():
        path = directory / name.replace("__", "/").replace("_jinja", ".jinja")
        path.parent.mkdir(exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return Vocabulary.load(directory)
