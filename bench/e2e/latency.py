"""Commit on blue to visible on green, at a fixed rate of pgbench transactions.

A session on blue commits a row of the probe table every 5 to 25 ms, between the transactions of
pgbench, and notes when its COMMIT was answered. When the transaction with that row committed on green
is in green's WAL (pg_walinspect), to the microsecond; it is visible then, as neither contender waits for a flush there
(with --synchronous-commit it would be later). So nothing has to look at green meanwhile, and both
times come from the same clock. Contenders run one after the other, in alternating order; the databases
are compared row by row after each before a number counts. CPU time is that of the same stretch.
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
WARM_UP = 1
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

# The same clock reading that a client would get, not the origin's time that track_commit_timestamp has.
COMMITS = """SET timezone = 'UTC';
SELECT extract(epoch FROM substring(description, '^[^;]+')::timestamptz) || ' ' || xid || ' '
    || coalesce(substring(description, 'subxacts:([ 0-9]+)'), '')
  FROM pg_get_wal_records_info('{since}', pg_current_wal_flush_lsn())
 WHERE resource_manager = 'Transaction' AND record_type = 'COMMIT'"""


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


def commit_probes(blue, seconds):
    """id of a row of the probe -> when blue had answered its COMMIT, in seconds."""
    first = int(blue.sql("SELECT coalesce(max(id), 0) + 1 FROM probe", "bench"))
    last = first + seconds * PROBES_PER_SECOND - 1
    answered = blue.sql(COMMIT_PROBES.format(first=first, last=last), "bench", user="probe").strip("{}").split(",")
    return {first + i: float(when) for i, when in enumerate(answered)}


def commits(server, since):
    """xid, also of a subtransaction -> when it committed, from the WAL since that LSN."""
    found = {}
    for line in server.sql(COMMITS.format(since=since)).split("\n"):
        when, *xids = line.split()
        found.update({xid: float(when) for xid in xids})
    return found


def latencies_of(pair, contender, answered, since):
    """In milliseconds, one for each row of the probe."""
    when = commits(pair.green, since)
    rows = pair.green.sql(f"SELECT id || ' ' || xmin FROM probe WHERE id >= {min(answered)}", contender.db).split("\n")
    arrived = {int(row.split()[0]): when[row.split()[1]] for row in rows}
    return [(arrived[row] - answered[row]) * 1000 for row in answered]


def one_turn(pair, contender, rate, options):
    """Catches up with what the others had, then measures; ends with green equal to blue."""
    contender.start(pair)
    wait_for_slot(pair, contender.name)
    load = Load(pair.blue, rate, options.seconds * 5 // 4 + 2 * WARM_UP, options.scale)
    time.sleep(WARM_UP)
    since = pair.green.sql("SELECT pg_current_wal_flush_lsn()")
    watch, own = CpuWatch(pair.blue, pair.green), contender.cpu()
    answered = commit_probes(pair.blue, options.seconds)
    used = {"pgteal": round(contender.cpu() - own, 2), **watch.result()}
    tps = load.result()
    wait_for_slot(pair, contender.name)
    latencies = latencies_of(pair, contender, answered, since)
    contender.stop(pair)
    compare(pair, [contender], f"{rate} transactions/s")
    return {"tps": tps, "cpu": used, "latencies": latencies}


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
        pair.green.sql("CREATE EXTENSION pg_walinspect")
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
    parser.add_argument("--version", type=int, default=17, help="15 or later")
    parser.add_argument("--json", metavar="FILE", help="write all figures")
    parser.add_argument("pgteal", nargs="*", help="further options of pgteal run, after --")
    options = parser.parse_args()
    results = [measure(int(rate), options) for rate in options.rates.split(",")]
    if options.json:
        with open(options.json, "w") as out:
            json.dump(results, out, indent=1)


if __name__ == "__main__":
    main()
