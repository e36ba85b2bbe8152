"""Stands for the Kubernetes Service: one address that leads to whoever leads, and to nobody while nobody does.

As behind the Service, a connection is refused while there is no leader, and one to a former leader ends with it.
"""

import socket
import threading
import time

import redis

LOOK_EVERY_SECONDS = 0.05


class Service:
    """Forwards bytes between clients and the leader, from threads of its own."""

    def __init__(self, port, nodes):
        self.port = port
        self.nodes = nodes
        self.leader = None
        self.listener = None
        self.connections = set()
        self.lock = threading.Lock()
        self.ended = False

    def start(self):
        threading.Thread(target=self.watch, daemon=True).start()

    def stop(self):
        self.ended = True
        self.route(None)

    def watch(self):
        while not self.ended:
            leader = self.find()
            if leader is not self.leader:
                self.route(leader)
            time.sleep(LOOK_EVERY_SECONDS)

    def find(self):
        # Of two that say so the newer leads; the older one finds out within its lease.
        for node in [node for node in self.nodes if node is not self.leader] + [self.leader]:
            try:
                if node and node.child:
                    with node.client() as client:
                        if client.role()[0] == "master":
                            return node
            except (redis.RedisError, OSError):
                pass
        return None

    def route(self, leader):
        with self.lock:
            self.leader = leader
            old, self.connections = self.connections, set()
        if self.listener and not leader:
            self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()
            self.listener = None
        for connection in old:
            shut(connection)
        if leader and not self.listener:
            self.listener = socket.create_server(("127.0.0.1", self.port), backlog=256)
            threading.Thread(target=self.accept, args=[self.listener], daemon=True).start()

    def accept(self, listener):
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            leader = self.leader
            try:
                server = socket.create_connection(("127.0.0.1", leader.port), 2)
            except (OSError, AttributeError):
                client.close()
                continue
            server.settimeout(None)
            with self.lock:
                if leader is not self.leader:
                    client.close()
                    server.close()
                    continue
                self.connections |= {client, server}
            for source, target in [(client, server), (server, client)]:
                source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self.forward, args=[source, target], daemon=True).start()

    def forward(self, source, target):
        try:
            while data := source.recv(65536):
                target.sendall(data)
        except OSError:
            pass
        shut(source)
        shut(target)
        with self.lock:
            self.connections -= {source, target}


def shut(connection):
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
