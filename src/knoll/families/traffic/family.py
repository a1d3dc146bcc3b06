"""The family of series, made of its parts."""

from knoll.families.base import Family
from knoll.families.traffic.data import TrafficData
from knoll.families.traffic.declaration import TrafficConfig, TrafficDeclaration
from knoll.families.traffic.export import TrafficExport
from knoll.families.traffic.learning import TrafficLearning

__all__ = ["TrafficForecast"]


class TrafficForecast(TrafficDeclaration, TrafficData, TrafficLearning, TrafficExport, Family[TrafficConfig]):
    """The family `traffic-forecast`. A batch is (windows float32 (B, S + 2 + E, H + F, 2), targets float32
    (B, S, F, 2), seconds since 1970 (B,))."""
