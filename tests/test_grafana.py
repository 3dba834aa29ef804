"""The Grafana dashboard asks only for metrics that the code, or Ray itself, exports."""

import json
import re

import yaml
from ray.dashboard.modules.reporter.reporter_agent import METRICS_GAUGES
from ray.util.metrics import Metric

from fairsweep import shipped
from fairsweep.engine.gauges import Gauges, LabelGauges


def queries() -> list[str]:
    board = json.loads((shipped.path("dashboards") / "grafana.json").read_text(encoding="utf-8"))
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    return [target["expr"] for panel in board["panels"] for target in panel["targets"]]


def exported() -> dict[str, tuple[str, ...]]:
    """Return the tags of each metric that actors make, by its name."""
    metrics = [
        value for owner in (Gauges(), LabelGauges()) for value in vars(owner).values() if isinstance(value, Metric)
    ]
    return {metric.info["name"]: metric.info["tag_keys"] for metric in metrics}


def test_every_metric_is_exported_and_every_tag_that_a_panel_groups_by_is_its_own():
    ours, asked = exported(), set()
    for query in queries():
        names = re.findall(r"ray_(\w+)", query)
        assert names, query
        asked |= set(names)
        for name in names:
            assert name in ours or name in METRICS_GAUGES, f"{query}: nothing exports {name}"
            groups = re.findall(r"by \((\w+)\)", query)
            assert set(groups) <= set(ours.get(name, groups)), f"{query}: {name} has the tags {ours.get(name)}"
    assert ours.keys() <= asked, "a metric that no panel shows"


def test_prometheus_as_ray_starts_it_finds_every_node():
    from ray.dashboard.consts import PROMETHEUS_CONFIG_INPUT_PATH
    from ray.scripts.scripts import metrics_group

    assert "launch-prometheus" in metrics_group.commands
    with open(PROMETHEUS_CONFIG_INPUT_PATH, encoding="utf-8") as file:
        (job,) = yaml.safe_load(file)["scrape_configs"]
    assert job["file_sd_configs"] == [{"files": ["/tmp/ray/prom_metrics_service_discovery.json"]}]


def test_the_dashboard_needs_no_import_by_hand():
    """A file in Grafana's folder cannot ask for a data source, as an import by hand would."""
    board = json.loads((shipped.path("dashboards") / "grafana.json").read_text(encoding="utf-8"))
    (variable,) = board["templating"]["list"]
    assert "__inputs" not in board and (variable["type"], variable["query"]) == ("datasource", "prometheus")
    assert {panel["datasource"]["uid"] for panel in board["panels"]} == {f"${{{variable['name']}}}"}


def test_the_queue_is_right_where_one_model_follows_another(monkeypatch):
    """The last batch of one model is still written while the first of the next computes."""
    queue, shown = Gauges(["first", "second"]).queue, {}
    monkeypatch.setattr(queue, "set", lambda value, tags: shown.update({tags["model"]: value}))
    with queue.holding("first"):
        with queue.holding("first"):
            assert shown == {"first": 2}
        with queue.holding("second"):
            assert shown == {"first": 1, "second": 1}
    assert shown == {"first": 0, "second": 0}
