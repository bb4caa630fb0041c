"""Forwards a free TCP port of this machine to a Unix socket: `forward.py SOCKET`. Prints the port."""

import socket
import sys
import threading


def copy(source, sink):
    try:
        while piece := source.recv(65536):
            sink.sendall(piece)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        source.close()
        sink.close()


with socket.create_server(("127.0.0.1", 0)) as server:
    print(server.getsockname()[1], flush=True)
    while True:
        client, _ = server.accept()
        daemon = socket.socket(socket.AF_UNIX)
        daemon.connect(sys.argv[1])
        for pair in (client, daemon), (daemon, client):
            threading.Thread(target=copy, args=pair, daemon=True).start()
