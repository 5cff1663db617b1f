"""Tiny checkpoints with random weights, written as their libraries write real ones."""

import json

import numpy as np
import pytest

from mmclust.core.plugins import instance_of, load
from mmclust.core.types import Batch

GREY = {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}
LAYERS = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
          "num_attention_heads": 4}  # fmt: skip
WORDS = "a an the red green blue dog bus kite square on grass is it what yes no"


def options(name, **block):
    return instance_of("encoders", name, block, f"encoders.{name}").options


def pictures(n=5, size=(60, 80), seed=0):
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for _ in range(n)]


def batch(name, params, n=5, captions=None):
    """Prepared pictures (where the encoder prepares any) with captions."""
    module = load("encoders", name)
    images = None
    if hasattr(module, "prepare"):
        images = np.stack([module.prepare(rgb, params) for rgb in pictures(n)])
    captions = captions or [["a red dog", "a dog on grass"]] * n
    return Batch([f"{i:03d}" for i in range(n)], captions, images)


def drawn(model, *arguments, **options):
    """Make a model whose weights are the same each time."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return model(*arguments, **options)


def bert_tokenizer(folder):
    from transformers import BertTokenizerFast

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[DEC]", "[ENC]"]
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = folder / "vocab.txt"
    words = WORDS.split()
    letters = [p + c for c in "abcdefghijklmnopqrstuvwxyz?." for p in ("", "##")]
    vocabulary.write_text("\n".join([*special, *words, *letters]))
    tokenizer = BertTokenizerFast(str(vocabulary), bos_token="[DEC]")
    tokenizer.save_pretrained(folder)
    return len(special) + len(words) + len(letters)


def clip_tokenizer(folder):
    """A byte-level BPE tokenizer without merges, as CLIP's."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = [*alphabet, *(c + "</w>" for c in alphabet), "<start>", "<end>"]
    vocabulary = {token: i for i, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.BPE(vocabulary, [], end_of_word_suffix="</w>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    start, end = vocabulary["<start>"], vocabulary["<end>"]
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<start> $A <end>", special_tokens=[("<start>", start), ("<end>", end)]
    )
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<start>",
        eos_token="<end>",
        pad_token="<end>",
        unk_token="<end>",
    )
    wrapped.save_pretrained(folder)
    return len(tokens), start, end


def clip(folder, size=32):
    """A CLIP of two layers; space of 24."""
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel

    n_words, start, end = clip_tokenizer(folder)
    text = {"vocab_size": n_words, "bos_token_id": start, "eos_token_id": end}
    vision = {"image_size": size, "patch_size": 8}
    config = CLIPConfig(
        text_config={**LAYERS, **text, "pad_token_id": end},
        vision_config={**LAYERS, **vision},
        projection_dim=24,
    )
    drawn(CLIPModel, config).save_pretrained(folder)
    CLIPImageProcessor(
        size={"shortest_edge": size}, crop_size={"height": size, "width": size}
    ).save_pretrained(folder)
    return folder


def siglip(folder, size=32):
    """A SigLIP of two layers; space of 32."""
    from transformers import SiglipConfig, SiglipImageProcessor, SiglipModel

    n_words = bert_tokenizer(folder)
    config = SiglipConfig(
        text_config={**LAYERS, "vocab_size": n_words, "projection_size": 32},
        vision_config={**LAYERS, "image_size": size, "patch_size": 8},
    )
    drawn(SiglipModel, config).save_pretrained(folder)
    SiglipImageProcessor(size={"height": size, "width": size}).save_pretrained(folder)
    return folder


def blip(folder, kind="BlipForConditionalGeneration", size=32):
    """A BLIP of two layers that really generates."""
    import transformers

    n_words = bert_tokenizer(folder)
    text = {
        "vocab_size": n_words,
        "encoder_hidden_size": 32,
        "bos_token_id": 5,
        "sep_token_id": 3,
        "eos_token_id": 2,
        "pad_token_id": 0,
        "max_position_embeddings": 64,
        "initializer_range": 0.5,
    }
    config = transformers.BlipConfig(
        text_config={**LAYERS, **text},
        vision_config={**LAYERS, "image_size": size, "patch_size": 8},
    )
    drawn(getattr(transformers, kind), config).save_pretrained(folder)
    return folder


def sbert(folder):
    """A BERT of two layers, its tokens averaged: 32 features."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import BertConfig, BertModel

    inner = folder.with_name(folder.name + ".bert")
    n_words = bert_tokenizer(inner)
    config = BertConfig(vocab_size=n_words, max_position_embeddings=64, **LAYERS)
    drawn(BertModel, config).save_pretrained(inner)
    words = Transformer(str(inner), max_seq_length=40)
    SentenceTransformer(modules=[words, Pooling(32)], device="cpu").save(str(folder))
    return folder


def open_clip(folder):
    """A tiny open_clip model, as the hub lays it out."""
    from safetensors.torch import save_file

    module = pytest.importorskip("open_clip")
    vision = {"image_size": 32, "layers": 2, "width": 64, "patch_size": 8}
    text = {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2}
    sizes = {"embed_dim": 16, "vision_cfg": vision, "text_cfg": {**text, "layers": 2}}
    state = drawn(module.model.CLIP, **sizes).state_dict()
    folder.mkdir(parents=True, exist_ok=True)
    save_file(state, folder / "open_clip_model.safetensors")
    config = {
        "model_cfg": sizes,
        "preprocess_cfg": {**GREY, "interpolation": "bicubic"},
    }
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    return {"model": str(folder), "library": "open_clip", "short_side": 32, "crop": 32,
            **GREY}  # fmt: skip


def timm(folder):
    from safetensors.torch import save_file

    model = pytest.importorskip("timm").create_model("vit_tiny_patch16_224")
    folder.mkdir(parents=True, exist_ok=True)
    save_file(model.state_dict(), folder / "vit.safetensors")
    return {"model": "vit_tiny_patch16_224", "weights": str(folder / "vit.safetensors")}


def dinov2(folder):
    from transformers import Dinov2Config, Dinov2Model

    config = Dinov2Config(
        hidden_size=24, num_hidden_layers=2, num_attention_heads=4, image_size=28
    )
    drawn(Dinov2Model, config).save_pretrained(folder)
    return {"model": str(folder), "short_side": 32, "crop": 28}


def torchvision(folder, name="resnet18"):
    """Random weights of a torchvision model, as a safetensors file."""
    from safetensors.torch import save_file
    from torchvision import models

    model = drawn(models.get_model, name, weights=None)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.safetensors"
    save_file(model.state_dict(), path)
    return path


def edit_json(path, **values):
    path.write_text(json.dumps(json.loads(path.read_text()) | values))
