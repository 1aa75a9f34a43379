"""FetalCLIP as published: its architecture in open_clip's form, and what its weights must be.

FetalCLIP, arXiv 2502.14807: a ViT-L/14 image tower and a 12-layer text tower that
reads up to 117 tokens.
"""

from __future__ import annotations

from distill.teacher.manifest import OpenClipConfig

FETALCLIP = "fetalclip"
FETALCLIP_NAME = "FetalCLIP"
FETALCLIP_LICENCE = "CC BY-NC 4.0"
FETALCLIP_SHA256 = "90916caa408baf9374ee3f8c1533463331a4ace37a13e61385e782905b35c310"
FETALCLIP_BYTES = 1_710_766_661
GET_FETALCLIP = (
    "Get FetalCLIP_weights.pt (1.7 GB, CC BY-NC 4.0: no commercial use) from the Hugging Face "
    "repository numansaeed/fetalclip-model, and give its path with --teacher-weights"
)

FETALCLIP_CONFIG = OpenClipConfig(
    embed_dim=768,
    vision_cfg={"image_size": 224, "layers": 24, "width": 1024, "patch_size": 14},
    text_cfg={
        "context_length": 117,
        "vocab_size": 49408,
        "width": 768,
        "heads": 12,
        "layers": 12,
    },
)
