"""The clock, under the name that the engine's modules know."""

from local_cloud.clock import Clock, SystemClock, moment, timestamp

__all__ = ["Clock", "SystemClock", "moment", "timestamp"]
