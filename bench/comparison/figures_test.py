"""Unit tests of the figures, verdicts and pictures that bench/compare makes from its runs."""

import json
import unittest
import xml.etree.ElementTree

from . import contestants, figures, http_load, load, measuring, picture, redis_load, report, workloads
from .figures import Run, Target


def run(workload, contestant, number, errors=(), **figure):
    return Run(workload, contestant, number, errors=list(errors), **figure)


def target(limit=2.0, at_most=True, over=("hot", "floor"), figure="cpu_us"):
    return Target("who", "what", figure, ("hot", "memory"), over, limit, at_most)


def hot(memory, floor):
    """Rows of CPU per request, with one round for each pair."""
    return figures.rows(
        [
            run("hot", name, number, cpu_us=cpu)
            for number, pair in enumerate(zip(memory, floor))
            for name, cpu in zip(("memory", "floor"), pair)
        ]
    )


def everyone_and_workloads():
    """All contestants, which cannot be started here, and all their workloads."""
    nothing = contestants.Programs("", "")
    everyone = contestants.all_contestants(nothing)
    return everyone, workloads.all_workloads(everyone, nothing, measuring.Settings())


class Turns(unittest.TestCase):
    def setUp(self):
        self.everyone, self.workloads = everyone_and_workloads()

    def test_a_spread_load_comes_directly_after_the_hot_one_of_the_same_contestant(self):
        turns = workloads.in_turn(self.workloads)
        self.assertEqual(len(turns), sum(len(one.entrants) for one in self.workloads))
        names = [(workload.name, entrant.contestant.name) for workload, entrant in turns]
        for before, after in (("hot", "spread"), ("many", "spread-many")):
            for one in self.everyone:
                self.assertEqual(names.index((after, one.name)), names.index((before, one.name)) + 1)

    def test_a_spread_load_alone(self):
        spread = [one for one in self.workloads if one.name == "spread"]
        self.assertEqual([entrant for _, entrant in workloads.in_turn(spread)], spread[0].entrants)


class Rows(unittest.TestCase):
    def test_medians_over_the_rounds(self):
        (row,) = figures.rows(
            [run("hot", "memory", number, rate=rate) for number, rate in enumerate([100, 300, 120])]
        )
        self.assertEqual(row.medians["rate"], 120)
        self.assertIsNone(row.medians["p99_us"])
        self.assertAlmostEqual(row.spread, 100 / 120)

    def test_a_failed_run_has_no_part_in_the_medians(self):
        (row,) = figures.rows(
            [run("hot", "memory", 1, rate=100), run("hot", "memory", 2, ["3 reads failed"], rate=900)]
        )
        self.assertEqual((row.medians["rate"], row.failed, row.runs), (100, 1, 2))
        self.assertEqual(row.errors, ["3 reads failed"])

    def test_one_row_for_each_workload_and_contestant(self):
        rows = figures.rows([run("hot", "a", 1), run("hot", "b", 1), run("many", "a", 1), run("hot", "a", 2)])
        self.assertEqual(
            [(row.workload, row.contestant, row.runs) for row in rows],
            [("hot", "a", 2), ("hot", "b", 1), ("many", "a", 1)],
        )


