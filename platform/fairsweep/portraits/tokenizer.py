"""The tokenizer of the built-in models: CLIP's byte-pair encoding over the portraits' small vocabulary."""

from collections import Counter
from itertools import pairwise

import torch
from transformers import CLIPTokenizer

from fairsweep.portraits.captions import VOCABULARY

CONTEXT_LENGTH = 24
_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789.,:;!?'-+()&/"


def build_tokenizer() -> CLIPTokenizer:
    """Build the tokenizer: every word of VOCABULARY is one token, any other word falls apart into pieces."""
    merges = _learn_merges(VOCABULARY)
    pieces = [*_ALPHABET, *(letter + "</w>" for letter in _ALPHABET)]
    pieces += dict.fromkeys(left + right for left, right in merges)
    # The special tokens come last: transformers takes the end of the vocabulary for them.
    pieces += ["<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(
        vocab={piece: index for index, piece in enumerate(pieces)},
        merges=merges,
        model_max_length=CONTEXT_LENGTH,
    )


def tokenize(tokenizer: CLIPTokenizer, texts: list[str]) -> torch.Tensor:
    """Return token ids (n, context length) int64, as a diffusers pipeline tokenizes its prompts."""
    return tokenizer(texts, padding="max_length", truncation=True, return_tensors="pt").input_ids


def _learn_merges(vocabulary: tuple[str, ...]) -> list[tuple[str, str]]:
    """Merge the most frequent pair until every word is whole (Sennrich et al., arXiv 1508.07909).

    The trainer of `tokenizers` breaks ties by the order of a hash table, which is another one in each process.
    """
    words = [[*word[:-1], word[-1] + "</w>"] for word in vocabulary]
    merges = []
    while counts := Counter(pair for word in words for pair in pairwise(word)):
        pair = max(counts, key=lambda pair: (counts[pair], pair))
        merges.append(pair)
        words = [_merge(word, pair) for word in words]
    return merges


def _merge(word: list[str], pair: tuple[str, str]) -> list[str]:
    merged: list[str] = []
    for piece in word:
        if merged and (merged[-1], piece) == pair:
            merged[-1] += piece
        else:
            merged.append(piece)
    return merged
