"""A connection that does not say what it wants is closed; one that works is left alone."""

import socket
import threading
import time

import pytest
import uvicorn

from anomaly.web import protocol


@pytest.fixture
def port(monkeypatch):
    """A server that answers at once without reading the body; its patience is a third of a second."""
    monkeypatch.setattr(protocol, "PATIENCE_SECONDS", 0.3)

    async def app(scope, receive, send):
        if scope["path"] == "/read":
            while (await receive()).get("more_body"):
                pass
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

    config = uvicorn.Config(app, http=protocol.PatientProtocol, lifespan="off", log_config=None, ws="none")
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        yield listening.getsockname()[1]
        server.should_exit = True
        thread.join(10)


def ended(line):
    """Everything until the server closes; waits at most 5 s."""
    line.settimeout(5)
    received = b""
    try:
        while piece := line.recv(4096):
            received += piece
    except ConnectionResetError:
        pass
    return received


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"POST / HT", id="half a line"),
        pytest.param(b"POST / HTTP/1.1\r\nHost: x\r\n", id="headers without an end"),
    ],
)
def test_headers_that_do_not_come_end_the_connection(port, sent):
    with socket.create_connection(("127.0.0.1", port)) as line:
        line.sendall(sent)
        assert ended(line) == b""


def test_headers_sent_drop_by_drop_do_not_gain_time(port):
    with socket.create_connection(("127.0.0.1", port)) as line:
        line.sendall(b"GET / HTTP/1.1\r\n")
        with pytest.raises(OSError):
            for number in range(100):
                time.sleep(0.05)
                line.sendall(b"X-%d: y\r\n" % number)


def test_the_endless_rest_of_an_answered_body_ends_the_connection(port):
    with socket.create_connection(("127.0.0.1", port)) as line:
        line.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\nabc")
        assert ended(line).endswith(b"ok")


def test_a_slow_body_that_is_being_read_and_an_idle_connection_are_left_alone(port):
    with socket.create_connection(("127.0.0.1", port)) as line:
        line.settimeout(5)
        for _ in range(2):
            line.sendall(b"POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nabc")
            time.sleep(0.6)
            line.sendall(b"def")
            assert line.recv(4096).endswith(b"ok")
            time.sleep(0.6)
