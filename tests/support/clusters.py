"""Local Ray clusters on free ports."""

import random
import socket

from support import warm

# Below those that the system hands out to whoever connects: between the choice and the use nobody else gets one.
_PORTS = range(12_000, 32_000)
# Where a test asks for metrics; a cluster that nobody asks has better things to do.
METRICS_EACH_SECOND = ("RAY_metrics_report_interval_ms", "1000")
# What nobody here looks at, and what uses the cores for as long as a cluster lives.
_LEFT_OUT = {"include_dashboard": False, "include_log_monitor": False, "no_monitor": True}


def free_port() -> int:
    """Return a port that nobody listens on; another one every time, so that clusters side by side keep apart."""
    while True:
        with socket.socket() as taken:
            port = random.SystemRandom().choice(_PORTS)
            try:
                taken.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def node_options(**more) -> dict:
    """Return the options of a cluster's node; with its agents' ports given, Ray does not wait for them to start."""
    ports = ("metrics_agent_port", "runtime_env_agent_port", "dashboard_agent_listen_port")
    return _LEFT_OUT | {"worker_path": warm.__file__} | {name: free_port() for name in ports} | more


def start_cluster(*nodes: dict):
    """Start a local Ray cluster from its nodes' options; a busy machine may need more than one try."""
    from ray.cluster_utils import Cluster

    warm.start_server()

    for attempt in range(5):
        cluster = Cluster()
        try:
            for options in nodes:
                cluster.add_node(**node_options(**options))
            return cluster
        except Exception:
            cluster.shutdown()
            if attempt == 4:
                raise
