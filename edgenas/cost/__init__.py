"""Closed-form costs of a graph. A FLOP here is one multiply-accumulate; names say `macs`."""

from edgenas.cost.counts import macs, op_macs, op_params, params
from edgenas.cost.memory import ELEMENT_BYTES, live_elements, peak_activation_bytes

__all__ = ["ELEMENT_BYTES", "live_elements", "macs", "op_macs", "op_params", "params", "peak_activation_bytes"]
