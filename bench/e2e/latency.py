"""Commit on blue to visible on green, at a fixed rate of pgbench transactions.

A session on blue commits a row of the probe table every 5 to 25 ms, between the transactions of
pgbench, and notes when its COMMIT was answered. A session on green looks for the largest row it sees
every millisecond and notes when: the middle between the look that did not see a row and the one that
did, so that a figure is right to half a millisecond. Both take the time from the same clock and write
nothing meanwhile. Contenders run one after the other, in alternating order; the databases are compared
row by row after each before a number counts. CPU time is that of the same stretch.
"""
import argparse
import json
import statistics
import subprocess
import sys
import threading
import time

import workloads
from contenders import Pgteal, Subscription, compare, in_turns, set_up, wait_for_slot
from cpu import CpuWatch
from servers import DEBIAN_BIN, Pair

PROBE_TABLE = "CREATE TABLE probe (id bigint PRIMARY KEY);"
WARM_UP = 2
PROBES_PER_SECOND = 60

COMMIT_PROBES = """DO $do$
DECLARE answered float8[] := '{{}}';
BEGIN
  FOR i IN {first}..{last} LOOP
    INSERT INTO probe VALUES (i);
    COMMIT;
    answered := answered || extract(epoch FROM clock_timestamp())::float8;
    PERFORM pg_sleep(0.005 + 0.02 * random());
  END LOOP;
  PERFORM set_config('bench.times', answered::text, false);
END $do$;
SELECT current_setting('bench.times')"""

WATCH_PROBES = """DO $do$
DECLARE
  seen float8[] := '{{}}';
  top bigint := {first} - 1;
  found bigint;
  before float8 := extract(epoch FROM clock_timestamp());
  now float8;
BEGIN
  WHILE top < {last} LOOP
    SELECT max(id) INTO found FROM probe;
    now := extract(epoch FROM clock_timestamp());
    WHILE top < found LOOP
      seen := seen || (before + now) / 2;
      top := top + 1;
    END LOOP;
    before := now;
    PERFORM pg_sleep(0.0005);
  END LOOP;
  PERFORM set_config('bench.times', seen::text, false);
END $do$;
SELECT current_setting('bench.times')"""


