"""Unit tests of the facts that bench/compare reads from the machine. Needs PROGRAMS, a directory to write below."""

import os
import tempfile
import unittest

from . import machine

_megabytes = 4


class DiskWrittenBytes(unittest.TestCase):
    def test_holds_all_that_was_synced(self):
        with tempfile.NamedTemporaryFile(prefix="machine-test-", dir=os.environ["PROGRAMS"]) as file:
            directory = os.path.dirname(file.name)
            before = machine.disk_written_bytes(directory)
            if before is None:
                self.skipTest("the build directory is not on one disk of its own")
            file.write(os.urandom(_megabytes << 20))
            file.flush()
            os.fsync(file.fileno())
            self.assertGreaterEqual(machine.disk_written_bytes(directory) - before, _megabytes << 20)

    def test_none_where_there_is_no_disk(self):
        self.assertIsNone(machine.disk_written_bytes("/proc"))


if __name__ == "__main__":
    unittest.main()
