# SPDX-License-Identifier: Apache-2.0
"""kill -9 at random moments: what was acknowledged is there, what was deleted is gone, jobs finish once.

COLDVAULT_KILLS=200 makes the long run (default 10); COLDVAULT_SEED repeats one (the choice of moments and
operations; the service's own timing is not repeatable). Both are printed.
"""

import os
import random
import time

import pytest

from Crash.ledger import Body, Ledger
from Crash.workload import VAULT, Audit, Workload
from Support.hashes import MIB
from Support.wire import Wire

KILLS = int(os.environ.get("COLDVAULT_KILLS", "10"))
SEED = int(os.environ.get("COLDVAULT_SEED", str(random.randrange(1 << 32))))


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["inPlace", "staged"])
def test_nothing_acknowledged_is_lost(make_server, mode):
    kills = max(1, KILLS // 2)
    print(f"COLDVAULT_SEED={SEED} COLDVAULT_KILLS={KILLS}: {kills} kills with output {mode}")
    source = random.Random(f"{SEED}-{mode}")
    server = make_server(f"crash-{mode}", settings={"output-mode": mode, "deletion-grace": "1s"})
    Wire(server).create_vault(VAULT)
    ledger = Ledger()
    for kill in range(kills):
        workload = Workload(server, ledger, f"{SEED}-{mode}-{kill}")
        time.sleep(source.choice([0.05, 0.3, 1.0]) * source.random() + 0.01)
        server.kill()
        workload.finish()
        print(f"kill {kill + 1}: {ledger.summary()}")
        # Now and then the restarted service is killed again before it has found its feet.
        if source.random() < 0.3:
            server.start(expect_ready=False)
            time.sleep(source.random() * 0.5)
            server.kill()
        server.start()
        Audit(server, ledger, source).run()
    Audit(server, ledger, source).run(everything=True)
    print(f"at the end: {ledger.summary()}")
    assert ledger.archives, "the workload stored nothing"


@pytest.mark.slow
def test_a_job_killed_again_and_again_finishes_once(make_server):
    print(f"COLDVAULT_SEED={SEED}")
    source = random.Random(SEED)
    server = make_server("crash-job", settings={"output-mode": "staged"})
    wire = Wire(server)
    wire.create_vault(VAULT)
    body = Body(Body.random(source, 2).make, 24 * MIB + 5, SEED).bytes()
    archive = wire.upload_multipart(VAULT, body, 4 * MIB)
    job = wire.start_job(VAULT, Type="archive-retrieval", ArchiveId=archive)
    for _ in range(4):
        time.sleep(source.random() * 0.05)
        server.kill()
        server.start()
    document = wire.finished_job(VAULT, job, timeout=60)
    assert document["StatusCode"] == "Succeeded", document
    assert wire.job_output(VAULT, job).body == body
    assert [entry["JobId"] for entry in wire.request("GET", f"/-/vaults/{VAULT}/jobs").json["JobList"]] == [job]