class Judging(unittest.TestCase):
    def test_ratio_is_the_median_of_the_rounds_ratios(self):
        verdict = figures.judge(
            target(), hot([10, 40, 12], [10, 20, 10])
        )  # a machine at half speed in round 2
        self.assertAlmostEqual(verdict.value, 1.2)

    def test_where_the_ratio_of_the_medians_says_otherwise_it_is_told(self):
        rows = hot([30, 15, 300], [10, 10, 200])
        self.assertIsNone(figures.judge(target(3.0), rows).of_medians)
        verdict = figures.judge(target(2.0), rows)
        self.assertEqual((verdict.value, verdict.reached, verdict.of_medians), (1.5, True, 3.0))
        self.assertIn("1.500 (<= 2.00), but 3.000 of the medians", report.verdicts([verdict]))

    def test_limits_count_as_reached(self):
        rows = hot([20], [10])
        self.assertTrue(figures.judge(target(2.0), rows).reached)
        self.assertFalse(figures.judge(target(1.99), rows).reached)
        self.assertTrue(figures.judge(target(2.0, at_most=False), rows).reached)
        self.assertFalse(figures.judge(target(2.01, at_most=False), rows).reached)

    def test_a_figure_of_its_own(self):
        rows = figures.rows([run("hot", "memory", 1, bytes_each=90)])
        verdict = figures.judge(target(100, over=None, figure="bytes_each"), rows)
        self.assertEqual((verdict.value, verdict.reached), (90, True))

    def test_what_was_not_measured_is_not_judged(self):
        verdict = figures.judge(target(), figures.rows([run("hot", "memory", 1, cpu_us=10)]))
        self.assertEqual((verdict.reached, verdict.reason), (None, "not measured: hot floor"))

    def test_a_failed_run_is_not_judged(self):
        verdict = figures.judge(
            target(),
            figures.rows(
                [
                    run("hot", "memory", 1, cpu_us=10),
                    run("hot", "memory", 2, ["it ended"]),
                    run("hot", "floor", 1, cpu_us=10),
                ]
            ),
        )
        self.assertEqual((verdict.reached, verdict.reason), (None, "1 of 2 runs failed: hot memory"))

    def test_no_common_round(self):
        rows = figures.rows([run("hot", "memory", 1, cpu_us=10), run("hot", "floor", 2, cpu_us=10)])
        self.assertEqual(figures.judge(target(), rows).reason, "no figure")

    def test_every_target_names_what_is_measured(self):
        _, all_workloads = everyone_and_workloads()
        measured = {
            (workload.name, entrant.contestant.name)
            for workload in all_workloads
            for entrant in workload.entrants
        }
        for one in figures.targets():
            for name in filter(None, (one.of, one.over)):
                self.assertIn(name, measured, one.text)


class Reading(unittest.TestCase):
    _line = (
        "figures requests=800 duration_us=2000000 p50_us=30 p99_us=90 max_us=120 connect=0 read=0 write=0 "
        "status=0 timeout=0\n"
    )

    def test_wrk(self):
        seen = http_load.wrk_figures("Running 2s test\n" + self._line)
        self.assertEqual(seen, load.Load(800, 2.0, 30, 90, 120, []))

    def test_wrk_errors(self):
        for name in ("connect", "read", "write", "status", "timeout"):
            seen = http_load.wrk_figures(self._line.replace(f"{name}=0", f"{name}=7"))
            self.assertEqual(len(seen.errors), 1)
            self.assertIn("7 ", seen.errors[0])

    def test_wrk_without_answers(self):
        self.assertEqual(
            http_load.wrk_figures(self._line.replace("=800", "=0")).errors, ["nothing was answered"]
        )

    def test_wrk_without_figures(self):
        with self.assertRaises(load.LoadError):
            http_load.wrk_figures("unable to connect to 127.0.0.1:1 Connection refused\n")

    def test_redis_benchmark(self):
        seen = redis_load.benchmark_figures(
            '"test","rps","avg_latency_ms","p50_latency_ms","p99_latency_ms","max_latency_ms"\n'
            '"INCR key","500.00","0.1","0.25","0.5","2"\n',
            1000,
        )
        self.assertEqual(seen, load.Load(1000, 2.0, 250, 500, 2000, []))
        with self.assertRaises(load.LoadError):
            redis_load.benchmark_figures("Could not connect", 1000)

    def test_clients_together(self):
        both = load.together([load.Load(100, 1.0, 1, 5, 9, []), load.Load(50, 1.1, 2, 4, 8, ["bad"])])
        self.assertEqual(both, load.Load(150, 1.1, 2, 5, 9, ["bad"]))

    def test_complete_answers(self):
        answer = b'HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{"count":1}'
        self.assertTrue(http_load.Http.complete(answer * 3, 3))
        self.assertFalse(http_load.Http.complete((answer * 3)[:-1], 3))
        self.assertFalse(http_load.Http.complete(answer * 2, 3))
        self.assertFalse(http_load.Http.refused(answer))
        self.assertTrue(http_load.Http.refused(answer + b"HTTP/1.1 503 Service Unavailable\r\n"))


