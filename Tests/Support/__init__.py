# SPDX-License-Identifier: Apache-2.0
"""What the black-box suites share: the service as a process, raw signed requests, clients, hashes, bodies."""
