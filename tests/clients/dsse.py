"""Signs and verifies DSSE envelopes with securesystemslib, an implementation that is none of ours.

dsse.py verify ENVELOPE PUBLIC_KEY      prints the payload
dsse.py sign PAYLOAD PRIVATE_KEY        prints the envelope
"""

import json
import sys

from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from securesystemslib.dsse import Envelope
from securesystemslib.signer import CryptoSigner, SSlibKey

IN_TOTO = "application/vnd.in-toto+json"


def read(path):
    with open(path, "rb") as file:
        return file.read()


verb, subject, key = sys.argv[1:]
if verb == "verify":
    envelope = Envelope.from_dict(json.loads(read(subject)))
    assert envelope.payload_type == IN_TOTO, envelope.payload_type
    named = next(iter(envelope.signatures))
    public = SSlibKey.from_crypto(load_pem_public_key(read(key)), keyid=named)
    envelope.verify([public], threshold=1)
    sys.stdout.buffer.write(envelope.payload)
elif verb == "sign":
    signer = CryptoSigner(load_pem_private_key(read(key), password=None))
    envelope = Envelope(read(subject), IN_TOTO, {})
    envelope.sign(signer)
    json.dump(envelope.to_dict(), sys.stdout)
else:
    sys.exit(__doc__)
