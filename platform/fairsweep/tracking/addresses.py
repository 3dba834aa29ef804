"""Addresses of MLflow servers, as they may be printed."""

import re

# Two slashes and no more: after four, as in sqlite:////folder, comes a path.
_USER = re.compile(r"(?<!/)//(?!/)[^/\s'\"?]*@")
_SECRET = re.compile(r"((?:password|passwd|pwd|token|secret|api_?key)=)[^&\s'\")]*", re.IGNORECASE)


def public(text: str) -> str:
    """Return a text without the user and the password of any address in it."""
    return _SECRET.sub(r"\1***", _USER.sub("//", text))
