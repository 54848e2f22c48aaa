# SPDX-License-Identifier: Apache-2.0
"""The four lists, page by page: defaults, maxima, clamping, and every item exactly once."""

from urllib.parse import quote

import pytest

from Support.checks import assert_error
from Support.clients import boto_client
from Support.hashes import MIB
from Support.wire import Wire

COUNT = 53


class Populated:
    """One vault with more of everything than a page holds."""

    def __init__(self, server):
        self.server = server
        self.wire = Wire(server)
        self.vaults = sorted(f"v{index:03}" for index in range(COUNT))
        for name in self.vaults:
            self.wire.create_vault(name)
        self.uploads = {self.wire.initiate_upload("v000", MIB) for _ in range(COUNT)}
        self.jobs = {self.wire.start_job("v000", Type="inventory-retrieval") for _ in range(COUNT)}
        for job in self.jobs:
            self.wire.finished_job("v000", job)
        self.upload = sorted(self.uploads)[0]
        body = bytes(MIB)
        self.ranges = [f"{index * MIB}-{index * MIB + MIB - 1}" for index in range(COUNT)]
        with self.wire.connect() as connection:
            for index in range(COUNT):
                self.wire.put_part("v000", self.upload, index * MIB, body, connection=connection)

    def lists(self):
        """name: (target, list member, item key, expected items, default and maximum page, ordered)"""
        return {
            "ListVaults": ("/-/vaults", "VaultList", "VaultName", self.vaults, 10, True),
            "ListJobs": ("/-/vaults/v000/jobs", "JobList", "JobId", self.jobs, 50, False),
            "ListMultipartUploads": (
                "/-/vaults/v000/multipart-uploads",
                "UploadsList",
                "MultipartUploadId",
                self.uploads,
                50,
                False,
            ),
            "ListParts": (
                f"/-/vaults/v000/multipart-uploads/{self.upload}",
                "Parts",
                "RangeInBytes",
                self.ranges,
                50,
                True,
            ),
        }


NAMES = ["ListVaults", "ListJobs", "ListMultipartUploads", "ListParts"]


@pytest.fixture(scope="module")
def populated(make_server_for_session):
    return Populated(make_server_for_session("pages"))


def pages(populated, name, limit=None):
    target, member, key, *_ = populated.lists()[name]
    marker, result = None, []
    while True:
        query = [f"limit={limit}"] if limit else []
        if marker:
            query.append(f"marker={quote(marker, safe='')}")
        answer = populated.wire.request("GET", target + ("?" + "&".join(query) if query else ""))
        assert answer.status == 200, answer
        document = answer.json
        result.append([item[key] for item in document[member]])
        marker = document["Marker"]
        if marker is None:
            return result
        assert len(result) <= COUNT + 1, "pages without end"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("limit", [None, 1, 7, 50, 51, 1000, 2**31, 10**30])
def test_pages_visit_every_item_once_and_are_clamped_to_the_maximum(populated, name, limit):
    if limit == 1 and name != "ListVaults":
        pytest.skip("one item a page is shown once")
    *_, expected, maximum, ordered = populated.lists()[name]
    result = pages(populated, name, limit)
    page = min(limit or maximum, maximum)
    assert [len(items) for items in result] == [page] * (COUNT // page) + ([COUNT % page] if COUNT % page else [])
    visited = [item for items in result for item in items]
    assert len(visited) == COUNT
    assert visited == expected if ordered else set(visited) == expected


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("limit", ["0", "-1", "ten", "1.5", "%20", "1e1"])
def test_a_limit_below_one_or_no_number_is_refused(populated, name, limit):
    answer = populated.wire.request("GET", f"{populated.lists()[name][0]}?limit={limit}")
    assert_error(answer, 400, "InvalidParameterValueException")


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_marker_is_the_first_page(populated, name):
    target, member, key, *_ = populated.lists()[name]
    first, empty = (populated.wire.request("GET", target + query).json for query in ("", "?marker="))
    assert [item[key] for item in empty[member]] == [item[key] for item in first[member]]
    assert empty["Marker"] == first["Marker"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("marker", ["%00", "%FF%FE", "a" * 5000, "..%2F..%2Fetc%2Fpasswd", "%27%20OR%201%3D1"])
def test_a_marker_that_was_never_issued_is_no_server_error(populated, name, marker):
    answer = populated.wire.request("GET", f"{populated.lists()[name][0]}?marker={marker}")
    assert answer.status in (200, 400), answer
    assert answer.status == 200 or answer.json["code"] in ("InvalidParameterValueException", "BadRequest")


def test_unknown_query_parameters_are_ignored(populated):
    assert populated.wire.request("GET", "/-/vaults?unknown=1").status == 200


@pytest.mark.parametrize(
    "name, operation, member, arguments",
    [
        ("ListVaults", "list_vaults", "VaultList", {}),
        ("ListJobs", "list_jobs", "JobList", {"vaultName": "v000"}),
        ("ListMultipartUploads", "list_multipart_uploads", "UploadsList", {"vaultName": "v000"}),
        ("ListParts", "list_parts", "Parts", {"vaultName": "v000"}),
    ],
)
def test_boto3_paginators_see_every_item_once(populated, name, operation, member, arguments):
    _, _, key, expected, *_ = populated.lists()[name]
    if name == "ListParts":
        arguments = {**arguments, "uploadId": populated.upload}
    for config in ({}, {"PageSize": 9}):
        paginator = boto_client(populated.server).get_paginator(operation)
        items = [
            item[key] for page in paginator.paginate(PaginationConfig=config, **arguments) for item in page[member]
        ]
        assert len(items) == COUNT and set(items) == set(expected)
