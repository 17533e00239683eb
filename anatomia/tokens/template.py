"""The names of our special tokens, and the chat templates written with them."""

PADDING, BEGIN, END = "<|padding|>", "<|begin|>", "<|end|>"
SPECIAL = (PADDING, BEGIN, END, "<|system|>", "<|user|>", "<|assistant|>")
"""Our special tokens; a token's place is its id."""

OURS = (
    "<|begin|>"
    "{% for message in messages %}"
    "{% if message['role'] == 'assistant' %}"
    "<|assistant|>{% generation %}{{ message['content'] }}<|end|>{% endgeneration %}"
    "{% elif message['role'] in ['system', 'user'] %}"
    "<|{{ message['role'] }}|>{{ message['content'] }}"
    "{% else %}"
    "{{ raise_exception('the roles are system, user and assistant, not ' + message['role']) }}"
    "{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
"""Begin, then each turn after a token that names its role; the end token closes answers alone."""

PLAIN = (
    "{% if bos_token %}{{ bos_token }}{% endif %}"
    "{% for message in messages %}"
    "{% if message['role'] == 'assistant' %}"
    "Assistant:\n{% generation %}{{ message['content'] }}{{ eos_token }}{% endgeneration %}{{ '\n\n' }}"
    "{% elif message['role'] in ['system', 'user'] %}"
    "{{ message['role'] | capitalize }}:\n{{ message['content'] }}{{ '\n\n' }}"
    "{% else %}"
    "{{ raise_exception('the roles are system, user and assistant, not ' + message['role']) }}"
    "{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}Assistant:\n{{ '' }}{% endif %}"
)
"""For somebody's tokenizer that has no template: roles as plain text, since it has no tokens for them."""

BASE = (
    "{% if bos_token %}{{ bos_token }}{% endif %}"
    "{% for message in messages %}"
    "{% if message['role'] == 'assistant' %}"
    "{% generation %}{{ message['content'] }}{{ eos_token }}{% endgeneration %}"
    "{% else %}"
    "{{ message['content'] }}{{ '\n' }}"
    "{% endif %}"
    "{% endfor %}"
)
"""For a base model, which knows documents and no roles: the texts, a line each, to be continued."""
