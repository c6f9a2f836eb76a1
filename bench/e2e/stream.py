"""Stream throughput: pgteal against PostgreSQL's own subscription on one backlog, in one run.

Every repetition writes the workload once; a slot each keeps it for the contenders (pgteal streaming,
pgteal reading ahead, the subscription), which apply it to a database each, in alternating order. The
result is compared row by row before a number counts.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import threading
import time

import chart
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


class Pgteal:
    """A deployment of pgteal with a database of its own on green."""

    def __init__(self, name, read_ahead, extra):
        self.name, self.db, self.options = name, "bench_" + name, ["--name", name, "--read-ahead", read_ahead, *extra]

    def set_up(self, pair):
        self.run(pair)

    def run(self, pair):
        env = dict(os.environ, PGTEAL_SOURCE=pair.blue.conninfo("bench"), PGTEAL_TARGET=pair.green.conninfo(self.db))
        start = time.monotonic()
        child = subprocess.Popen([PGTEAL, "--log-level", "warn", "run", "--copy", "none", "--until-caught-up",
                                  *self.options], env=env)
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.monotonic() - start
        if status != 0:
            sys.exit(f"{self.name} ended with status {status}")
        return seconds, {"cpu": round(usage.ru_utime + usage.ru_stime, 2), "peak_rss_mb": usage.ru_maxrss // 1024}

    def tear_down(self, pair):
        pass


class Subscription:
    name, db = "sub", "bench_sub"

    def __init__(self, options):
        self.options = SUBSCRIPTION_OPTIONS[options]

    def set_up(self, pair):
        pair.blue.sql("SELECT pg_create_logical_replication_slot('sub', 'pgoutput')", "bench")
        pair.green.sql(f"CREATE SUBSCRIPTION sub CONNECTION '{pair.blue.conninfo('bench')}' PUBLICATION sub WITH"
                       f" (create_slot = false, slot_name = 'sub', copy_data = false, enabled = false{self.options})",
                       self.db)

    def run(self, pair):
        end = pair.blue.sql("SELECT pg_current_wal_flush_lsn()")
        start = time.monotonic()
        pair.green.sql("ALTER SUBSCRIPTION sub ENABLE", self.db)
        deadline = start + 600
        while pair.blue.sql(f"SELECT confirmed_flush_lsn >= '{end}' FROM pg_replication_slots WHERE slot_name = 'sub'") != "t":
            if time.monotonic() > deadline:
                sys.exit("the subscription did not catch up in ten minutes")
            time.sleep(0.02)
        seconds = time.monotonic() - start
        pair.green.sql("ALTER SUBSCRIPTION sub DISABLE", self.db)
        return seconds, {}

    def tear_down(self, pair):
        pair.green.sql("ALTER SUBSCRIPTION sub SET (slot_name = NONE); DROP SUBSCRIPTION sub;", self.db)


def digest(server, db):
    tables = server.sql("SELECT format('%I', relname) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 1", db)
    return {t: server.sql(f"SELECT count(*) || ' ' || coalesce(sum(hashtextextended(t::text, 0)::numeric), 0) FROM {t} t", db)
            for t in tables.split("\n")}


def set_up(pair, workload, contenders):
    for server, db in [(pair.blue, "bench")] + [(pair.green, c.db) for c in contenders]:
        server.sql(f"CREATE DATABASE {db}")
        server.sql(workload.schema, db)
    pair.blue.sql("".join(f"CREATE PUBLICATION {c.name} FOR ALL TABLES;" for c in contenders), "bench")
    for contender in contenders:
        contender.set_up(pair)


def tear_down(pair, contenders):
    for contender in contenders:
        contender.tear_down(pair)
        deadline = time.monotonic() + 30
        while (pair.blue.sql(f"SELECT active FROM pg_replication_slots WHERE slot_name = '{contender.name}'") == "t"
               and time.monotonic() < deadline):
            time.sleep(0.05)
        pair.blue.sql(f"SELECT pg_drop_replication_slot('{contender.name}')", "bench")
        pair.green.sql(f"DROP DATABASE {contender.db} WITH (FORCE)")
    pair.blue.sql("DROP DATABASE bench")


def one_round(pair, workload, turn, contenders):
    workload.write(pair.blue, "bench")
    for server in (pair.blue, pair.green):
        server.sql("CHECKPOINT")
    found = {}
    first = turn % len(contenders)
    for contender in contenders[first:] + contenders[:first]:
        sampler = Sampler([pair.blue, pair.green])
        sampler.start()
        time.sleep(0.3)
        seconds, details = contender.run(pair)
        found[contender.name] = {"seconds": round(seconds, 2), **details, "servers_cpu": sampler.result()}
    want = digest(pair.blue, "bench")
    for contender in contenders:
        if digest(pair.green, contender.db) != want:
            sys.exit(f"{workload.name}: {contender.db} differs from blue: no number counts")
    return found


def measure(workload, options):
    pgteals = [Pgteal("stream", "off", options.pgteal), Pgteal("ahead", "on", options.pgteal)]
    contenders = pgteals + [Subscription(options.subscription)]
    with Pair(options.version) as pair:
        set_up(pair, workload, contenders)
        rounds = [one_round(pair, workload, turn, contenders) for turn in range(options.pairs)]
        tear_down(pair, contenders)
    result = {"workload": workload.name, "title": workload.title, "rounds": rounds, "ratios": {}}
    print(f"{workload.title}: subscription {statistics.median(r['sub']['seconds'] for r in rounds):.2f} s")
    for contender, bar in zip(pgteals, workload.bar):
        ratios = [r["sub"]["seconds"] / r[contender.name]["seconds"] for r in rounds]
        seconds = statistics.median(r[contender.name]["seconds"] for r in rounds)
        result["ratios"][contender.name] = {"median": round(statistics.median(ratios), 2), "bar": bar,
                                            "min": round(min(ratios), 2), "max": round(max(ratios), 2)}
        print(f"  {contender.name:7} {seconds:6.2f} s, {statistics.median(ratios):4.2f} times as fast"
              f" ({min(ratios):.2f}-{max(ratios):.2f}, bar {bar}), {workload.changes / seconds:9.0f} changes/s", flush=True)
    return result


def main():
    parser = argparse.ArgumentParser(prog="tools/bench stream", description=__doc__)
    parser.add_argument("--workloads", default=",".join(workloads.ALL), help="comma separated (default: all)")
    parser.add_argument("--size", type=float, default=1.0, help="1 is what the README reports; tests use 0.01")
    parser.add_argument("--pairs", type=int, default=3, help="interleaved repetitions")
    parser.add_argument("--version", type=int, default=17)
    parser.add_argument("--subscription", choices=SUBSCRIPTION_OPTIONS, default="default")
    parser.add_argument("--json", metavar="FILE", help="write all figures")
    parser.add_argument("--svg", metavar="FILE", help="draw the ratios")
    parser.add_argument("pgteal", nargs="*", help="further options of pgteal run, after --")
    options = parser.parse_args()
    results = [measure(workloads.ALL[name](options.size), options) for name in options.workloads.split(",")]
    if options.svg:
        chart.draw(results, options.svg)
    if options.json:
        with open(options.json, "w") as out:
            json.dump(results, out, indent=1)


main()
