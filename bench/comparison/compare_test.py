"""Runs bench/compare itself. Tests that it prints its table, notices failures, and leaves nothing behind. Checks no
figures. Needs PROGRAMS, the directory of tracker and floor."""

import contextlib
import json
import os
import signal
import subprocess
import tempfile
import threading
import time
import unittest

_compare = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "compare")
_patience_s = 60


class Compare(unittest.TestCase):
    def setUp(self):
        self._temporary = tempfile.TemporaryDirectory(prefix="compare-test-")
        self.addCleanup(self._temporary.cleanup)
        self.output = self._temporary.name

    def start(self, *arguments):
        process = subprocess.Popen(
            [
                _compare,
                "--no-build",
                "--quick",
                "--only",
                "hot",
                "--programs",
                os.environ["PROGRAMS"],
                "--output",
                self.output,
                *arguments,
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        watchdog = threading.Timer(
            2 * _patience_s, process.kill
        )  # otherwise reading its output could wait for ever
        watchdog.start()
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.addCleanup(watchdog.cancel)
        return process

    def start_and_wait_for_load(self):
        """Starts a run that would take a minute. Returns once wrk is running."""
        process = self.start("--contestants", "floor", "--seconds", "60")
        until(lambda: any("wrk" in words[0] for words in self.ours().values()))
        return process

    def ours(self):
        """The commands of the processes that work in our directory, by process id."""
        found = {}
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                directory = os.readlink(f"/proc/{pid}/cwd")
                with open(f"/proc/{pid}/cmdline", encoding="utf-8") as file:
                    words = file.read().split("\0")
                if directory.startswith(self.output) or any(
                    self.output in word for word in words[1:] if "tracker-compare-" in word
                ):
                    found[int(pid)] = words
        return found

    def test_table_and_files(self):
        picture = os.path.join(self.output, "compare.svg")
        process = self.start("--contestants", "floor,memory", "--svg", picture)
        text = process.communicate()[0]
        self.assertEqual(process.returncode, 0, text)
        self.assertIn("hot: CPU per request / floor", text)
        with open(os.path.join(self.output, "compare.json"), encoding="utf-8") as file:
            told = json.load(file)
        self.assertEqual([row["contestant"] for row in told["rows"]], ["floor", "memory"], text)
        for run in told["runs"]:
            self.assertAlmostEqual(sum(run["cpu_us_of"].values()), run["cpu_us"], msg=text)
        self.assertTrue(os.path.exists(picture))
        self.assertEqual(sorted(os.listdir(self.output)), ["compare.json", "compare.svg"])
        self.assertEqual(self.ours(), {})

    def test_interrupted(self):
        process = self.start_and_wait_for_load()
        process.send_signal(signal.SIGINT)
        self.assertIn("Interrupted", process.communicate()[0])
        self.assertEqual(self.ours(), {})
        self.assertEqual(os.listdir(self.output), ["compare.json"])

    def test_terminated(self):
        process = self.start_and_wait_for_load()
        process.terminate()
        self.assertIn("Interrupted", process.communicate()[0])
        self.assertEqual(process.returncode, 128 + signal.SIGTERM)
        self.assertEqual((self.ours(), os.listdir(self.output)), ({}, ["compare.json"]))

    def test_what_others_keep_there_stays(self):
        for name in ("run-results", "tracker-compare-results", "tracker-compare-"):
            os.mkdir(os.path.join(self.output, name))
        self.start("--contestants", "floor").communicate()
        self.assertEqual(len(os.listdir(self.output)), 4)

    def test_goes_on_when_its_terminal_goes_away_under_nohup(self):
        ignored = signal.signal(signal.SIGHUP, signal.SIG_IGN)
        try:
            process = self.start("--contestants", "floor", "--seconds", "2")
        finally:
            signal.signal(signal.SIGHUP, ignored)
        until(lambda: any("wrk" in words[0] for words in self.ours().values()))
        process.send_signal(signal.SIGHUP)
        text = process.communicate()[0]
        self.assertEqual(process.returncode, 0, text)

    def test_killed(self):
        process = self.start_and_wait_for_load()
        process.kill()
        until(lambda: not self.ours())
        process.communicate()
        self.assertEqual(len(os.listdir(self.output)), 1)
        self.start("--contestants", "floor", "--seconds", "1").communicate()
        self.assertEqual(os.listdir(self.output), ["compare.json"])

    def test_a_server_that_ends_is_a_failed_run(self):
        process = self.start("--contestants", "floor", "--seconds", "3")
        until(lambda: any("wrk" in words[0] for words in self.ours().values()))
        for pid, words in self.ours().items():
            if os.path.basename(words[0]) == "floor":
                os.kill(pid, signal.SIGKILL)
        text = process.communicate()[0]
        self.assertEqual(process.returncode, 1, text)
        self.assertIn("floor ended", text)


def until(is_so):
    deadline = time.monotonic() + _patience_s
    while not is_so():
        if time.monotonic() > deadline:
            raise AssertionError(f"not so after {_patience_s} s")
        time.sleep(0.02)


if __name__ == "__main__":
    unittest.main()
