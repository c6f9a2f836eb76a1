"""CPU time of two servers by the kind of process, over a stretch of time."""
import os
import threading
import time

TICK = os.sysconf("SC_CLK_TCK")
PROBE_ROLE = "probe"  # sessions of the bench itself log in as this role


def times(pid):
    """Seconds: its own, and of those of its children that have ended."""
    with open(f"/proc/{pid}/stat") as stat:
        fields = [int(field) for field in stat.read().rsplit(")", 1)[1].split()[11:15]]
    return (fields[0] + fields[1]) / TICK, (fields[2] + fields[3]) / TICK


def kind(server, title):
    if f" {PROBE_ROLE} " in title:
        return server + "/probe"
    if "walsender" in title:
        return server + "/walsender"
    if "logical replication" in title and "launcher" not in title:
        return server + "/apply"
    if " bench" in title:
        return server + ("/apply" if server == "green" else "/session")
    return server + "/other"


class CpuWatch(threading.Thread):
    """Watches from its construction to result(). What a process used after it was looked at last is
    known from its server, which has reaped it by then: it counts as apply on green, as other on blue.
    """

    def __init__(self, *servers):
        super().__init__(daemon=True)
        self.servers, self.done = servers, threading.Event()
        # A process that ends between the two looks would be counted as a whole: whoever ran before
        # us, say.
        before = None
        while before != (living := self.look_anew()):
            before = living
            self.reaped = {s.name: times(s.postmaster())[1] for s in servers}
        self.first = dict(self.used)
        self.start()

    def run(self):
        while not self.done.wait(0.1):
            self.look()

    def look_anew(self):
        self.used, self.kinds = {}, {}
        return self.look()

    def look(self):
        living = set()
        for server in self.servers:
            for pid, title in server.backends().items():
                try:
                    self.used[server.name, pid] = times(pid)[0]
                except OSError:
                    continue
                # One that is ending has no title any more.
                if title or (server.name, pid) not in self.kinds:
                    self.kinds[server.name, pid] = kind(server.name, title)
                living.add((server.name, pid))
        return living

    def result(self, gone=None):
        """Seconds by kind; sessions in the database `gone` are about to end and waited for."""
        deadline = time.monotonic() + 2
        while gone and time.monotonic() < deadline and any(
                f" {gone} " in title for s in self.servers for title in s.backends().values()):
            time.sleep(0.02)
        self.done.set()
        self.join()
        living, total = self.look(), {}
        for key, used in self.used.items():
            name = self.kinds[key]
            total[name] = total.get(name, 0.0) + used - self.first.get(key, 0.0)
        for server in self.servers:
            ended = sum(used for key, used in self.used.items() if key[0] == server.name and key not in living)
            name = server.name + ("/apply" if server.name == "green" else "/other")
            unseen = times(server.postmaster())[1] - self.reaped[server.name] - ended
            total[name] = total.get(name, 0.0) + max(0.0, unseen)
        return {name: round(used, 2) for name, used in sorted(total.items()) if used >= 0.005}
