"""`python3 -m tinymodel FOLDER`: writes config.json, tokenizer.json and tokenizer_config.json."""

import json
import sys
from pathlib import Path
from typing import Any

SPECIAL = ("<unk>", "<s>", "</s>")
# The load generator's prompts repeat this word, and it counts one token for each.
WORD = "load"
# The mocker answers with token ids from 1000 to 2000; ids without a word would be answers without text.
VOCABULARY = 2048


def main() -> None:
    """Write the folder given on the command line."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    files = {"config.json": config(), "tokenizer.json": tokenizer(), "tokenizer_config.json": tokenizer_config()}
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content))


def config() -> dict[str, Any]:
    """A Llama of two layers; the mocker takes the size of a token in the KV cache from it."""
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": 256,
        "intermediate_size": 512,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 4,
        "head_dim": 64,
        "max_position_embeddings": 131072,
        "vocab_size": VOCABULARY,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "torch_dtype": "bfloat16",
    }


def tokenizer() -> dict[str, Any]:
    """Every four characters are a token."""
    named = [*SPECIAL, WORD]
    words = [*named, *(f"w{number}" for number in range(len(named), VOCABULARY))]
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    return {
        "version": "1.0",
        "added_tokens": [
            {"id": number, "content": word, "special": True, **flags} for number, word in enumerate(SPECIAL)
        ],
        "pre_tokenizer": {
            "type": "Split",
            "pattern": {"Regex": r"[\s\S]{1,4}"},
            "behavior": "Isolated",
            "invert": False,
        },
        "model": {
            "type": "WordLevel",
            "vocab": {word: number for number, word in enumerate(words)},
            "unk_token": SPECIAL[0],
        },
    }


def tokenizer_config() -> dict[str, Any]:
    """Special tokens, and a chat template that puts the messages one behind the other."""
    unknown, begin, end = SPECIAL
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "unk_token": unknown,
        "bos_token": begin,
        "eos_token": end,
        "model_max_length": 131072,
        "chat_template": "{% for message in messages %}{{ message['content'] }}{% endfor %}",
    }


if __name__ == "__main__":
    main()
