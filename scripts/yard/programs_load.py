"""Loads a server with what clients do, and checks each answer: for the servers of programs.py that bring no client."""

import http.client
import random
import socket
import sys
import threading
from pathlib import Path

CLIENTS = 4


def load_memcached(port, number):
    """Sets, gets and deletes values of many sizes; what is got must be what was set."""
    chooser, held = random.Random(number), {}
    with socket.create_connection(("127.0.0.1", port)) as connection, connection.makefile("rb") as answers:
        for _ in range(8000):
            key = f"k{number}.{chooser.randrange(2000)}"
            value = key.encode() * chooser.randrange(1, 120)
            connection.sendall(f"set {key} 0 0 {len(value)}\r\n".encode() + value + b"\r\n")
            assert answers.readline() == b"STORED\r\n"
            held[key] = value
            key = chooser.choice(list(held)) if chooser.randrange(50) == 0 else key
            connection.sendall(f"get {key}\r\n".encode())
            assert answers.readline().startswith(b"VALUE")
            assert answers.read(len(held[key]) + 2)[:-2] == held[key]
            assert answers.readline() == b"END\r\n"


def load_http(port, number, folder):
    """Fetches pages, which must be the files'."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    for turn in range(2500):
        page = (turn * 7 + number) % 50
        connection.request("GET", f"/page{page}", headers={"Accept-Encoding": "gzip"} if turn % 2 else {})
        body = connection.getresponse().read()
        assert turn % 2 or body == Path(folder, f"page{page}").read_bytes()


LOADS = {"memcached": load_memcached, "http": load_http}


def main():
    kind, port, *more = sys.argv[1:]
    failures = []
    threading.excepthook = lambda what: failures.append(what.exc_value)
    clients = [threading.Thread(target=LOADS[kind], args=(int(port), number, *more)) for number in range(CLIENTS)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    if failures:
        sys.exit(f"{kind}: {failures[0]!r}")
    print("every answer was right")


main()
