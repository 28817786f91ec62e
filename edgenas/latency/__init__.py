"""Latency tables and predictions from them; knows no runtime."""

from edgenas.latency.device import DeviceInfo, RuntimeInfo, local_device

__all__ = ["DeviceInfo", "RuntimeInfo", "local_device"]
