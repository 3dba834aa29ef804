"""README and the pages of docs/: their blocks, and their command lines."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
}

_PACKAGES = "installs gigabytes from PyPI"
_HUB = "labels with a model of the Hub"
_CLUSTER = "needs an account with a cloud, or the cluster that was started there"
_GRAFANA = "needs Grafana, and Ray's own folder of a head node"
# What cannot run as written on a machine without a GPU, a network or a cloud, and why.
NOT_HERE = {
    "make test": "the tests themselves",
    "pip install -e '.[run,aws]' && ray get-auth-token --generate": _PACKAGES,
    "ray up ray_cluster.yaml": _CLUSTER,
    "ray dashboard ray_cluster.yaml": _CLUSTER,
    "fairsweep submit jobs/occupations.yaml --address http://localhost:8265"
    " --store s3://my-bucket/occupations": _CLUSTER,
    "ray job list --address http://localhost:8265": _CLUSTER,
    "ray down ray_cluster.yaml": _CLUSTER,
    "ray metrics launch-prometheus": "downloads Prometheus; test_prometheus.py runs one",
    "cp dashboards/grafana.json /tmp/ray/session_latest/metrics/grafana/dashboards/": _GRAFANA,
    "grafana server --homepath /usr/share/grafana"
    " --config /tmp/ray/session_latest/metrics/grafana/grafana.ini": _GRAFANA,
    "python3 -m venv .venv": _PACKAGES,
    "pip install -r requirements.lock": _PACKAGES,
    "pip install --no-deps -e .": _PACKAGES,
    'fairsweep calibrate --classifier "{kind: open_clip, model: ViT-L-14, pretrained: openai}" --name clip'
    " --file truth.csv --groups gender=female,male": _HUB,
    "fairsweep import FOLDER --groups gender=female,male"
    ' --classifier "{kind: open_clip, model: ViT-L-14, pretrained: openai}"': _HUB,
    "fairsweep run occupations-small --model stable-diffusion-v1-5/stable-diffusion-v1-5"
    " --model CompVis/stable-diffusion-v1-4": _HUB,
}


def blocks(page: str, language: str) -> list[str]:
    """Return the blocks of a language on a page, in their order."""
    return re.findall(rf"```{language}\n(.*?)```", PAGES[page], re.DOTALL)


def commands(page: str) -> list[str]:
    """Return the command lines of a page, in their order, without their comments."""
    lines = [line for block in blocks(page, "sh") for line in block.splitlines() if line.strip()]
    return [re.sub(r"\s+# .*$", "", line) for line in lines]


def files(page: str) -> dict[str, str]:
    """Return the files that a page shows under their names: `name`, and then its block."""
    shown = re.findall(r"`([\w-]+\.(?:csv|yaml))`[^`]*?:\n\n```\w+\n(.*?)```", PAGES[page], re.DOTALL)
    return dict(shown)
