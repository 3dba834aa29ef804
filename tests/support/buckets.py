"""An S3 server of one's own on this machine."""

import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from support.clusters import free_port

SECRET = "a-secret-that-nobody-prints"
# Where the tests' server will be. In the environment from the start, so that a cluster's workers have it too.
ENVIRONMENT = {
    "AWS_ENDPOINT_URL": f"http://127.0.0.1:{free_port()}",
    "AWS_ACCESS_KEY_ID": "tests",
    "AWS_SECRET_ACCESS_KEY": SECRET,
    "AWS_DEFAULT_REGION": "us-east-1",
}


@contextmanager
def serve(address: str = ENVIRONMENT["AWS_ENDPOINT_URL"]) -> Iterator[str]:
    """Start moto's server with a bucket called "bucket"; yield its address."""
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", address.rpartition(":")[2]]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        create_bucket(address)
        yield address
    finally:
        server.kill()
        server.wait()


def create_bucket(address: str, name: str = "bucket", seconds: float = 60) -> None:
    """Create a bucket, as soon as the server answers."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            urllib.request.urlopen(urllib.request.Request(f"{address}/{name}", method="PUT")).close()
            return
        except (urllib.error.URLError, ConnectionError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
