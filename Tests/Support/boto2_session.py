# SPDX-License-Identifier: Apache-2.0
"""A day with boto 2, run by an interpreter that has it (Debian's python3-boto): prints one JSON object of what it saw.

    boto2_session.py HOST PORT REGION FOLDER      (credentials from the environment)
"""

import json
import os
import sys

import boto
import boto.glacier
import boto.glacier.concurrent
import boto.glacier.job
import boto.glacier.utils
from boto.glacier.concurrent import ConcurrentDownloader, ConcurrentUploader
from boto.glacier.exceptions import UnexpectedHTTPResponseError
from boto.glacier.layer1 import Layer1
from boto.glacier.layer2 import Layer2
from boto.regioninfo import RegionInfo

MIB = 1 << 20

# Under Python 3 boto 2 compares hashes as bytes with hashes as text, which fails against any service. Mended here, so that its own
# verification of what it downloads takes part in the test.
boto.glacier.concurrent.bytes_to_hex = lambda hashed: hashed.hex()
boto.glacier.job.tree_hash_from_str = lambda body, compute=boto.glacier.utils.tree_hash_from_str: compute(body).decode()


def layer1(host, port, region):
    # The endpoint is all that changes; boto 2 takes the scope of a signature from the host's name, so it is told.
    connection = Layer1(
        os.environ["AWS_ACCESS_KEY_ID"],
        os.environ["AWS_SECRET_ACCESS_KEY"],
        is_secure=False,
        port=int(port),
        region=RegionInfo(name=region, endpoint=host),
    )
    connection.auth_region_name, connection.auth_service_name = region, "glacier"
    return connection


def wait(vault, job):
    """Polls as users of boto 2 do."""
    import time

    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        job = vault.get_job(job.id)
        if job.completed:
            return job
        time.sleep(0.05)
    raise RuntimeError("the job did not complete")


def run_layer1(connection, folder):
    seen = {}
    connection.create_vault("boto2-one")
    seen["described"] = connection.describe_vault("boto2-one")["VaultName"]
    seen["listed"] = [vault["VaultName"] for vault in connection.list_vaults(limit=1000)["VaultList"]]
    body = b"by layer 1"
    from boto.glacier.utils import chunk_hashes, tree_hash, bytes_to_hex
    import hashlib

    tree, linear = bytes_to_hex(tree_hash(chunk_hashes(body))), hashlib.sha256(body).hexdigest()
    archive = connection.upload_archive("boto2-one", body, linear, tree, "described")
    seen["archive"] = archive["ArchiveId"]
    job = connection.initiate_job("boto2-one", {"Type": "archive-retrieval", "ArchiveId": archive["ArchiveId"]})
    import time

    for _ in range(600):
        document = connection.describe_job("boto2-one", job["JobId"])
        if document["Completed"]:
            break
        time.sleep(0.05)
    seen["status"] = document["StatusCode"]
    output = connection.get_job_output("boto2-one", job["JobId"])
    seen["output"] = output.read().decode()
    seen["hash"] = output["TreeHash"]
    seen["jobs"] = len(connection.list_jobs("boto2-one", completed=True)["JobList"])
    connection.set_vault_notifications(
        "boto2-one",
        {"SNSTopic": "arn:aws:sns:us-east-1:012345678901:topic", "Events": ["ArchiveRetrievalCompleted"]},
    )
    seen["events"] = connection.get_vault_notifications("boto2-one")["Events"]
    connection.delete_vault_notifications("boto2-one")
    connection.delete_archive("boto2-one", archive["ArchiveId"])
    connection.delete_vault("boto2-one")
    try:
        connection.describe_vault("boto2-one")
    except UnexpectedHTTPResponseError as error:
        seen["missing"] = [error.status, error.code]
    return seen


def run_layer2(connection, folder):
    seen = {}
    layer2 = Layer2.__new__(Layer2)
    layer2.layer1 = connection
    vault = layer2.create_vault("boto2-two")
    large = os.path.join(folder, "large")
    with open(large, "rb") as file:
        original = file.read()
    # One request, then parts by the writer, then the concurrent uploader.
    small = vault.upload_archive(os.path.join(folder, "small"), "small")
    writer = vault.create_archive_writer(part_size=MIB, description="by the writer")
    writer.write(original)
    writer.close()
    written = writer.get_archive_id()
    concurrent = ConcurrentUploader(connection, "boto2-two", part_size=MIB, num_threads=4).upload(large, "in parallel")
    results = {}
    for name, archive in (("small", small), ("written", written), ("concurrent", concurrent)):
        job = wait(vault, vault.retrieve_archive(archive))
        target = os.path.join(folder, f"{name}.back")
        if name == "concurrent":
            ConcurrentDownloader(job, part_size=MIB, num_threads=4).download(target)
        else:
            job.download_to_file(target, chunk_size=MIB)
        with open(target, "rb") as file:
            expected = original if name != "small" else open(os.path.join(folder, "small"), "rb").read()
            results[name] = file.read() == expected
    seen["identical"] = results
    inventory = wait(vault, vault.retrieve_inventory_job(description="inventory"))
    document = inventory.get_output()
    seen["inventory"] = sorted(entry["ArchiveDescription"] for entry in document["ArchiveList"])
    # A resumed upload: one part is there, the writer takes up from ListParts.
    upload = connection.initiate_multipart_upload("boto2-two", MIB, "resumed")["UploadId"]
    from boto.glacier.utils import chunk_hashes, tree_hash, bytes_to_hex
    import hashlib

    # Under Python 3 its resumption reads text files only, so the body is plain text.
    letters = os.path.join(folder, "letters")
    with open(letters, "w") as file:
        file.write("dear reader, " * 200_000)
    with open(letters, "rb") as file:
        first = file.read(MIB)
    connection.upload_part(
        "boto2-two", upload, hashlib.sha256(first).hexdigest(), bytes_to_hex(tree_hash(chunk_hashes(first))), (0, MIB - 1), first
    )
    with open(letters) as file:
        archive = vault.resume_archive_from_file(upload, file_obj=file)
    job = wait(vault, vault.retrieve_archive(archive))
    seen["resumed"] = job.get_output().read() == b"dear reader, " * 200_000
    for archive in (small, written, concurrent, archive):
        vault.delete_archive(archive)
    return seen


def main():
    host, port, region, folder = sys.argv[1:]
    connection = layer1(host, port, region)
    print(json.dumps({"version": boto.__version__, "layer1": run_layer1(connection, folder), "layer2": run_layer2(connection, folder)}))


if __name__ == "__main__":
    main()
