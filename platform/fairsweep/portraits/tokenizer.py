"""The tokenizer of the built-in models: CLIP's byte-pair encoding over the portraits' small vocabulary."""

import json

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import CLIPTokenizer

from fairsweep.portraits.captions import VOCABULARY

CONTEXT_LENGTH = 24
_ALPHABET = list("abcdefghijklmnopqrstuvwxyz0123456789.,:;!?'-+()&/")


def build_tokenizer() -> CLIPTokenizer:
    """Build the tokenizer: every word of VOCABULARY is one token, any other word falls apart into pieces."""
    learner = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    learner.normalizer = normalizers.Lowercase()
    learner.pre_tokenizer = pre_tokenizers.Split(r"[a-z]+|[^a-z]", "isolated")
    # A merge is learned only from a pair that occurs twice, so each word is shown twice.
    trainer = trainers.BpeTrainer(
        vocab_size=4096,
        min_frequency=2,
        end_of_word_suffix="</w>",
        initial_alphabet=_ALPHABET,
        show_progress=False,
    )
    learner.train_from_iterator([*VOCABULARY, *VOCABULARY], trainer)
    vocabulary = learner.get_vocab()
    pieces = sorted(vocabulary, key=vocabulary.get)
    pieces += [piece + "</w>" for piece in _ALPHABET if piece + "</w>" not in vocabulary]
    pieces += ["<|startoftext|>", "<|endoftext|>"]
    merges = [tuple(pair) for pair in _merges(learner)]
    return CLIPTokenizer(
        vocab={piece: index for index, piece in enumerate(pieces)},
        merges=merges,
        model_max_length=CONTEXT_LENGTH,
    )


def tokenize(tokenizer: CLIPTokenizer, texts: list[str]) -> torch.Tensor:
    """Return token ids (n, context length) int64, as a diffusers pipeline tokenizes its prompts."""
    return tokenizer(texts, padding="max_length", truncation=True, return_tensors="pt").input_ids


def _merges(learner: Tokenizer) -> list[list[str]]:
    return json.loads(learner.to_str())["model"]["merges"]
