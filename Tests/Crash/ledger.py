# SPDX-License-Identifier: Apache-2.0
"""What the service has acknowledged, kept outside it: the truth that a kill must not change."""

import threading

from Support.bodies import compressible, incompressible


class Body:
    """A body that can be made again from three values, so that the ledger stays small."""

    def __init__(self, make, size, seed):
        self.make = make
        self.size = size
        self.seed = seed

    @classmethod
    def random(cls, source, largest):
        size = source.choice([1, source.randrange(1, 5000), source.randrange(1, largest)])
        return cls(source.choice([compressible, incompressible]), size, source.randrange(1 << 30))

    def bytes(self):
        return self.make(self.size, self.seed)


class OpenUpload:
    """A multipart upload whose initiation was acknowledged, with the parts that were."""

    def __init__(self, body, part_size):
        self.body = body
        self.part_size = part_size
        self.parts = {}
        self.in_doubt = set()
        self.completion_sent = False


class Ledger:
    """All sets are of acknowledged facts, but for those named `in_doubt`: sent, and no answer came."""

    def __init__(self):
        self.lock = threading.Lock()
        self.archives = {}
        self.deleted = set()
        self.deletion_in_doubt = set()
        self.uploads = {}
        self.jobs = {}
        self.unverified = set()

    def stored(self, archive, body):
        with self.lock:
            self.archives[archive] = body
            self.unverified.add(archive)

    def deletion_sent(self, archive):
        with self.lock:
            self.deletion_in_doubt.add(archive)

    def deletion_acknowledged(self, archive):
        with self.lock:
            self.deletion_in_doubt.discard(archive)
            self.deleted.add(archive)

    def pick(self, source):
        """An archive that certainly exists, or None."""
        with self.lock:
            present = [
                archive
                for archive in self.archives
                if archive not in self.deleted and archive not in self.deletion_in_doubt
            ]
        return source.choice(present) if present else None

    def certain(self):
        """Archives that must be there."""
        return {
            archive
            for archive in self.archives
            if archive not in self.deleted and archive not in self.deletion_in_doubt
        }

    def summary(self):
        return (
            f"{len(self.archives)} archives, {len(self.deleted)} deleted, {len(self.deletion_in_doubt)} in doubt, "
            f"{len(self.uploads)} open uploads, {len(self.jobs)} jobs"
        )
