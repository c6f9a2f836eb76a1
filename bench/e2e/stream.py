"""Stream throughput: pgteal against PostgreSQL's own subscription on one backlog, in one run.

Every repetition writes the workload once; two slots keep it for both contenders, which apply it to a
database each, in alternating order. The result is compared row by row before a number counts.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import threading
import time

import workloads
from servers import PGTEAL, Pair, cpu_seconds

SUBSCRIPTION_OPTIONS = {"default": "", "best": ", binary = true, streaming = parallel"}


class Sampler(threading.Thread):
    """Collects the CPU time of server processes while a contender runs: backends come and go."""

    def __init__(self, servers):
        super().__init__(daemon=True)
        self.servers, self.seen, self.first, self.done = servers, {}, {}, threading.Event()

    def run(self):
        is_first = True
        while is_first or not self.done.wait(0.1):
            for server in self.servers:
                for pid, title in server.backends().items():
                    try:
                        used = cpu_seconds(pid)
                    except OSError:
                        continue
                    key = (server.name, pid)
                    self.first.setdefault(key, used if is_first else 0.0)
                    self.seen[key] = (title, used)
            is_first = False

    def result(self):
        self.done.set()
        self.join()
        total = {}
        for key, (title, used) in self.seen.items():
            kind = key[0] + ("/walsender" if "walsender" in title else "/apply" if "logical replication" in title
                             or "pgteal" in title or "INSERT" in title or "bench" in title else "/other")
            total[kind] = total.get(kind, 0.0) + used - self.first[key]
        return {kind: round(used, 2) for kind, used in sorted(total.items()) if used >= 0.005}


def run_pgteal(pair, db, extra):
    env = dict(os.environ, PGTEAL_SOURCE=pair.blue.conninfo("bench"), PGTEAL_TARGET=pair.green.conninfo(db))
    start = time.monotonic()
    child = subprocess.Popen([PGTEAL, "--log-level", "warn", "run", "--copy", "none", "--until-caught-up", *extra], env=env)
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.monotonic() - start
    if status != 0:
        sys.exit(f"pgteal ended with status {status}")
    return seconds, {"cpu": round(usage.ru_utime + usage.ru_stime, 2), "peak_rss_mb": usage.ru_maxrss // 1024}


def run_subscription(pair, db):
    end = pair.blue.sql("SELECT pg_current_wal_flush_lsn()")
    start = time.monotonic()
    pair.green.sql("ALTER SUBSCRIPTION sub ENABLE", db)
    deadline = start + 600
    while pair.blue.sql(f"SELECT confirmed_flush_lsn >= '{end}' FROM pg_replication_slots WHERE slot_name = 'sub'") != "t":
        if time.monotonic() > deadline:
            sys.exit("the subscription did not catch up in ten minutes")
        time.sleep(0.02)
    seconds = time.monotonic() - start
    pair.green.sql("ALTER SUBSCRIPTION sub DISABLE", db)
    return seconds, {}


def digest(server, db):
    tables = server.sql("SELECT format('%I', relname) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 1", db)
    return {t: server.sql(f"SELECT count(*) || ' ' || coalesce(sum(hashtextextended(t::text, 0)::numeric), 0) FROM {t} t", db)
            for t in tables.split("\n")}


def set_up(pair, workload, options):
    for server, db in ((pair.blue, "bench"), (pair.green, "bench_pgteal"), (pair.green, "bench_sub")):
        server.sql(f"CREATE DATABASE {db}")
        server.sql(workload.schema, db)
    pair.blue.sql("CREATE PUBLICATION sub FOR ALL TABLES; CREATE PUBLICATION pgteal FOR ALL TABLES;", "bench")
    pair.blue.sql("SELECT pg_create_logical_replication_slot('sub', 'pgoutput')", "bench")
    run_pgteal(pair, "bench_pgteal", [])
    pair.green.sql(f"CREATE SUBSCRIPTION sub CONNECTION '{pair.blue.conninfo('bench')}' PUBLICATION sub WITH (create_slot"
                   f" = false, slot_name = 'sub', copy_data = false, enabled = false{SUBSCRIPTION_OPTIONS[options.subscription]})",
                   "bench_sub")


def tear_down(pair):
    pair.green.sql("ALTER SUBSCRIPTION sub SET (slot_name = NONE); DROP SUBSCRIPTION sub;", "bench_sub")
    for slot in ("sub", "pgteal"):
        deadline = time.monotonic() + 30
        while pair.blue.sql(f"SELECT active FROM pg_replication_slots WHERE slot_name = '{slot}'") == "t" and time.monotonic() < deadline:
            time.sleep(0.05)
        pair.blue.sql(f"SELECT pg_drop_replication_slot('{slot}')", "bench")
    pair.blue.sql("DROP DATABASE bench")
    for db in ("bench_pgteal", "bench_sub"):
        pair.green.sql(f"DROP DATABASE {db} WITH (FORCE)")


def one_round(pair, workload, turn, extra):
    workload.write(pair.blue, "bench")
    for server in (pair.blue, pair.green):
        server.sql("CHECKPOINT")
    found = {}
    for contender in ("pgteal", "sub") if turn % 2 == 0 else ("sub", "pgteal"):
        sampler = Sampler([pair.blue, pair.green])
        sampler.start()
        time.sleep(0.3)
        seconds, details = (run_pgteal(pair, "bench_pgteal", extra) if contender == "pgteal"
                            else run_subscription(pair, "bench_sub"))
        found[contender] = {"seconds": round(seconds, 2), **details, "servers_cpu": sampler.result()}
    want = digest(pair.blue, "bench")
    for db in ("bench_pgteal", "bench_sub"):
        if digest(pair.green, db) != want:
            sys.exit(f"{workload.name}: {db} differs from blue: no number counts")
    return found


def measure(workload, options):
    with Pair(options.version) as pair:
        set_up(pair, workload, options)
        rounds = [one_round(pair, workload, turn, options.pgteal) for turn in range(options.pairs)]
        tear_down(pair)
    ratios = [r["sub"]["seconds"] / r["pgteal"]["seconds"] for r in rounds]
    median = statistics.median(ratios)
    seconds = statistics.median(r["pgteal"]["seconds"] for r in rounds)
    print(f"{workload.name:8} {workload.title:48} pgteal {seconds:6.2f} s  subscription "
          f"{statistics.median(r['sub']['seconds'] for r in rounds):6.2f} s  ratio {median:4.2f} "
          f"({min(ratios):.2f}-{max(ratios):.2f}, bar {workload.bar[0]})  {workload.changes / seconds:9.0f} changes/s", flush=True)
    return {"workload": workload.name, "title": workload.title, "ratio": round(median, 3),
            "ratios": [round(r, 3) for r in ratios], "bar": workload.bar[0], "rounds": rounds}


def main():
    parser = argparse.ArgumentParser(prog="tools/bench stream", description=__doc__)
    parser.add_argument("--workloads", default=",".join(workloads.ALL), help="comma separated (default: all)")
    parser.add_argument("--size", type=float, default=1.0, help="1 is what the README reports; tests use 0.01")
    parser.add_argument("--pairs", type=int, default=3, help="interleaved repetitions")
    parser.add_argument("--version", type=int, default=17)
    parser.add_argument("--subscription", choices=SUBSCRIPTION_OPTIONS, default="default")
    parser.add_argument("--json", metavar="FILE", help="write all figures")
    parser.add_argument("pgteal", nargs="*", help="further options of pgteal run, after --")
    options = parser.parse_args()
    results = [measure(workloads.ALL[name](options.size), options) for name in options.workloads.split(",")]
    if options.json:
        with open(options.json, "w") as out:
            json.dump(results, out, indent=1)


main()
