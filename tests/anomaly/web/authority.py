"""A certificate authority for tests: signs whatever is asked of it."""

import ipaddress
from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from anomaly.web.server import clock

LOOPBACK = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))


class Authority:
    """Its own certificate lies in `file`."""

    def __init__(self, folder, name="ca"):
        self.folder, self.name = folder, name
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self._signed(self.key.public_key(), name, [], True, timedelta(days=2))
        self.file = folder / f"{name}.crt"
        self.file.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    def sign(self, common, *alternative, file=None, lasts=timedelta(days=1)):
        """A certificate and its key as files; returns their paths."""
        key = ec.generate_private_key(ec.SECP256R1())
        made = self._signed(key.public_key(), common, alternative, False, lasts)
        stem = file or f"{self.name}-{made.serial_number}"
        certificate, private = self.folder / f"{stem}.crt", self.folder / f"{stem}.key"
        private.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
        return certificate, private

    def _signed(self, public, common, alternative, authority, lasts):
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])
        issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.name)])
        now = clock()
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(issuer)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=3))
            .not_valid_after(now + lasts)
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        if alternative:
            made = made.add_extension(x509.SubjectAlternativeName(list(alternative)), critical=False)
        return made.sign(self.key, hashes.SHA256())
