"""A client on python3-h2: usage: h2_client.py PORT CA. Asks for three pages at once and posts one; prints a line for each answer."""
import socket
import ssl
import sys

import h2.connection
import h2.events

port, ca = int(sys.argv[1]), sys.argv[2]
context = ssl.create_default_context(cafile=ca)
context.set_alpn_protocols(["h2"])
sock = context.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=30), server_hostname="localhost")
assert sock.selected_alpn_protocol() == "h2"
c = h2.connection.H2Connection()
c.initiate_connection()


def head(method, path):
    return [(":method", method), (":scheme", "https"), (":authority", "localhost"), (":path", path)]


body = b"x" * 100_000
answers = {}
for path in ["/page", "/page", "/large"]:
    stream = c.get_next_available_stream_id()
    c.send_headers(stream, head("GET", path), end_stream=True)
    answers[stream] = [path, None, 0, False]
post = c.get_next_available_stream_id()
c.send_headers(post, head("POST", "/post") + [("content-length", str(len(body)))])
answers[post] = ["/post", None, 0, False]
sent = 0
while not all(a[3] for a in answers.values()):
    while sent < len(body) and not answers[post][3]:
        n = min(c.local_flow_control_window(post), c.max_outbound_frame_size, len(body) - sent)
        if n == 0:
            break
        c.send_data(post, body[sent : sent + n], end_stream=sent + n == len(body))
        sent += n
    sock.sendall(c.data_to_send())
    data = sock.recv(65536)
    assert data, "the connection ended"
    for event in c.receive_data(data):
        if isinstance(event, h2.events.ResponseReceived):
            answers[event.stream_id][1] = dict(event.headers)[b":status"].decode()
        elif isinstance(event, h2.events.DataReceived):
            answers[event.stream_id][2] += len(event.data)
            c.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            answers[event.stream_id][3] = True
        elif isinstance(event, (h2.events.StreamReset, h2.events.ConnectionTerminated)):
            raise SystemExit(f"{event}")
for path, status, size, _ in answers.values():
    print(path, status, size)
c.close_connection()
sock.sendall(c.data_to_send())
