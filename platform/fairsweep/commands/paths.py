"""Whether what a command will write can be written, asked before any work is done."""

import os
from pathlib import Path

from fairsweep.errors import FairsweepError

PICTURES = (".png", ".jpg", ".jpeg", ".webp")


def new_file(path: Path) -> Path:
    """Return the path of a file to write; refuse one whose folder is not there or takes no files."""
    if path.is_dir():
        raise FairsweepError(f"cannot write {path}: that is a folder; name a file in it")
    folder = path.absolute().parent
    if not folder.is_dir():
        raise FairsweepError(f"cannot write {path}: there is no folder {folder}; make it first")
    if not os.access(path if path.exists() else folder, os.W_OK):
        raise FairsweepError(f"cannot write {path}: no right to; name another place")
    return path


def new_picture(path: Path) -> Path:
    """Return the path of a picture to write; refuse an ending that is no picture's."""
    if path.suffix.lower() not in PICTURES:
        raise FairsweepError(f"cannot write {path}: its name must end in one of {', '.join(PICTURES)}")
    return new_file(path)


def folder(path: Path | None) -> Path | None:
    """Return the path of a folder that need not be there; refuse one below or in place of a file."""
    if path is not None and (there := _nearest(path)) and not there.is_dir():
        raise FairsweepError(f"{path} cannot be a folder: {there} is a file; name another")
    return path


def new_folder(path: Path | None) -> Path | None:
    """Return the path of a folder to write into; refuse one that cannot be made or takes no files."""
    if folder(path) and path and (there := _nearest(path)) and not os.access(there, os.W_OK | os.X_OK):
        raise FairsweepError(f"cannot write into {path}: no right to, or {there} is read-only; name another")
    return path


def store(root: str) -> str:
    """Return the root of a store that need not be there; refuse what can be none."""
    if path := _folder_of(root):
        folder(path)
    return root


def new_store(root: str) -> str:
    """Return the root of a store to write into; refuse a folder that takes no files."""
    if path := _folder_of(root):
        new_folder(path)
    return root


def _folder_of(root: str) -> Path | None:
    """Return the folder that a store's root is; None for a bucket. Raises StoreError for what is neither."""
    if "://" not in root:
        return Path(root)
    from fairsweep.store.places import bucket_address

    return None if bucket_address(root) else Path(root.removeprefix("file://"))


def _nearest(path: Path) -> Path | None:
    """Return the path itself, or the nearest of those above it that is there."""
    path = path.expanduser().absolute()
    return next((place for place in (path, *path.parents) if os.path.lexists(place)), None)
