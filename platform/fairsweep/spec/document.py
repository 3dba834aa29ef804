"""Read a YAML file as plain data with the place of every key; whatever is wrong with it is one SpecError."""

from pathlib import Path
from typing import Any

import yaml

from fairsweep.errors import FairsweepError, SpecError
from fairsweep.textfile import read_text, unfit

MOST_BYTES = 4 * 2**20
# Counted as they unfold: aliases of aliases make a page of text into more values than memory holds.
MOST_VALUES = 200_000
DEEPEST = 32

Loc = tuple[str | int, ...]
Places = dict[Loc, tuple[Path, int]]

_COLLECTIONS = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")


def read_document(path: Path) -> tuple[Any, Places]:
    """Return what a YAML file holds, keys as written, and the file and line of each value; raises SpecError."""
    try:
        text = read_text(path, MOST_BYTES)
    except FairsweepError as error:
        raise SpecError(f"cannot read the spec: {error}", str(path)) from None
    return parse(text, path)


def parse(text: str, path: Path) -> tuple[Any, Places]:
    """Return what a YAML text holds, as `read_document`; `path` names it in errors."""
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        if node is None:
            return None, {(): (path, 1)}
        document = _Document(path, loader)
        document.measure(node, ())
        return document.value(node, ()), document.places
    except RecursionError:
        raise SpecError(f"nested deeper than {DEEPEST} levels", str(path)) from None
    except yaml.YAMLError as error:
        raise _mistake_of(error, text, path) from None


def dotted(loc: Loc) -> str:
    """Return a path of keys as a sentence names it, such as models[0].steps."""
    text = ""
    for part in loc:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def _mistake_of(error: yaml.YAMLError, text: str, path: Path) -> SpecError:
    """Return what PyYAML found wrong as one line with its place."""
    if isinstance(error, yaml.reader.ReaderError):
        line = text.count("\n", 0, error.position) + 1
        return SpecError(f"the character U+{ord(text[error.position]):04X} is not allowed", str(path), line)
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = " ".join(str(getattr(error, "problem", None) or error).split())
    return SpecError(f"this is not YAML: {problem}", str(path), mark.line + 1 if mark else None)


class _Document:
    """The nodes of one YAML file on their way to plain data."""

    def __init__(self, path: Path, loader: yaml.SafeLoader):
        self.places: Places = {}
        self._path, self._loader = path, loader
        self._sizes: dict[yaml.Node, tuple[int, int] | None] = {}

    def measure(self, node: yaml.Node, loc: Loc) -> tuple[int, int]:
        """Return how many values a node unfolds to and how deep; refuse too much, and an alias inside itself."""
        if node in self._sizes:
            size = self._sizes[node]
            if size is None:
                raise self._mistake(node, "an alias stands inside what it is an alias of", loc)
            return size
        self._sizes[node] = None
        values, depth = 1, 1
        for child, place in self._children(node, loc):
            more, below = self.measure(child, place)
            values, depth = values + more, max(depth, 1 + below)
        if values > MOST_VALUES:
            raise self._mistake(node, f"more than {MOST_VALUES:,} values: put long lists into files of their own", loc)
        if depth > DEEPEST:
            raise self._mistake(node, f"nested deeper than {DEEPEST} levels", loc)
        self._sizes[node] = (values, depth)
        return values, depth

    def value(self, node: yaml.Node, loc: Loc) -> Any:
        """Return a node as plain data, and keep the place of everything in it."""
        self.places.setdefault(loc, (self._path, _line(node)))
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*loc, index)) for index, item in enumerate(node.value)]
        if not isinstance(node, yaml.MappingNode):
            return self._scalar(node, loc)
        self._loader.flatten_mapping(node)
        data = {}
        for key, value in node.value:
            # As written: YAML would read a bare `no` or `yes` as a truth value.
            place = (*loc, key.value)
            self.places[place] = (self._path, _line(key))
            data[key.value] = self.value(value, place)
        return data

    def _children(self, node: yaml.Node, loc: Loc) -> list[tuple[yaml.Node, Loc]]:
        if isinstance(node, yaml.ScalarNode):
            return []
        if node.tag not in _COLLECTIONS:
            raise self._mistake(node, f"the tag {node.tag!r} is not allowed", loc)
        if isinstance(node, yaml.SequenceNode):
            return [(item, (*loc, index)) for index, item in enumerate(node.value)]
        keys = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise self._mistake(key, "a key is a word, not a list or a mapping", loc)
            self._check_text(key.value, key, loc)
            if key.value in keys:
                raise self._mistake(key, "this key is given twice", (*loc, key.value))
            keys.add(key.value)
        return [(value, (*loc, key.value)) for key, value in node.value]

    def _scalar(self, node: yaml.Node, loc: Loc) -> Any:
        try:
            value = self._loader.construct_object(node, deep=True)
        except yaml.YAMLError:
            raise
        except Exception:
            # PyYAML lets through whatever its converters raise.
            kind, text = node.tag.rpartition(":")[2], node.value[:40]
            raise self._mistake(node, f"{text!r} cannot be read as {kind}: put a text in quotes", loc) from None
        if isinstance(value, int) and value.bit_length() > 64:
            raise self._mistake(node, "a number of more than 64 bits", loc)
        if isinstance(value, str):
            self._check_text(value, node, loc)
        return value

    def _check_text(self, text: str, node: yaml.Node, loc: Loc) -> None:
        if reason := unfit(text):
            raise self._mistake(node, reason, loc)

    def _mistake(self, node: yaml.Node, message: str, loc: Loc) -> SpecError:
        return SpecError(message, str(self._path), _line(node), dotted(loc) or None)


def _line(node: yaml.Node) -> int:
    return node.start_mark.line + 1
