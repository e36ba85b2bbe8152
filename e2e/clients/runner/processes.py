"""Server processes on loopback ports of their own, in a directory of the run, ended by their ids."""

import os
import pathlib
import signal
import socket
import subprocess
import time

import redis

PATIENCE_SECONDS = 90


class Ended(Exception):
    """A server that should run does not."""


def free_port():
    """A port that nobody uses now, below those that the system hands out, as the one 10000 above is."""
    while True:
        free_port.last += 1
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", free_port.last))
            except OSError:
                continue
        return free_port.last


free_port.last = 11_000 + os.getpid() % 8_000


def wait_for(what, condition):
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            if value := condition():
                return value
        except (redis.RedisError, OSError):
            pass
        if time.monotonic() > until:
            raise TimeoutError(f"waited in vain for {what}")
        time.sleep(0.05)


class Process:
    """One process and its log."""

    def __init__(self, log, *command):
        self.log = pathlib.Path(log)
        self.command = [str(word) for word in command]
        self.child = None

    def start(self):
        with self.log.open("ab") as log:
            self.child = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def kill(self):
        if self.child:
            self.child.kill()
            self.child.wait()
            self.child = None


class ZooKeeper(Process):
    """One member, from Debian's package."""

    def __init__(self, directory):
        directory.mkdir(parents=True)
        self.port = free_port()
        settings = directory / "zoo.cfg"
        settings.write_text(
            f"tickTime=500\ndataDir={directory}\nclientPort={self.port}\nclientPortAddress=127.0.0.1\nmaxClientCnxns=0\n"
            "minSessionTimeout=1000\nmaxSessionTimeout=60000\nadmin.enableServer=false\n4lw.commands.whitelist=srvr\n"
        )
        super().__init__(
            directory / "log", "java", "-Xmx64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
            "-cp", "/etc/zookeeper/conf:/usr/share/java/zookeeper.jar", "-Dzookeeper.forceSync=no",
            "org.apache.zookeeper.server.quorum.QuorumPeerMain", settings,
        )  # fmt: skip

    def start(self):
        super().start()
        wait_for("ZooKeeper to serve", self.serves)

    def serves(self):
        with socket.create_connection(("127.0.0.1", self.port), 2) as connection:
            connection.sendall(b"srvr")
            return b"Mode:" in connection.makefile("rb").read()


class Server(Process):
    """A server of the protocol, ours or another's."""

    def __init__(self, binary, directory, *arguments, port):
        directory.mkdir(parents=True)
        self.port = port
        self.address = f"127.0.0.1:{self.port}"
        super().__init__(f"{directory}.log", binary, *arguments)

    def client(self):
        return redis.Redis(
            port=self.port, decode_responses=True, socket_timeout=2, retry=None, protocol=2, lib_name=None, lib_version=None
        )

    def info(self, field):
        with self.client() as client:
            return client.info("replication").get(field)


class Botellier:
    """Three nodes and a ZooKeeper."""

    def __init__(self, binary, directory, *arguments):
        self.zookeeper = ZooKeeper(directory / "zookeeper")
        self.nodes = []
        for number in range(3):
            port, home = free_port(), directory / f"node-{number}"
            self.nodes.append(
                Server(
                    binary, home, "--port", port, "--bind", "127.0.0.1", "--dir", home,
                    "--zookeeper", f"127.0.0.1:{self.zookeeper.port}/store", "--node-id", f"node-{number}",
                    "--announce-host", "127.0.0.1", "--replication-port", free_port(), "--durability", "required",
                    *arguments, port=port,
                )
            )  # fmt: skip

    def start(self):
        self.zookeeper.start()
        for node in self.nodes:
            node.start()
        self.whole()

    def whole(self):
        """Wait until there are all three roles, and the leader takes writes."""
        wait_for("three nodes with their roles", lambda: self.roles() == ["leader", "replica", "synced"])
        wait_for("a write", lambda: self.leader().client().set("probe", "1"))

    def roles(self):
        for node in self.nodes:
            if node.child.poll() is not None:
                raise Ended(f"{node.log.name}: {node.log.read_text()[-300:]}")
        return sorted(node.info("botellier_role") for node in self.nodes)

    def leader(self):
        for node in self.nodes:
            try:
                if node.child and node.info("role") == "master":
                    return node
            except (redis.RedisError, OSError):
                pass
        return None

    def flush(self):
        wait_for("an empty store", lambda: self.leader().client().flushall())

    def restart(self):
        """Start what was killed, and wait until all is as before."""
        for node in self.nodes:
            if not node.child:
                node.start()
        self.whole()

    def stop(self):
        for process in [*self.nodes, self.zookeeper]:
            process.kill()

    def environment(self):
        addresses = ",".join(node.address for node in self.nodes)
        name = wait_for("a leader", self.leader).client().config_get("shard-name").get("shard-name", "")
        return {"NODES": addresses, "SENTINELS": addresses, "SENTINEL_NAME": name}


class Peer:
    """Another server, alone: what the programs themselves are held against. No failover."""

    def __init__(self, binary, directory, *arguments):
        port, home = free_port(), directory / "peer"
        keep_none = ("--save", "", "--appendonly", "no", "--dir", home, "--bind", "127.0.0.1")
        self.node = Server(binary, home, "--port", port, *keep_none, *arguments, port=port)
        self.cluster = "--cluster-enabled" in arguments
        if self.cluster:
            self.node.command += ["--cluster-announce-ip", "127.0.0.1"]
        settings = directory / "sentinel.conf"
        watching = free_port()
        self.sentinel = Server(
            binary, directory / "sentinel", settings, "--sentinel", "--port", watching, port=watching
        )
        settings.write_text(f"bind 127.0.0.1\nsentinel monitor peer 127.0.0.1 {port} 1\n")

    def start(self):
        self.node.start()
        wait_for("the peer to listen", lambda: self.node.client().ping())
        if self.cluster:
            self.node.client().execute_command("CLUSTER ADDSLOTSRANGE 0 16383")
            wait_for("its slots", lambda: self.node.client().execute_command("CLUSTER INFO")["cluster_state"] == "ok")
        else:
            self.sentinel.start()
            wait_for("the sentinel to listen", lambda: self.sentinel.client().ping())

    def leader(self):
        return self.node

    def flush(self):
        self.node.client().flushall()

    def stop(self):
        self.node.kill()
        self.sentinel.kill()

    def environment(self):
        return {"NODES": self.node.address, "SENTINELS": self.sentinel.address, "SENTINEL_NAME": "peer"}


def end_group(child):
    """End what a program started, too: it leads a group of its own."""
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    child.wait()
