"""What could be wrong quietly in the comparison: parts, bundles, sums, tables.

    python3 -m unittest discover benches/compare
"""

import importlib.machinery
import importlib.util
import json
import os
import sys
import tempfile
import tomllib
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True

import contestants  # noqa: E402
import payloads  # noqa: E402
import table  # noqa: E402

loader = importlib.machinery.SourceFileLoader("run", os.path.join(HERE, "run"))
run = importlib.util.module_from_spec(importlib.util.spec_from_loader("run", loader))
loader.exec_module(run)


class Cores(unittest.TestCase):
    def test_a_child_is_held_to_as_many_as_are_asked_for(self):
        count = [sys.executable, "-c", "import os; print(len(os.sched_getaffinity(0)))"]
        all_of_them = len(os.sched_getaffinity(0))
        for cores, held in [(1, 1), (all_of_them, all_of_them), (None, all_of_them)]:
            said = contestants.run(count, preexec_fn=contestants.held_to(cores))
            self.assertEqual(int(said), held)

    def test_a_measured_program_is_held_to_them(self):
        # In place of what starts programs: its report says how many cores it has.
        starter = f"""#!{sys.executable}
import json, os, sys
rss = len(os.sched_getaffinity(0))
with open(sys.argv[1], "w") as report:
    json.dump({{"code": 0, "wall_s": 1, "cpu_s": 1, "peak_rss": rss}}, report)
"""
        program = contestants.Program("any", "1", 1, lambda path, jobs, output: [], lambda output: (0, None))
        with tempfile.TemporaryDirectory() as work:
            spawn = os.path.join(work, "spawn")
            with open(spawn, "w") as file:
                file.write(starter)
            os.chmod(spawn, 0o755)
            measured = [program.measure(spawn, work, work, 1, 0, cores)["rss"] for cores in (1, None)]
        self.assertEqual(measured, [1, len(os.sched_getaffinity(0))])


class Memory(unittest.TestCase):
    def test_a_contestant_apart_has_a_process_for_each_row(self):
        script = """import json, sys
bundles = sys.argv[3:]
print(json.dumps({"rules": 1, "ready_s": 0}))
for bundle in bundles:
    print(json.dumps({"bundle": bundle}))
print(json.dumps({"peak_rss": len(bundles), "held": 0}))
"""
        for apart, rss in [(False, [2, 2]), (True, [1, 1])]:
            contestant = contestants.InProcess("any", [sys.executable, "-c", script], apart=apart)
            rows = contestant.measure("files", 1, ["a", "b"])
            self.assertEqual([(name, row["rss"]) for name, row in rows.items()], list(zip("ab", rss, strict=True)))


class Numbers(unittest.TestCase):
    def test_significant_digits_without_exponent(self):
        for value, shown in [(0, "0"), (0.000012345, "0.0000123"), (0.5, "0.5"), (1.2345, "1.23"), (2.0, "2"), (123.4, "123"),
                             (999.9, "1,000"), (12345, "12,300"), (1234567.8, "1,230,000"), (None, "-")]:
            self.assertEqual(table.significant(value), shown)

    def test_ratios(self):
        for value, shown in [(0.4235, "0.42"), (7.26, "7.3"), (21.4, "21"), (99.9, "100"), (608.8, "609"), (12345, "12,300")]:
            self.assertEqual(table.times(value), shown)

    def test_the_median_of_an_even_number_lies_between(self):
        self.assertEqual(table.median([3, 1, 2]), 2)
        self.assertEqual(table.median([4, 1, 3, 2]), 2.5)


