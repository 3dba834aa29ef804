"""Run a sweep as a job of a Ray cluster, through Ray's own job client."""

import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from shlex import quote

from fairsweep.errors import ClusterError, first_line
from fairsweep.spec import SweepSpec

_LEFT_OUT = (".git", ".venv", "__pycache__", "fairsweep-store", "*.parquet", "mlflow.db", "mlruns", "node_modules")
_RUNNING = ("PENDING", "RUNNING")


def submit_sweep(
    spec: SweepSpec, path: Path, address: str, store: Path, working_dir: Path, options: Sequence[str] = ()
) -> int:
    """Upload the working directory, run the spec there as a job, follow its log; return its exit status.

    options: those of `fairsweep run` that the job gets besides the store.
    Raises ClusterError where the cluster cannot be reached, or where the same spec is running there already.
    """
    folder = working_dir.resolve()
    if not path.resolve().is_relative_to(folder):
        raise ClusterError(f"the spec {path} is not in the folder to upload, {folder}: name another with --working-dir")
    if not store.is_absolute():
        raise ClusterError(f"give --store as an absolute path that every node of the cluster sees, not {str(store)!r}")
    client = _client(address)
    for job in client.list_jobs():
        if (job.metadata or {}).get("fairsweep.fingerprint") == spec.fingerprint and job.status in _RUNNING:
            running = f"this spec is running already as job {job.submission_id}"
            raise ClusterError(f"{running}: follow it with `ray job logs --follow {job.submission_id}`")
    program = "python jobs/sweep.py" if (folder / "jobs" / "sweep.py").is_file() else "fairsweep run"
    arguments = [str(path.resolve().relative_to(folder)), "--store", str(store), *options]
    job_id = client.submit_job(
        entrypoint=f"{program} {' '.join(quote(argument) for argument in arguments)}",
        runtime_env=_runtime_env(folder),
        metadata={"fairsweep.sweep": spec.name, "fairsweep.fingerprint": spec.fingerprint},
    )
    print(f"job {job_id}", flush=True)
    asyncio.run(_follow(client, job_id))
    info = client.get_job_info(job_id)
    if info.driver_exit_code is not None:
        return info.driver_exit_code
    print(f"job {job_id}: {info.status}: {' '.join((info.message or '').split())}", file=sys.stderr)
    return 0 if info.status == "SUCCEEDED" else 1


def _runtime_env(folder: Path) -> dict:
    """Return what the job runs in: the uploaded folder, and the package in it where it is a checkout."""
    variables = {"PYTHONUNBUFFERED": "1"}
    if (folder / "platform" / "fairsweep").is_dir():
        variables["PYTHONPATH"] = "platform"
    return {"working_dir": str(folder), "excludes": list(_LEFT_OUT), "env_vars": variables}


def _client(address: str):
    # Ray's clients send their token only where this is set, and clusters since 2.59 ask for one.
    token = os.environ.get("RAY_AUTH_TOKEN") or os.environ.get("RAY_AUTH_TOKEN_PATH")
    if token or (Path.home() / ".ray" / "auth_token").is_file():
        os.environ.setdefault("RAY_AUTH_MODE", "token")
    from ray.job_submission import JobSubmissionClient

    try:
        return JobSubmissionClient(address)
    except Exception as error:
        remedy = "is the address that of the dashboard (port 8265)? A cluster with tokens needs RAY_AUTH_TOKEN"
        raise ClusterError(f"cannot reach {address}: {first_line(error)}; {remedy}") from None


async def _follow(client, job_id: str) -> None:
    async for lines in client.tail_job_logs(job_id):
        print(lines, end="", flush=True)
