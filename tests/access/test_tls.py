from __future__ import annotations

from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from fastingest import OptionError
from fastingest.access.tls import client_context


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With a certificate, its key, both, another key, the key encrypted, and an authority."""
    authority = trustme.CA()
    own, other = (authority.issue_cert("client.example") for _ in range(2))
    cert, key = own.cert_chain_pems[0].bytes(), own.private_key_pem.bytes()
    encrypted = serialization.load_pem_private_key(key, None).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"passphrase"),
    )
    for name, content in {
        "cert": cert,
        "key": key,
        "both": key + cert,
        "other": other.private_key_pem.bytes(),
        "encrypted": encrypted,
        "ca": authority.cert_pem.bytes(),
        "broken": cert[:100] + b"!" + cert[101:],
        "no": b"no PEM",
    }.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


@pytest.mark.parametrize(("cert", "key"), [("cert", "key"), ("both", None), ("both", "key")])
def test_a_certificate_and_its_key_are_taken(folder: Path, cert: str, key: str | None) -> None:
    client_context(folder / "ca", folder / cert, None if key is None else folder / key)


@pytest.mark.parametrize(
    ("files", "option", "says"),
    [
        (("nowhere", None, None), "ca_file", "No such file"),
        (("no", None, None), "ca_file", "no holds no certificates in PEM form"),
        ((None, "nowhere", None), "cert_file", "nowhere: No such file"),
        ((None, "no", None), "cert_file", "no holds no certificate in PEM form"),
        ((None, "broken", "key"), "key_file", "broken cannot be used"),
        ((None, "cert", None), "cert_file", "cert holds no private key in PEM form; --key-file"),
        ((None, "cert", "nowhere"), "key_file", "nowhere: No such file"),
        ((None, "cert", "no"), "key_file", "no holds no private key in PEM form"),
        ((None, "cert", "other"), "key_file", "does not belong to the certificate in"),
        ((None, "cert", "encrypted"), "key_file", "encrypted is encrypted; decrypt it"),
        ((None, None, "key"), "key_file", "name its certificate: --cert-file"),
    ],
)
def test_what_cannot_be_used_is_refused(
    folder: Path, files: tuple[str | None, str | None, str | None], option: str, says: str
) -> None:
    ca_file, cert_file, key_file = (None if name is None else folder / name for name in files)
    with pytest.raises(OptionError) as error:
        client_context(ca_file, cert_file, key_file)
    assert error.value.option == option
    assert says in str(error.value)
