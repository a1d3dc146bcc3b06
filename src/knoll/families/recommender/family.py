"""The family of recommendations, made of its parts."""

from knoll.families.base import Family
from knoll.families.recommender.data import RecommenderData
from knoll.families.recommender.declaration import RecommenderConfig, RecommenderDeclaration
from knoll.families.recommender.export import RecommenderExport
from knoll.families.recommender.learning import RecommenderLearning

__all__ = ["Recommender"]


class Recommender(
    RecommenderDeclaration,
    RecommenderData,
    RecommenderLearning,
    RecommenderExport,
    Family[RecommenderConfig],
):
    """The family `recommender`. A batch is (histories as int32 (B, L), items that follow as int32 (B, T));
    item 0 is none."""
