"""OpenSSL as it comes, against the enclave itself: openssl.py HOST:PORT

Prints the group that the keys were agreed with. Nothing is verified here: that is for evidence, not for certificates.
"""

import socket
import sys

from OpenSSL import SSL

host, port = sys.argv[1].rsplit(":", 1)
connection = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD), socket.create_connection((host, int(port))))
connection.set_tlsext_host_name(b"localhost")
connection.set_connect_state()
connection.do_handshake()
print(SSL.SSLeay_version(0).decode(), connection.get_protocol_version_name(), connection.get_group_name())
