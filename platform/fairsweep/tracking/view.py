"""How MLflow's pages first show a sweep: its cells alone, distance to target against what is kept and what it costs."""

import json
from urllib.parse import quote, urlencode

# MLflow asks of an experiment whether it is about training or about agents, and shows runs for the first alone.
KIND = {"mlflow.experimentKind": "custom_model_development"}
_MODE = {"workflowType": "machine_learning", "compareRunsMode": "CHART"}
_SECTION = "fairsweep"
KEPT, SPEED = "scene_kept", "images_per_second"


def distance(attribute: str) -> str:
    """Return the short name of an attribute's mean distance to target."""
    return f"distance_{attribute}"


def tag(fingerprint: str, attributes: list[str]) -> tuple[str, str]:
    """Return the experiment's tag, key and value, that MLflow reads a sweep's view from.

    attributes: those of the sweep, each of which has a bar chart of its distances and two trade-offs.
    """
    charts: list[dict] = []
    for attribute in attributes:
        charts.append({"type": "BAR", "metricKey": distance(attribute)})
        for other in (KEPT, SPEED):
            charts.append({"type": "SCATTER", "xaxis": _axis(distance(attribute)), "yaxis": _axis(other)})
    common = {"metricSectionId": _SECTION, "deleted": False, "isGenerated": False, "runsCountToCompare": 100}
    metrics = [distance(attribute) for attribute in attributes] + [KEPT, SPEED]
    state = {
        "searchFilter": f"tags.`fairsweep.fingerprint` = '{fingerprint}' and tags.`fairsweep.kind` = 'cell'",
        "orderByKey": f"metrics.`{metrics[0]}`",
        "orderByAsc": True,
        "selectedColumns": ["attributes.`Created`", *(f"metrics.`{name}`" for name in metrics)],
        "runsHiddenMode": "SHOW_ALL",
        "compareRunCharts": [{**chart, **common, "uuid": f"{_SECTION}-{at}"} for at, chart in enumerate(charts)],
        "compareRunSections": [
            {"uuid": _SECTION, "name": "Fairness and its cost", "display": True, "isReordered": False}
        ],
        # Else MLflow's own sections come first, by their names.
        "isAccordionReordered": True,
    }
    return f"mlflow.sharedViewState.{key(fingerprint)}", json.dumps(state)


def key(fingerprint: str) -> str:
    """Return the name of a sweep's view."""
    return f"fairsweep-{fingerprint}"


def path(experiment: str, fingerprint: str) -> str:
    """Return the path within MLflow's pages that opens the view."""
    # Quoted, so that a terminal takes the whole address for a link.
    return (
        f"#/experiments/{experiment}/runs?{urlencode(_MODE | {'viewStateShareKey': key(fingerprint)}, quote_via=quote)}"
    )


def _axis(metric: str) -> dict[str, str]:
    return {"key": metric, "type": "METRIC"}
