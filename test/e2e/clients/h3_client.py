"""DNS over HTTP/3 for the tests: requests as JSON lines on stdin, responses as JSON lines on stdout.

Arguments: address, port, server name, CA file, local address ("-" for any), certificate and key ("-" for none).
"""
import asyncio
import base64
import json
import socket
import sys

from aioquic.asyncio.client import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ConnectionTerminated, StreamReset


def emit(message):
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


class Client(QuicConnectionProtocol):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.http = H3Connection(self._quic)
        self.streams = {}

    def ask(self, request):
        stream = self._quic.get_next_available_stream_id()
        body = base64.b64decode(request.get("body", ""))
        headers = [(k.encode(), v.encode()) for k, v in request["headers"]]
        self.streams[stream] = {"id": request["id"], "headers": [], "body": b""}
        self.http.send_headers(stream, headers, end_stream=not body)
        if body:
            self.http.send_data(stream, body, end_stream=True)
        self.transmit()

    def quic_event_received(self, event):
        if isinstance(event, ConnectionTerminated):
            emit({"closed": event.reason_phrase or str(event.error_code)})
        if isinstance(event, StreamReset) and event.stream_id in self.streams:
            emit({"id": self.streams.pop(event.stream_id)["id"], "error": f"stream reset with {event.error_code}"})
        for part in self.http.handle_event(event):
            stream = self.streams.get(part.stream_id)
            if stream is None:
                continue
            if isinstance(part, HeadersReceived):
                stream["headers"] += [(k.decode("latin1"), v.decode("latin1")) for k, v in part.headers]
            elif isinstance(part, DataReceived):
                stream["body"] += part.data
            if part.stream_ended:
                del self.streams[part.stream_id]
                body = base64.b64encode(stream["body"]).decode()
                emit({"id": stream["id"], "headers": stream["headers"], "body": body})


async def main():
    address, port, name, ca, local, certificate, key = sys.argv[1:8]
    configuration = QuicConfiguration(is_client=True, alpn_protocols=H3_ALPN, server_name=name)
    configuration.load_verify_locations(ca)
    if certificate != "-":
        configuration.load_cert_chain(certificate, key)
    if local != "-":
        # aioquic binds to :: only; the tests need a client's address.
        bind = socket.socket.bind
        mapped = local if ":" in local else "::ffff:" + local

        def bind_local(sock, target):
            return bind(sock, (mapped, *target[1:]) if target[0] == "::" else target)

        socket.socket.bind = bind_local
    async with connect(address, int(port), configuration=configuration, create_protocol=Client) as client:
        await client.wait_connected()
        emit({"ready": True})
        loop = asyncio.get_running_loop()
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            client.ask(json.loads(line))


try:
    asyncio.run(main())
except ConnectionError as error:
    emit({"closed": f"no connection: {error}"})