class Tables(unittest.TestCase):
    def test_text_and_markdown_hold_every_cell(self):
        head, rows = ["who", "GB/s", "what"], [["a|b", "1,234", "x 1"], ["c", "-", "3 y"]]
        self.assertEqual(table.text("T", head, rows).splitlines()[2:], ["---  -----  ----", "a|b  1,234  x 1", "c        -  3 y"])
        marked = table.markdown("T", head, rows).splitlines()
        self.assertEqual(marked[3:], ["|---|---:|---|", "| a\\|b | 1,234 | x 1 |", "| c | - | 3 y |"])

    def test_only_what_is_between_the_markers_is_replaced(self):
        document = f"before\n{table.BEGIN}\nold\n{table.END}\nafter\n"
        new = table.replace(document, "new\n")
        self.assertEqual(new, f"before\n{table.BEGIN}\nnew\n{table.END}\nafter\n")
        self.assertEqual(table.replace(new, "new"), new)
        for broken in ["", table.BEGIN, table.END + table.BEGIN, document + document]:
            self.assertRaises(ValueError, table.replace, broken, "new")


class Payloads(unittest.TestCase):
    def test_a_bundle_gives_its_payloads_back(self):
        several = [b"one", b"", b"three"]
        self.assertEqual(payloads.unbundle(payloads.bundle(several)), several)
        self.assertRaises(ValueError, payloads.unbundle, payloads.bundle(several) + b"x")

    def test_a_sample_is_spread_and_of_about_the_limit(self):
        items = list(range(1000))
        chosen = payloads.sample(items, lambda _: 10, 1000)
        self.assertEqual(len(chosen), 100)
        self.assertLess(max(b - a for a, b in zip(chosen, chosen[1:])), 12)
        self.assertEqual(payloads.sample(items, lambda _: 10, 10_000), items)
        large_first = payloads.sample([500] + [1] * 500, lambda size: size, 100)
        self.assertEqual(sum(large_first), 500, "one item past the limit at most")

    def test_a_part_is_cut_behind_a_line_and_never_too_long(self):
        lines = b"".join(b"line %d\n" % number for number in range(1000))
        (cut,) = payloads.part([lines], 100)
        self.assertTrue(lines.startswith(cut) and cut.endswith(b"\n") and 90 < len(cut) <= 100)
        several = payloads.part([lines[:400]] * 20, 1000)
        self.assertTrue(600 < sum(map(len, several)) <= 1000)

    def test_logs_and_prompts_are_the_same_each_time(self):
        made = payloads.logs(20_000, 4_000)
        self.assertEqual(made, payloads.logs(20_000, 4_000))
        self.assertEqual(len({name.split("-")[0] for name, _ in made}), 3)
        asked = payloads.prompts(256, 4096, [text for _, text in made])
        self.assertEqual([len(prompt) for prompt in asked], [256] * 16)
        self.assertEqual(asked, payloads.prompts(256, 4096, [text for _, text in made]))
        self.assertGreater(len(set(asked)), 8)

    def test_rows_as_json_keep_every_value(self):
        rows = json.loads(payloads.rows_as_json(b"a,b\n1,x y\n2,z\n"))
        self.assertEqual(rows, [{"a": "1", "b": "x y"}, {"a": "2", "b": "z"}])

    def test_pieces_are_small_and_have_names_of_their_own(self):
        made = payloads.pieces([("a.py", b"x" * 100_000)], 10)
        self.assertEqual(len({name for name, _ in made}), 10)
        self.assertTrue(all(1024 <= len(text) < 8192 for _, text in made))


def measured(size, seconds, found):
    return {"bytes": size, "cpu_s": seconds, "wall_s": 2 * seconds, "findings": found, "rss": 1, "rules": 1}


