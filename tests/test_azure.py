"""What holds in a bucket of S3 holds in one of Azure: on its emulator where that is there (npm install azurite)."""

import base64
import hashlib
import hmac
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime

import pytest

import test_bucket
from fairsweep.store import cache
from support.clusters import free_port

# The emulator's own, which everybody knows.
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


@pytest.fixture(scope="module")
def azurite():
    """Return the address of the emulator with a container called "bucket"."""
    program = shutil.which("azurite-blob")
    if program is None:
        pytest.skip("azurite is not installed")
    port = free_port()
    options = ["--blobHost", "127.0.0.1", "--blobPort", str(port), "--inMemoryPersistence", "--disableTelemetry"]
    server = subprocess.Popen([program, *options, "--silent", "--skipApiVersionCheck"])
    address = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 120
    try:
        while True:
            try:
                create_container(address)
                break
            except urllib.error.URLError:
                assert time.monotonic() < deadline
                time.sleep(0.2)
        yield address
    finally:
        server.kill()
        server.wait()


def create_container(address: str) -> None:
    headers = {"x-ms-date": datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT"), "x-ms-version": "2021-08-06"}
    named = "".join(f"{name}:{value}\n" for name, value in headers.items())
    text = "PUT" + "\n" * 12 + f"{named}/{ACCOUNT}/{ACCOUNT}/bucket\nrestype:container"
    signature = base64.b64encode(hmac.digest(base64.b64decode(KEY), text.encode(), hashlib.sha256)).decode()
    headers |= {"Authorization": f"SharedKey {ACCOUNT}:{signature}", "Content-Length": "0"}
    url = f"{address}/{ACCOUNT}/bucket?restype=container"
    urllib.request.urlopen(urllib.request.Request(url, method="PUT", headers=headers)).close()


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["abfs", "az"])
@pytest.mark.parametrize(
    "test",
    [
        test_bucket.test_what_is_written_is_read,
        test_bucket.test_small_files_are_merged_and_removed_after_their_time,
        test_bucket.test_a_holder_of_this_machine_whose_process_ended_is_none,
        test_bucket.test_work_that_is_half_done_has_a_place_of_its_own,
    ],
)
def test_in_azure(test, scheme, azurite, tmp_path, monkeypatch):
    monkeypatch.setenv("AZURE_STORAGE_USE_EMULATOR", "true")
    monkeypatch.setenv("AZURITE_BLOB_STORAGE_URL", azurite)
    monkeypatch.setattr(cache, "_home", lambda: tmp_path)
    test(f"{scheme}://bucket/{tmp_path.name}")