class Showing(unittest.TestCase):
    def setUp(self):
        _, self.workloads = everyone_and_workloads()
        self.titles = {"memory": "tracker <serve>", "floor": "floor", "nginx": "nginx"}
        self.rows = figures.rows(
            [
                run(
                    "hot",
                    name,
                    number,
                    rate=rate,
                    p50_us=400,
                    p99_us=1500,
                    cpu_us=cpu,
                    resident_bytes=5 << 20,
                )
                for number in (1, 2)
                for name, rate, cpu in (("floor", 60000, 10), ("nginx", 50000, 12), ("memory", 55000, 13))
            ]
            + [run("hot", "nginx", 3, ["7 answers were errors"])]
        )

    def test_table(self):
        lines = report.table(self.workloads, self.titles, self.rows).splitlines()
        self.assertIn("one token, one path", lines[0])
        memory = next(line for line in lines if "serve" in line)
        self.assertEqual(
            memory.split()[2:],
            ["55,000", "0%", "400", "us", "1.5", "ms", "13.00", "us", "5", "MiB", "1.10", "1.30", "0"],
        )
        self.assertIn(
            "1 of 3 runs: 7 answers were errors", next(line for line in lines if line.startswith("  nginx"))
        )

    def test_verdicts(self):
        text = report.verdicts(
            [
                figures.judge(target(1.30), self.rows),
                figures.judge(target(1.29), self.rows),
                figures.judge(target(over=("hot", "nobody")), self.rows),
            ]
        )
        reached, missed, unknown = text.splitlines()
        self.assertTrue(reached.strip().startswith("reached"))
        self.assertTrue(missed.strip().startswith("NOT REACHED"))
        self.assertIn("1.300 (<= 1.29)", missed)
        self.assertTrue(unknown.strip().startswith("?"))

    def test_disturbance(self):
        self.assertEqual(report.disturbance([run("idle", "memory", 1)]), "")
        quiet, loud = run("hot", "memory", 1, others=0.01), run("hot", "memory", 2, others=0.4)
        self.assertEqual(report.disturbance([quiet]), "The machine was quiet.")
        self.assertIn(
            "up to 40% of the machine, and over 5% in 1 of 2 runs", report.disturbance([quiet, loud])
        )

    def test_json(self):
        text = report.as_json(
            {}, {}, {}, measuring.Settings(), {}, [], self.rows, [figures.judge(target(1.30), self.rows)]
        )
        told = json.loads(text)
        self.assertEqual(told["rows"][2]["medians"]["rate"], 55000)
        self.assertEqual((told["targets"][0]["value"], told["targets"][0]["reached"]), (1.3, True))



class Picture(unittest.TestCase):
    def draw(self, rates):
        """The picture of contestants with these requests/s, one figure for each round."""
        runs = [
            run("hot", name, number, rate=rate)
            for name, its_rates in rates.items()
            for number, rate in enumerate(its_rates)
        ]
        everyone, _ = everyone_and_workloads()
        text = picture.picture(everyone, figures.rows(runs), "a machine & more")
        return xml.etree.ElementTree.fromstring(text)

    def bars(self, root):
        """The bars, without the two of the legend."""
        return [one for one in root.iter() if one.tag.endswith("rect")][2:]

    def test_six_bars_the_fastest_first(self):
        everyone, _ = everyone_and_workloads()
        root = self.draw({one.name: [10_000 + 1_000 * number] for number, one in enumerate(everyone)})
        widths = [int(bar.get("width")) for bar in self.bars(root)]
        self.assertEqual(len(widths), 6)
        self.assertEqual(widths, sorted(widths, reverse=True))
        self.assertIn("a machine & more", [one.text for one in root.iter()])

    def test_durable_and_volatile_ours_and_others_are_told_apart(self):
        root = self.draw({"memory": [4], "durable": [3], "redis-always": [2], "lua": [1]})
        kinds = [bar.get("class") for bar in self.bars(root)]
        self.assertEqual(kinds, ["ours volatile", "ours", "peer", "peer volatile"])

    def test_figures_stand_beside_bars_and_spreads(self):
        root = self.draw({"memory": [100_000, 121_000, 139_999], "lua": [20_000, 21_000, 90_000]})
        for bar, text in zip(self.bars(root), ("121,000", "21,000")):
            figure = next(one for one in root.iter() if one.text == text)
            spread = next(
                one
                for one in root.iter()
                if one.tag.endswith("path") and f" {int(bar.get('y')) + 9}H" in one.get("d")
            )
            its_end = int(spread.get("d").split("H")[1].split("M")[0])
            self.assertGreater(int(figure.get("x")), max(its_end, int(bar.get("x")) + int(bar.get("width"))))
            self.assertLess(int(figure.get("x")) + 60, 880)

    def test_nothing_measured(self):
        self.assertEqual(self.bars(self.draw({})), [])


if __name__ == "__main__":
    unittest.main()
