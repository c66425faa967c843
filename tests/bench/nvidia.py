"""NVIDIA's own verifier (PyPI nv-local-gpu-verifier), its offline parts, on the vector that everybody here verifies.

Prints one line of JSON like the programs beside it. What its `attest` does is done here in the same order, without what
needs a GPU or a network: NVML, RIM service, OCSP. Times the functions, not the interpreter's start.
"""

import contextlib
import io
import json
import logging
import os
import sys
import time
from importlib.metadata import version
from pathlib import Path

DRIVER = "NV_GPU_DRIVER_GH100_550.90.07.swidtag"
VBIOS = "NV_GPU_VBIOS_1010_0200_882_96009F0001.swidtag"
SAMPLES = 31


def row(result):
    name = f"nv-local-gpu-verifier {version('nv-local-gpu-verifier')}, Python"
    print(json.dumps({"subject": "gpu", "kind": "peer", "verifier": name, "library": "OpenSSL, ecdsa", "result": result}))


def prepare(folder):
    from OpenSSL import crypto
    from verifier.attestation import AttestationReport
    from verifier.cc_admin_utils import CcAdminUtils
    from verifier.config import HopperSettings
    from verifier.rim import RIM
    from verifier.verifier import Verifier

    nonce = bytes.fromhex(json.loads((folder / "expected.json").read_text())["fields"]["nonce"])
    report = (folder / "report.bin").read_bytes()
    end = "-----END CERTIFICATE-----\n"
    blocks = [block + end for block in (folder / "chain.pem").read_text().split(end)[:-1]]

    def verify():
        settings = HopperSettings()
        parsed = AttestationReport(report, settings)
        chain = [crypto.load_certificate(crypto.FILETYPE_PEM, block) for block in blocks]
        fwid = parsed.get_response_message().get_opaque_data().get_data("OPAQUE_FIELD_ID_FWID").hex()
        assert CcAdminUtils.verify_gpu_certificate_chain(chain, settings, fwid)[0]
        assert CcAdminUtils.verify_attestation_report(parsed, chain[0], nonce, "550.90.07", "96.00.9f.00.01", settings)
        rims = []
        for kind, file in (("driver", DRIVER), ("vbios", VBIOS)):
            rim = RIM(kind, settings, rim_path=str(folder / "rim" / file))
            assert rim.validate_schema()
            with open(os.path.join(settings.ROOT_CERT_DIR, settings.RIM_ROOT_CERT), "rb") as file:
                root = crypto.load_certificate(crypto.FILETYPE_PEM, file.read())
            mode = settings.Certificate_Chain_Verification_Mode.DRIVER_RIM_CERT
            assert CcAdminUtils.verify_certificate_chain([*rim.extract_certificates(), root], settings, mode)[0]
            assert rim.verify_signature(settings)
            rims.append(rim)
        assert Verifier(parsed, *rims, settings=settings).verify(settings)

    return verify


def frozen(moment):
    """The verifier reads the clock, and the vector's signers have expired since: OpenSSL is told the vector's time."""
    from datetime import datetime, timezone
    from OpenSSL import SSL, crypto

    then = datetime.fromtimestamp(moment, timezone.utc).replace(tzinfo=None)

    def at_that_time(make):
        def made(*arguments):
            store = make(*arguments)
            store.set_time(then)
            return store

        return made

    crypto.X509Store = at_that_time(crypto.X509Store)
    SSL.Context.get_cert_store = at_that_time(SSL.Context.get_cert_store)


def main():
    folder = Path(sys.argv[1]) / "nvidia/h100-550.90.07"
    if not (folder / "rim").is_dir():
        return row({"Err": "not run: its manifests are not shipped (scripts/vectors)"})
    logging.disable(logging.CRITICAL)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            frozen(1_772_323_200)
            verify = prepare(folder)
            samples = []
            for _ in range(SAMPLES):
                before = time.process_time()
                verify()
                samples.append(time.process_time() - before)
    except Exception as error:  # whatever another's code raises is the answer
        return row({"Err": f"not run: {type(error).__name__}: {error}".strip()})
    row({"Ok": sorted(samples)[SAMPLES // 2] * 1000})


if __name__ == "__main__":
    sys.exit(main())
