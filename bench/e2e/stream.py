"""Stream throughput: pgteal against PostgreSQL's own subscription on one backlog, in one run.

Every repetition writes the workload once; a slot each keeps it for the contenders (pgteal streaming,
pgteal reading ahead, the subscription), which apply it to a database each, in alternating order. The
result is compared row by row before a number counts.
"""
import argparse
import json
import statistics

import chart
import workloads
from contenders import SUBSCRIPTION_OPTIONS, Pgteal, Reader, Subscription, compare, in_turns, set_up
from cpu import CpuWatch
from servers import Pair, reserve_huge_pages

CPU_BAR = 0.6
MEMORY_BAR_MB = 300


def one_round(pair, workload, turn, contenders):
    workload.write(pair.blue, "bench")
    for server in (pair.blue, pair.green):
        server.sql("CHECKPOINT")
    found = {}
    for contender in in_turns(contenders, turn):
        watch = CpuWatch(pair.blue, pair.green)
        seconds, details = contender.run(pair)
        found[contender.name] = {"seconds": round(seconds, 2), **details, "servers_cpu": watch.result(contender.db)}
        contender.stop(pair)
    compare(pair, contenders, workload.name)
    return found


def cpu_seconds(found):
    """Of one contender in one round: blue's part, its own process, green's part."""
    servers = found["servers_cpu"]
    return {"blue": servers.get("blue/walsender", 0.0) + servers.get("blue/session", 0.0),
            "pgteal": found.get("cpu", 0.0), "green": servers.get("green/apply", 0.0)}


def cpu_per_million(workload, contender, rounds):
    """Medians in seconds per million changes, and the cost next to the subscription's on green."""
    parts = [cpu_seconds(r[contender.name]) for r in rounds]
    cost = {part: round(statistics.median(p[part] for p in parts) * 1e6 / workload.changes, 2) for part in parts[0]}
    ratios = [(mine["pgteal"] + mine["green"]) / max(0.01, cpu_seconds(r["sub"])["green"]) for mine, r in zip(parts, rounds)]
    return {**cost, "of_subscription": round(statistics.median(ratios), 2)}


def summary(workload, contender, bar, rounds):
    ratios = [r["sub"]["seconds"] / r[contender.name]["seconds"] for r in rounds]
    peak = max(r[contender.name]["peak_rss_mb"] for r in rounds)
    seconds = statistics.median(r[contender.name]["seconds"] for r in rounds)
    cost = cpu_per_million(workload, contender, rounds)
    print(f"  {contender.name:7} {seconds:6.2f} s, {statistics.median(ratios):4.2f} times as fast"
          f" ({min(ratios):.2f}-{max(ratios):.2f}, bar {bar}), {workload.changes / seconds:9.0f} changes/s\n"
          f"          CPU s per million changes: blue {cost['blue']:.2f}, pgteal {cost['pgteal']:.2f}, green"
          f" {cost['green']:.2f}; pgteal and green {cost['of_subscription']:.2f} of the subscription's workers (bar"
          f" {CPU_BAR}); peak {peak} MB (bar {MEMORY_BAR_MB})", flush=True)
    return {"median": round(statistics.median(ratios), 2), "bar": bar, "min": round(min(ratios), 2),
            "max": round(max(ratios), 2), "cpu_per_million": cost, "peak_rss_mb": peak}


def limit(reader, rounds):
    """What streaming could reach if applying took nothing."""
    ratios = [r["sub"]["seconds"] / r[reader.name]["seconds"] for r in rounds]
    seconds = statistics.median(r[reader.name]["seconds"] for r in rounds)
    print(f"  limit   {seconds:6.2f} s, {statistics.median(ratios):4.2f} times as fast ({min(ratios):.2f}-{max(ratios):.2f}):"
          " streaming to nobody", flush=True)
    return {"median": round(statistics.median(ratios), 2), "min": round(min(ratios), 2), "max": round(max(ratios), 2)}


def measure(workload, options):
    pgteals = [Pgteal("stream", "--read-ahead", "off", *options.pgteal),
               Pgteal("ahead", "--read-ahead", "on", *options.pgteal)]
    sub = Subscription(options.subscription)
    readers = [Reader()] if options.limit else []
    contenders = [*pgteals, sub, *readers]
    with Pair(options.version) as pair:
        set_up(pair, workload.schema, contenders)
        rounds = [one_round(pair, workload, turn, contenders) for turn in range(options.pairs)]
    cost = cpu_per_million(workload, sub, rounds)
    print(f"{workload.title}: subscription {statistics.median(r['sub']['seconds'] for r in rounds):.2f} s,"
          f" CPU s per million changes: blue {cost['blue']:.2f}, green {cost['green']:.2f}")
    ratios = {c.name: summary(workload, c, bar, rounds) for c, bar in zip(pgteals, workload.bar)}
    found = {"workload": workload.name, "title": workload.title, "rounds": rounds, "subscription_cpu_per_million": cost,
             "ratios": ratios}
    return {**found, "limit": limit(readers[0], rounds)} if readers else found


def main():
    parser = argparse.ArgumentParser(prog="tools/bench stream", description=__doc__)
    parser.add_argument("--workloads", default=",".join(workloads.ALL), help="comma separated (default: all)")
    parser.add_argument("--size", type=float, default=1.0, help="1 is what the README reports; tests use 0.01")
    parser.add_argument("--pairs", type=int, default=3, help="interleaved repetitions")
    parser.add_argument("--version", type=int, default=17)
    parser.add_argument("--subscription", choices=SUBSCRIPTION_OPTIONS, default="default")
    parser.add_argument("--huge-pages", action="store_true",
                        help="reserve them for the servers while it runs, as in production (root)")
    parser.add_argument("--limit", action="store_true",
                        help="also read the stream without applying it, which nobody who streams can outrun")
    parser.add_argument("--json", metavar="FILE", help="write all figures")
    parser.add_argument("--svg", metavar="FILE", help="draw the ratios")
    parser.add_argument("pgteal", nargs="*", help="further options of pgteal run, after --")
    options = parser.parse_args()
    if options.huge_pages:
        reserve_huge_pages()
    results = [measure(workloads.ALL[name](options.size), options) for name in options.workloads.split(",")]
    if options.svg:
        chart.draw(results, options.svg)
    if options.json:
        with open(options.json, "w") as out:
            json.dump(results, out, indent=1)


main()
