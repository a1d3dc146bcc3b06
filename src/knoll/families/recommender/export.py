"""The served network ranks items; its samples are held-out users."""

import copy
import json
from typing import cast

from torch import nn

from knoll.codecs.basket import BASKET
from knoll.codecs.ranking import RANKING
from knoll.families.base import Examples, Export, ExportPart, draw_rows
from knoll.families.recommender.declaration import RecommenderConfig
from knoll.families.recommender.network import RankedItems, TwoTowers
from knoll.records.signature import Signature, Tensor

__all__ = ["RecommenderExport"]

_CATALOGUE = "catalogue.json"


class RecommenderExport(ExportPart[RecommenderConfig]):
    """A user or a basket in, items and their scores out."""

    def export(self, networks: nn.ModuleDict, examples: Examples, config: RecommenderConfig) -> Export:
        """The network with the ranking of what it says, in float64, and the names of items and users."""
        items, (chosen, _) = examples.about["items"], draw_rows(*examples.held_out)
        top = max(1, min(config.top, len(items) // 2))
        towers = copy.deepcopy(cast(TwoTowers, networks["towers"])).cpu().double()
        names = [[items[one - 1] for one in row if one] for row in chosen.tolist()]
        catalogue = {"items": items, "users": _trimmed(examples.about["users"])}
        options = {"file": _CATALOGUE, "example": names[0][-3:]}
        return Export(
            module=RankedItems(towers, top).eval(),
            signature=Signature(
                (Tensor("basket", "INT32", (-1, config.history), BASKET.name, options),),
                (Tensor("ranking", "FP64", (-1, top, 2), RANKING.name, {"file": _CATALOGUE, "top": top}),),
            ),
            samples=tuple({"items": one} for one in names),
            sample_inputs=(chosen,),
            files={_CATALOGUE: json.dumps(catalogue, ensure_ascii=False).encode()},
        )


def _trimmed(users: dict[str, list[int]]) -> dict[str, list[int]]:
    return {name: [one for one in row if one] for name, row in users.items()}
