"""Guidance methods decide what steers an image, without torch: one file each."""

from fairsweep.methods.base import GuidanceMethod
from fairsweep.registry import find

METHODS = {
    "none": "fairsweep.methods.none:Unguided",
    "fair": "fairsweep.methods.fair:Fair",
    "prompt": "fairsweep.methods.prompt:EthicalPrompt",
    "attribute-prompt": "fairsweep.methods.attribute_prompt:AttributePrompt",
    "negative-prompt": "fairsweep.methods.negative_prompt:NegativePrompt",
}

__all__ = ["METHODS", "GuidanceMethod", "get_method"]


def get_method(name: str) -> GuidanceMethod:
    """Return the guidance method of that name, or the user's own as "module:Class"."""
    return find(name, METHODS, "guidance method", GuidanceMethod)()
