"""Run a sweep as a job of a Ray cluster, through Ray's own job client."""

import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from shlex import quote

from fairsweep.engine.upload import check_size, passed_on, runtime_env
from fairsweep.errors import ClusterError, first_line
from fairsweep.spec import SweepSpec
from fairsweep.store.places import bucket_address

_RUNNING = ("PENDING", "RUNNING")
_INTERRUPTED = 130


def submit_sweep(
    spec: SweepSpec,
    path: Path,
    address: str,
    store: str,
    working_dir: Path,
    options: Sequence[str] = (),
    names: Sequence[str] = (),
) -> int:
    """Upload the working directory, run the spec there as a job, follow its log; return its exit status.

    options: those of `fairsweep run` that the job gets besides the store. names: of environment variables to pass on.
    Raises ClusterError where the cluster cannot be reached or refuses, where the folder is too large, or where the
    same spec is running there already.
    """
    folder = working_dir.resolve()
    if not path.resolve().is_relative_to(folder):
        raise ClusterError(f"the spec {path} is not in the folder to upload, {folder}: name another with --working-dir")
    if bucket_address(store) is None and not Path(store).is_absolute():
        either = "a bucket, such as s3://bucket/prefix, or an absolute path that every node of the cluster sees"
        raise ClusterError(f"give --store as {either}, not {store!r}")
    environment = runtime_env(spec, path, folder, names)
    if "working_dir" in environment:
        check_size(folder)
    address = address if "://" in address else f"http://{address}"
    client = _client(address)
    program = "python jobs/sweep.py" if (folder / "jobs" / "sweep.py").is_file() else "fairsweep run"
    arguments = [str(path.resolve().relative_to(folder)), "--store", store, *options]
    command = f"{program} {' '.join(quote(argument) for argument in arguments)}"
    try:
        job_id = _submitted(client, spec, command, environment)
    except ClusterError:
        raise
    except Exception as error:
        raise ClusterError(f"the cluster at {address} does not take the job: {first_line(error)}") from None
    print(f"job {job_id}", flush=True)
    variables = passed_on(environment, spec)
    if variables:
        # Whoever reaches the dashboard can read their values there.
        print(f"variables passed on: {', '.join(variables)}", file=sys.stderr, flush=True)
    follow = f"`ray job logs --follow {job_id} --address {address}`"
    try:
        asyncio.run(_follow(client, job_id))
        info = client.get_job_info(job_id)
    except KeyboardInterrupt:
        stop = f"`ray job stop {job_id} --address {address}`"
        print(f"job {job_id} goes on: follow it with {follow}, stop it with {stop}", file=sys.stderr)
        return _INTERRUPTED
    except Exception as error:
        raise ClusterError(f"lost sight of job {job_id}, which may go on: {first_line(error)}; {follow}") from None
    if info.status == "STOPPED":
        print(f"job {job_id} was stopped; the same command resumes", file=sys.stderr)
        return _INTERRUPTED
    if info.driver_exit_code is not None:
        return info.driver_exit_code
    print(f"job {job_id}: {info.status}: {' '.join((info.message or '').split())}", file=sys.stderr)
    return 0 if info.status == "SUCCEEDED" else 1


def _submitted(client, spec: SweepSpec, command: str, environment: dict) -> str:
    for job in client.list_jobs():
        if (job.metadata or {}).get("fairsweep.fingerprint") == spec.fingerprint and job.status in _RUNNING:
            running = f"this spec is running already as job {job.submission_id}"
            raise ClusterError(f"{running}: follow it with `ray job logs --follow {job.submission_id}`")
    return client.submit_job(
        entrypoint=command,
        runtime_env=environment,
        metadata={"fairsweep.sweep": spec.name, "fairsweep.fingerprint": spec.fingerprint},
    )


def _client(address: str):
    # Ray's clients send their token only where this is set, and clusters since 2.59 ask for one.
    token = os.environ.get("RAY_AUTH_TOKEN") or os.environ.get("RAY_AUTH_TOKEN_PATH")
    if token or (Path.home() / ".ray" / "auth_token").is_file():
        os.environ.setdefault("RAY_AUTH_MODE", "token")
    # Before the address that was asked for, Ray's client takes the one in RAY_ADDRESS; before that, this one.
    os.environ["RAY_API_SERVER_ADDRESS"] = address
    from ray.job_submission import JobSubmissionClient

    try:
        return JobSubmissionClient(address)
    except Exception as error:
        remedy = "is the address that of the dashboard (port 8265)? A cluster with tokens needs RAY_AUTH_TOKEN"
        raise ClusterError(f"cannot reach {address}: {first_line(error)}; {remedy}") from None


async def _follow(client, job_id: str) -> None:
    async for lines in client.tail_job_logs(job_id):
        print(lines, end="", flush=True)
