"""params.yaml, read once into frozen dataclasses that reject what they don't know."""

from mmclust.core.params.blocks import (
    TEMPLATES,
    BaselineParams,
    BudgetParams,
    CognitionParams,
    DataParams,
    EncodeParams,
    GroundingParams,
    LearningParams,
    ModelParams,
    NounsParams,
    ReportParams,
    RetrievalParams,
    SampleParams,
    ScoreParams,
)
from mmclust.core.params.strict import Positive, PositiveFloat, convert
from mmclust.core.params.whole import DEFAULT_PATH, POLICIES, Params, read_params

__all__ = [
    "DEFAULT_PATH",
    "POLICIES",
    "TEMPLATES",
    "BaselineParams",
    "BudgetParams",
    "CognitionParams",
    "DataParams",
    "EncodeParams",
    "GroundingParams",
    "LearningParams",
    "ModelParams",
    "NounsParams",
    "Params",
    "Positive",
    "PositiveFloat",
    "ReportParams",
    "RetrievalParams",
    "SampleParams",
    "ScoreParams",
    "convert",
    "read_params",
]
