"""What Linux tells of this process, for benchmarks that run in one of their own."""

from pathlib import Path


def own(file: str, field: str) -> int:
    """Return what Linux tells of this process: bytes read from files, cached or not (io: rchar), or a peak in KiB."""
    fields = dict(line.split(":", 1) for line in Path(f"/proc/self/{file}").read_text().splitlines())
    return int(fields[field].split()[0])