class Comparing(unittest.TestCase):
    def compared(self, rounds, *contestants):
        compared = run.Comparison(rounds, lambda line: None)
        compared.in_turns("text", list(contestants))
        return compared

    def test_contestants_take_turns_and_rows_are_medians(self):
        order, seconds = [], iter([3.0, 1.0, 2.0])

        def measure(name):
            def once():
                order.append(name)
                return {"p": measured(10, next(seconds) if name == "a" else 1, 7)}
            return once

        compared = self.compared(3, ("a", measure("a")), ("b", measure("b")))
        self.assertEqual(order, list("ababab"))
        self.assertEqual(compared.row("text", "a", "p")["cpu_s"], 2)
        self.assertIsNone(compared.row("text", "a", "other"))

    def test_parts_are_weighed_as_the_whole(self):
        whole = {"p": measured(1000, 1, 5), "q": measured(3000, 1, 5)}
        some = {"p": measured(10, 1, 1), "q": measured(10, 0.1, 1)}
        compared = self.compared(1, ("sluice", lambda: whole), ("slow", lambda: some))
        # 1000 bytes at 10 a second and 3000 at 100.
        total = compared.total("text", "slow", ["p", "q"])
        self.assertAlmostEqual(total["bytes"] / total["cpu_s"], 4000 / (100 + 30))
        self.assertAlmostEqual(run.ratio(compared.total("text", "sluice", ["p", "q"]), total), 2000 / (4000 / 130))
        self.assertIsNone(compared.total("text", "slow", ["p", "missing"]))

    def test_a_peer_that_fails_is_listed_and_sluice_is_wrong(self):
        def broken():
            raise contestants.Failed("no")

        compared = self.compared(2, ("peer", broken), ("sluice avx2", broken))
        self.assertEqual([name for name, _ in compared.missing], ["peer", "sluice avx2"])
        self.assertEqual(compared.wrong, ["sluice avx2: text: no"])

    def test_other_findings_are_wrong(self):
        found = iter([1, 2])
        compared = self.compared(2, ("sluice", lambda: {"p": measured(1, 1, next(found))}),
                                 ("sluice avx2", lambda: {"p": measured(1, 1, 1)}))
        self.assertTrue(compared.row("text", "sluice", "p")["varies"])
        self.assertEqual(len(compared.wrong), 1)
        compared = self.compared(1, ("sluice", lambda: {"p": measured(1, 1, 3)}),
                                 ("sluice avx2", lambda: {"p": measured(1, 1, 1)}))
        compared.same("text", "p", ["sluice", "sluice avx2", "sluice portable"])
        self.assertEqual(len(compared.wrong), 1)


class Contestants(unittest.TestCase):
    def counted(self, count, text):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "output")
            with open(path, "w") as file:
                file.write(text)
            return count(path)

    def test_findings_are_read_from_what_each_prints(self):
        both = {"files": 2, "bytes": 30}
        summary = {"seen": both, "scanned": both, "findings": {"a": 2, "b": 3}, "possible": {"c": 4}}
        self.assertEqual(self.counted(contestants.count_sluice, '{"type":"finding"}\n' + json.dumps(summary) + "\n"), (9, 30))
        summary["scanned"] = {"files": 1, "bytes": 30}
        self.assertRaises(contestants.Failed, self.counted, contestants.count_sluice, json.dumps(summary))
        said = '{"findings":[1]}\n{"findings":6,"bytes_scanned":70}\n'
        self.assertEqual(self.counted(contestants.count_kingfisher, said), (6, 70))
        self.assertEqual(self.counted(contestants.count_list, "[1, 2]"), (2, None))
        self.assertEqual(self.counted(contestants.count_list, "null"), (0, None))
        self.assertEqual(self.counted(contestants.count_detect_secrets, '{"results": {"a": [1, 2], "b": [3]}}'), (3, None))

    def test_every_pattern_that_was_left_out_is_named(self):
        line = contestants.describe("hyperscan", {"given": 9, "compiled": 6, "seconds": 1.25, "db_bytes": 2_500_000,
                                                  "refused": [["a.x", "Too large."], ["b.y", "odd"], ["a.z", "Too large."]]})
        self.assertEqual(line, "hyperscan: 6 of 9 compiled in 1.2 s to 2.5 MB; 2 not (Too large: `a.x`, `a.z`); 1 not (odd: `b.y`)")

    def test_the_programs_are_built_as_the_crate_is(self):
        profiles = []
        for folder in (contestants.REPOSITORY, os.path.join(HERE, "native")):
            with open(os.path.join(folder, "Cargo.toml"), "rb") as file:
                profiles.append(tomllib.load(file)["profile"]["release"])
        self.assertEqual(profiles[0], profiles[1])

    def test_the_lock_file_has_the_version_that_is_printed(self):
        self.assertRegex(contestants.version_of("memchr"), r"^\d+\.\d+\.\d+$")


if __name__ == "__main__":
    unittest.main()
