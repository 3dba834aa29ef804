from pathlib import Path

import yaml
from ray.autoscaler._private.util import prepare_config, validate_config

FILE = Path(__file__).resolve().parents[1] / "ray_cluster.yaml"


def test_ray_accepts_the_cluster_file():
    config = prepare_config(yaml.safe_load(FILE.read_text()))
    validate_config(config)
    head = config["available_node_types"][config["head_node_type"]]
    assert head["resources"]["CPU"] == 0
    workers = [node for name, node in config["available_node_types"].items() if name != config["head_node_type"]]
    assert all(node["resources"]["GPU"] == 1 for node in workers)
    assert any(node["node_config"].get("InstanceMarketOptions") == {"MarketType": "spot"} for node in workers)
    assert any("/mnt/fairsweep" in option for option in config["docker"]["run_options"])
