"""Throwaway servers for benches: two PostgreSQL clusters of one version on TCP loopback."""
import atexit
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DEBIAN_BIN = "/usr/lib/postgresql/15/bin"
PGTEAL = os.environ.get("PGTEAL", os.path.join(ROOT, "build/release/pgteal"))

# Being told to end is a way to end: servers are stopped and folders removed.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

SHARED_MEGABYTES = 640  # what a server maps: its buffers and a quarter for the rest
SETTINGS = {
    "wal_level": "logical", "shared_buffers": "'512MB'", "max_wal_size": "'16GB'",
    "checkpoint_timeout": "'30min'", "max_replication_slots": "20", "max_wal_senders": "20",
    "autovacuum": "off", "listen_addresses": "'127.0.0.1'",
}


def bin_of(version):
    if version == 15:
        return DEBIAN_BIN
    folder = subprocess.check_output([os.path.join(ROOT, "tools/setup"), "--print"], text=True).strip()
    return os.path.join(folder, str(version), "bin")


def drop_root():
    """Servers refuse to run as root; and none outlives the bench."""
    if os.getuid() == 0:
        user = pwd.getpwnam("postgres")
        os.initgroups("postgres", user.pw_gid)
        os.setgid(user.pw_gid)
        os.setuid(user.pw_uid)


def reserve_huge_pages():
    """For two servers, until the bench ends; they do not start without. Production servers of any size
    have them; in small pages every backend pays a fault for each page of shared buffers that it has not
    seen yet, which on a virtual machine measures the machine more than who applies."""
    def reserve(pages):
        with open("/proc/sys/vm/nr_hugepages", "w") as setting:
            setting.write(str(pages))

    with open("/proc/sys/vm/nr_hugepages") as setting:
        former = int(setting.read())
    atexit.register(reserve, former)
    with open("/proc/meminfo") as info:
        kilobytes = next(int(line.split()[1]) for line in info if line.startswith("Hugepagesize:"))
    reserve(former - (-2 * SHARED_MEGABYTES * 1024 // kilobytes))
    SETTINGS["huge_pages"] = "on"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    def __init__(self, name, version, port, folder):
        self.name, self.version, self.port, self.folder = name, version, port, folder
        self.data = os.path.join(folder, name)
        binary = bin_of(version)
        subprocess.run([binary + "/initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "-N",
                        "--locale=C.UTF-8"], check=True, stdout=subprocess.DEVNULL, preexec_fn=drop_root)
        with open(self.data + "/postgresql.conf", "a") as conf:
            for key, value in {**SETTINGS, "port": port, "unix_socket_directories": f"'{folder}'"}.items():
                conf.write(f"{key} = {value}\n")
        subprocess.run([binary + "/pg_ctl", "-D", self.data, "-l", self.data + ".log", "-w", "start"],
                       check=True, stdout=subprocess.DEVNULL, preexec_fn=drop_root)

    def conninfo(self, db="postgres", user="postgres", port=None):
        return f"host=127.0.0.1 port={port or self.port} user={user} dbname={db}"

    def sql(self, query, db="postgres", user="postgres"):
        done = subprocess.run([DEBIAN_BIN + "/psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", self.conninfo(db, user),
                               "-f", "-"], input=query, text=True, capture_output=True)
        if done.returncode != 0:
            raise RuntimeError(f"{self.name}: {done.stderr.strip()} in: {query[:200]}")
        return done.stdout.strip()

    def postmaster(self):
        with open(self.data + "/postmaster.pid") as pid:
            return int(pid.readline())

    def backends(self):
        """pid -> title of every process of this server."""
        mother, found = self.postmaster(), {}
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/stat") as stat:
                    if int(stat.read().rsplit(")", 1)[1].split()[1]) != mother:
                        continue
                with open(f"/proc/{pid}/cmdline") as title:
                    found[int(pid)] = title.read().replace("\0", " ").strip()
            except (OSError, IndexError):
                continue
        return found

    def stop(self):
        try:
            os.kill(self.postmaster(), signal.SIGQUIT)
        except OSError:
            pass


class Pair:
    """Blue and green; `with` stops them and removes their folder."""

    def __init__(self, version=17):
        self.folder = tempfile.mkdtemp(prefix="pgteal-bench.")
        os.chmod(self.folder, 0o755)
        if os.getuid() == 0:
            shutil.chown(self.folder, "postgres", "postgres")
        self.blue = Server("blue", version, free_port(), self.folder)
        self.green = Server("green", version, free_port(), self.folder)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.blue.stop()
        self.green.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

