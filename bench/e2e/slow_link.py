"""Throughput when green is far: the stream's workloads with a proxy in front of green, with and without delay.

Both deployments, near and far, go through a proxy of the same kind, so that its cost is not taken for
the delay's; they apply the same backlog to a database each, in alternating order, and the databases are
compared row by row before a number counts. Starting takes some round trips before the first row: what
a run without a backlog takes is measured as well, and subtracted for the second ratio.
"""
import argparse
import json
import statistics

import workloads
from contenders import Pgteal, compare, in_turns, set_up
from delay_proxy import Proxy
from servers import Pair

BAR = 0.8


def one_round(pair, workload, turn, contenders):
    idle = {c.name: c.run(pair)[0] for c in in_turns(contenders, turn)}
    workload.write(pair.blue, "bench")
    for server in (pair.blue, pair.green):
        server.sql("CHECKPOINT")
    taken = {c.name: c.run(pair)[0] for c in in_turns(contenders, turn)}
    compare(pair, contenders, workload.name)
    return {c.name: {"seconds": round(taken[c.name], 3), "idle_seconds": round(idle[c.name], 3)} for c in contenders}


def ratio_of(rounds, near, far, is_idle_off):
    def seconds(found):
        return max(0.001, found["seconds"] - (found["idle_seconds"] if is_idle_off else 0.0))
    return round(statistics.median(seconds(r[near]) / seconds(r[far]) for r in rounds), 2)


def summary(workload, near, far, rounds):
    seconds = {name: statistics.median(r[name]["seconds"] for r in rounds) for name in (near, far)}
    idle = {name: statistics.median(r[name]["idle_seconds"] for r in rounds) for name in (near, far)}
    found = {"ratio": ratio_of(rounds, near, far, False), "ratio_without_start": ratio_of(rounds, near, far, True), "bar": BAR}
    print(f"  {near.split('_')[0]:7} near {seconds[near]:6.2f} s, far {seconds[far]:6.2f} s: {found['ratio']:.2f} of the"
          f" throughput; without the start ({idle[near]:.2f} and {idle[far]:.2f} s) {found['ratio_without_start']:.2f}"
          f" (bar {BAR}); far {workload.changes / seconds[far]:9.0f} changes/s", flush=True)
    return found


def measure(workload, options):
    modes = {mode: switch for mode, switch in (("stream", "off"), ("ahead", "on")) if mode in options.modes.split(",")}
    with Pair(options.version) as pair, Proxy(pair.green.port, 0) as direct, Proxy(pair.green.port, options.delay_ms) as slow:
        contenders = [Pgteal(f"{mode}_{place}", "--read-ahead", switch, *options.pgteal, green_port=proxy.port)
                      for mode, switch in modes.items() for place, proxy in (("near", direct), ("far", slow))]
        set_up(pair, workload.schema, contenders)
        rounds = [one_round(pair, workload, turn, contenders) for turn in range(options.pairs)]
    print(f"{workload.title}, {options.delay_ms} ms each way to green:")
    ratios = {mode: summary(workload, mode + "_near", mode + "_far", rounds) for mode in modes}
    return {"workload": workload.name, "title": workload.title, "delay_ms": options.delay_ms, "rounds": rounds,
            "ratios": ratios}


def main():
    parser = argparse.ArgumentParser(prog="tools/bench slow-link", description=__doc__)
    parser.add_argument("--delay-ms", type=float, default=5, help="each way")
    parser.add_argument("--workloads", default="updates,inserts,mixed,tpcb", help="comma separated")
    parser.add_argument("--modes", default="stream,ahead", help="stream: no reading ahead; ahead: always")
    parser.add_argument("--size", type=float, default=1.0, help="as of tools/bench stream")
    parser.add_argument("--pairs", type=int, default=3, help="interleaved repetitions")
    parser.add_argument("--version", type=int, default=17)
    parser.add_argument("--json", metavar="FILE", help="write all figures")
    parser.add_argument("pgteal", nargs="*", help="further options of pgteal run, after --")
    options = parser.parse_args()
    results = [measure(workloads.ALL[name](options.size), options) for name in options.workloads.split(",")]
    if options.json:
        with open(options.json, "w") as out:
            json.dump(results, out, indent=1)


if __name__ == "__main__":
    main()
