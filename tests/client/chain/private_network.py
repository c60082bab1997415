"""A network that lets nobody out but through its proxy, with certificates of its own.

A certificate authority, a TLS server whose name no resolver knows, and a proxy that
leads there by CONNECT.
"""

import contextlib
import datetime as dt
import ipaddress
import json
import select
import socket
import ssl
import threading

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

HOST = "rpc.example"
_DAY = dt.timedelta(days=1)


def make_authority(folder, name="clinic"):
    """Writes a CA's certificate; gives its file, key and certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    certificate = (
        _begun(subject, subject, key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(
            x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{name}.pem"
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return path, key, certificate


def _begun(subject, issuer, key):
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _DAY)
        .not_valid_after(now + _DAY)
    )


def server_context(folder, authority):
    """Gives what a server of `HOST` needs, signed by the authority."""
    _, ca_key, ca = authority
    key = ec.generate_private_key(ec.SECP256R1())
    names = [x509.DNSName(HOST), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    certificate = (
        _begun(
            x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)]),
            ca.subject,
            key,
        )
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()),
            critical=False,
        )
        .sign(ca_key, hashes.SHA256())
    )
    path = folder / "server.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


class Listening:
    """Serves each connection in a thread of its own."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.threads = [threading.Thread(target=self._run)]
        self.threads[0].start()

    def _run(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                thread = threading.Thread(target=self._one, args=(connection,))
                self.threads.append(thread)
                thread.start()

    def _one(self, connection):
        with connection, contextlib.suppress(OSError):
            self.serve(connection)

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for thread in self.threads:
            thread.join()


class SecureNode(Listening):
    """Answers one question a connection, over TLS, from a table of results."""

    def __init__(self, context, results):
        self.context, self.results = context, results
        super().__init__()

    def serve(self, connection):
        with self.context.wrap_socket(connection, server_side=True) as secure:
            asked = json.loads(_read_request(secure))
            answer = {"jsonrpc": "2.0", "id": asked["id"]}
            body = json.dumps(answer | {"result": self.results[asked["method"]]})
            secure.sendall(
                b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: "
                b"%d\r\n\r\n%s" % (len(body), body.encode())
            )


class Proxy(Listening):
    """Leads to one port, by CONNECT alone; `asked` has the first line of each."""

    def __init__(self, port):
        self.to, self.asked = port, []
        super().__init__()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def serve(self, connection):
        head = b""
        while b"\r\n\r\n" not in head:
            head += connection.recv(65_536)
        self.asked.append(head.split(b"\r\n")[0].decode())
        if not self.asked[-1].startswith(f"CONNECT {HOST}:443 "):
            connection.sendall(b"HTTP/1.1 403 No\r\ncontent-length: 0\r\n\r\n")
            return
        with socket.create_connection(("127.0.0.1", self.to)) as inside:
            connection.sendall(b"HTTP/1.1 200 Through\r\n\r\n")
            _join(connection, inside)


def _join(one, other):
    to = {one: other, other: one}
    while True:
        for ready in select.select(list(to), [], [])[0]:
            data = ready.recv(65_536)
            if not data:
                return
            to[ready].sendall(data)


def _read_request(connection):
    text = b""
    while b"\r\n\r\n" not in text:
        text += connection.recv(65_536)
    head, _, body = text.partition(b"\r\n\r\n")
    (length,) = (
        int(line.split(b":")[1])
        for line in head.lower().split(b"\r\n")
        if line.startswith(b"content-length:")
    )
    while len(body) < length:
        body += connection.recv(65_536)
    return body