class Load(threading.Thread):
    """pgbench's TPC-B on blue at a rate; `tps` is what it reached."""

    def __init__(self, blue, rate, seconds, scale):
        super().__init__(daemon=True)
        self.tps, self.child = 0.0, subprocess.Popen(
            [DEBIAN_BIN + "/pgbench", "-n", "-b", "tpcb-like", "-s", str(scale), "-c", "8", "-j", "2", "-R", str(rate),
             "-T", str(seconds), "-d", blue.conninfo("bench")], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.start()

    def run(self):
        report = self.child.communicate()[0]
        if self.child.returncode == 0:
            self.tps = float(report.split("tps = ")[1].split()[0])

    def result(self):
        self.join()
        if not self.tps:
            sys.exit("pgbench failed")
        return round(self.tps, 1)


def times_of(server, db, sql, seconds):
    """What the session noted; one that waits longer than that is ended by its server."""
    text = server.sql(f"SET statement_timeout = '{seconds} s'; {sql}", db, user="probe")
    return [float(number) for number in text.strip("{}").split(",")]


def probe(pair, contender, seconds):
    """Latencies in milliseconds, one for each row of the probe."""
    first = int(pair.blue.sql("SELECT coalesce(max(id), 0) + 1 FROM probe", "bench"))
    rows = {"first": first, "last": first + seconds * PROBES_PER_SECOND - 1}
    seen = []
    watch = threading.Thread(daemon=True, target=lambda: seen.extend(
        times_of(pair.green, contender.db, WATCH_PROBES.format(**rows), seconds * 3 + 60)))
    watch.start()
    answered = times_of(pair.blue, "bench", COMMIT_PROBES.format(**rows), seconds * 3 + 60)
    watch.join()
    if len(seen) != len(answered):
        sys.exit(f"{contender.name}: rows of the probe did not arrive")
    return [(there - here) * 1000 for here, there in zip(answered, seen)]


def one_turn(pair, contender, rate, options):
    """Catches up with what the others had, then measures; ends with green equal to blue."""
    contender.start(pair)
    wait_for_slot(pair, contender.name)
    load = Load(pair.blue, rate, options.seconds * 5 // 4 + 2 * WARM_UP, options.scale)
    time.sleep(WARM_UP)
    watch, own = CpuWatch(pair.blue, pair.green), contender.cpu()
    latencies = probe(pair, contender, options.seconds)
    used = {"pgteal": round(contender.cpu() - own, 2), **watch.result()}
    found = {"tps": load.result(), "cpu": used, "latencies": latencies}
    wait_for_slot(pair, contender.name)
    contender.stop(pair)
    compare(pair, [contender], f"{rate} transactions/s")
    return found


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def summary(turns):
    """Over all rows of the probe in all rounds; the spread is that of the rounds' medians."""
    latencies = [latency for turn in turns for latency in turn["latencies"]]
    medians = [statistics.median(turn["latencies"]) for turn in turns]
    kinds = sorted({name for turn in turns for name in turn["cpu"]})
    return {"rows": len(latencies), "median_ms": round(statistics.median(latencies), 2),
            "p99_ms": round(percentile(latencies, 0.99), 2), "max_ms": round(max(latencies), 2),
            "median_ms_of_rounds": [round(m, 2) for m in medians],
            "p99_ms_of_rounds": [round(percentile(turn["latencies"], 0.99), 2) for turn in turns],
            "tps": [turn["tps"] for turn in turns],
            "cpu": {name: round(statistics.median(turn["cpu"].get(name, 0.0) for turn in turns), 2) for name in kinds}}


def report(rate, found, seconds):
    print(f"{rate} transactions/s, commit on blue to visible on green:")
    for name, one in found.items():
        used = one["cpu"]
        print(f"  {name:12} median {one['median_ms']:7.2f} ms, p99 {one['p99_ms']:8.2f} ms, largest {one['max_ms']:8.2f} ms"
              f" (medians {min(one['median_ms_of_rounds'])}-{max(one['median_ms_of_rounds'])}, p99"
              f" {min(one['p99_ms_of_rounds'])}-{max(one['p99_ms_of_rounds'])}); {min(one['tps']):.0f} tps\n"
              f"               CPU s in about {seconds} s: walsender {used.get('blue/walsender', 0):.2f},"
              f" pgteal {used['pgteal']:.2f}, green {used.get('green/apply', 0):.2f}", flush=True)
    for name in list(found)[1:]:
        print(f"  pgteal's median is {found['pgteal']['median_ms'] / found[name]['median_ms']:.2f} of {name}'s, its p99"
              f" {found['pgteal']['p99_ms'] / found[name]['p99_ms']:.2f} (bar 1)", flush=True)


def measure(rate, options):
    contenders = [Pgteal("pgteal", *options.pgteal), Subscription("default", "sub"), Subscription("best", "sub_best")]
    with Pair(options.version) as pair:
        schema = workloads.tpcb(options.scale / 20).schema + PROBE_TABLE
        set_up(pair, schema, contenders)
        turns = {c.name: [] for c in contenders}
        for turn in range(options.pairs):
            for contender in in_turns(contenders, turn):
                turns[contender.name].append(one_turn(pair, contender, rate, options))
    found = {name: summary(found) for name, found in turns.items()}
    report(rate, found, options.seconds)
    return {"rate": rate, "seconds": options.seconds, "contenders": found}


def main():
    parser = argparse.ArgumentParser(prog="tools/bench latency", description=__doc__)
    parser.add_argument("--rates", default="500,2000", help="transactions per second, comma separated")
    parser.add_argument("--seconds", type=int, default=20, help="of one turn, about")
    parser.add_argument("--pairs", type=int, default=3, help="interleaved repetitions")
    parser.add_argument("--scale", type=int, default=20, help="of pgbench")
    parser.add_argument("--version", type=int, default=17)
    parser.add_argument("--json", metavar="FILE", help="write all figures")
    parser.add_argument("pgteal", nargs="*", help="further options of pgteal run, after --")
    options = parser.parse_args()
    results = [measure(int(rate), options) for rate in options.rates.split(",")]
    if options.json:
        with open(options.json, "w") as out:
            json.dump(results, out, indent=1)


main()
